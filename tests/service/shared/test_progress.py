"""How far a service has read, as other processes see it; what readiness makes of it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from shared import health
from shared.database import Session
from shared.envelope import Envelope
from shared.health import not_ready
from shared.messaging import consumes
from shared.progress import Position, TopicProgress, read_progress, write_progress
from tests.service.shared.conftest import MakeProbe
from tests.service.shared.probe.contracts import Notes, fact_notes
from tests.service.shared.probe.process import Probe
from tests.support.system import eventually


async def test_a_service_is_ready_when_every_partition_was_heard_of_also_the_empty_ones(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its consumers run it is not; of a quiet topic the watch hears that nothing is left."""
    notes = fact_notes(partitions=3)
    await probe.make_topics(notes)
    monkeypatch.setattr(health, "read_by", lambda _: [notes.topic])
    assert await problems(probe) == [f"{notes.topic.name}: 0 of 3 partitions heard of"]
    await probe.broker.tell(notes.taken("only one partition has a record"), partition=0)
    async with probe.consuming(probe.writes_down(notes)):
        await eventually(lambda: _ready(probe))
        await eventually(lambda: _lag(probe, notes, 0))


async def test_a_service_that_no_longer_hears_from_the_broker_is_not_ready(
    make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Consumers that are gone leave their last word, which grows old."""
    probe = await make_probe(lag_alarm_seconds=0.5)
    notes = fact_notes()
    await probe.make_topics(notes)
    monkeypatch.setattr(health, "read_by", lambda _: [notes.topic])
    async with probe.consuming(probe.writes_down(notes)):
        await eventually(lambda: _ready(probe))
    await eventually(lambda: _complains(probe, "no progress for"))


async def test_a_consumer_that_cannot_apply_shows_its_lag_and_is_not_ready(
    make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch in hand counts as unread until it is applied, however often the broker is asked meanwhile."""
    probe = await make_probe(lag_alarm_seconds=0.5)
    notes = fact_notes()
    await probe.make_topics(notes)
    monkeypatch.setattr(health, "read_by", lambda _: [notes.topic])
    allowed = asyncio.Event()
    writes_down = probe.writes_down(notes)

    async def waits(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
        await allowed.wait()
        await writes_down.handle(session, envelopes)

    await probe.broker.tell(notes.taken("first"))
    async with probe.consuming(consumes(notes.topic)(waits)):
        allowed.set()
        await eventually(lambda: _ready(probe))
        allowed.clear()
        await probe.broker.tell(*(notes.taken(f"{number}") for number in range(7)))
        await eventually(lambda: _complains(probe, "no progress for"))
        await eventually(lambda: _lag(probe, notes, 7))
        allowed.set()
        await eventually(lambda: _ready(probe))
    assert len(await probe.effects()) == 8


async def test_progress_moves_with_records_or_at_the_end_and_else_stands_still(probe: Probe) -> None:
    """Hearing that 5 records are left, twice, is no progress; hearing that none are left is."""
    notes = fact_notes()
    await _write(probe, Position(notes.topic.name, 0, 5, 10))
    first = await progress_of(probe, notes)
    await _write(probe, Position(notes.topic.name, 0, 5, 12))
    second = await progress_of(probe, notes)
    assert (second.progressed_at, second.lag) == (first.progressed_at, 7)
    await _write(probe, Position(notes.topic.name, 0, 12, 12))
    third = await progress_of(probe, notes)
    await _write(probe, Position(notes.topic.name, 0, 12, 12))
    fourth = await progress_of(probe, notes)
    assert first.progressed_at < third.progressed_at < fourth.progressed_at


async def test_events_that_wait_too_long_for_the_relay_are_said(make_probe: MakeProbe) -> None:
    """The age of the oldest counts, and their number."""
    probe = await make_probe(lag_alarm_seconds=0.3, outbox_backlog_alarm=2)
    notes = fact_notes()
    await probe.tell(notes.taken("one"))
    await eventually(lambda: _complains(probe, "outbox: 1 events wait"))
    await probe.sql("UPDATE outbox SET created_at = clock_timestamp() + interval '1 hour'")
    assert await problems(probe) == []
    await probe.tell(notes.taken("two"), notes.taken("three"))
    await eventually(lambda: _complains(probe, "outbox: 3 events wait"))


async def progress_of(probe: Probe, notes: Notes) -> TopicProgress:
    """How far a topic is read."""
    async with probe.database.reading() as session:
        return (await read_progress(session))[notes.topic.name]


async def problems(probe: Probe) -> list[str]:
    """What keeps the probe from being ready."""
    return list(await not_ready(probe.settings, probe.database, "0001"))


async def _write(probe: Probe, *positions: Position) -> None:
    async with probe.database.transaction() as session:
        await write_progress(session, positions)


async def _ready(probe: Probe) -> bool:
    found = await problems(probe)
    assert not found, found
    return True


async def _complains(probe: Probe, words: str) -> bool:
    return any(words in problem for problem in await problems(probe))


async def _lag(probe: Probe, notes: Notes, lag: int) -> bool:
    found = await progress_of(probe, notes)
    assert (found.partitions, found.lag) == (notes.topic.partitions, lag)
    return True
