"""Consuming from a real broker: batches, each effect once, nothing lost, nothing stuck."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest

from shared import database
from shared.database import Session, run
from shared.envelope import COMPACTION_TICK, Envelope
from shared.messaging import Consumers, consumes
from tests.service.shared.conftest import MakeProbe
from tests.service.shared.probe.contracts import Notes, fact_notes, group_of, state_notes
from tests.service.shared.probe.process import Probe, error_of
from tests.support.system import eventually

BATCH = 500
CLOCK_SECONDS = 1
"""Long enough for a client that commits offsets by the clock."""
DEATHS = 9
"""More than the attempts of one delivery."""
MEETING_SECONDS = 5


async def test_a_batch_is_one_transaction(probe: Probe) -> None:
    """500 records that lie on the topic are applied together: one commit, not five hundred."""
    notes = fact_notes()
    await probe.make_topics(notes)
    await probe.broker.tell(*(notes.taken(f"{number}") for number in range(BATCH)))
    async with probe.consuming(probe.writes_down(notes)):
        await eventually(lambda: _effects(probe, BATCH))
    assert await probe.effects() == [f"{number}" for number in range(BATCH)]
    [row] = await probe.sql("SELECT count(DISTINCT xmin::text) FROM effect")
    assert row[0] <= 2, "the first fetch may come in two, no more"


async def test_an_event_told_twice_has_one_effect(probe: Probe) -> None:
    """The inbox knows an event by source and id, within a batch and across batches."""
    notes = fact_notes()
    await probe.make_topics(notes)
    once = notes.taken("once")
    await probe.broker.tell(once, once, ids=["a", "a"])
    async with probe.consuming(probe.writes_down(notes)):
        await eventually(lambda: _committed(probe, notes, 2))
        await probe.broker.tell(once, notes.taken("last"), ids=["a", "z"])
        await eventually(lambda: _committed(probe, notes, 4))
    assert await probe.effects() == ["once", "last"], "an event took effect twice"


async def test_a_new_group_begins_with_what_lay_there_before_it(probe: Probe) -> None:
    """A service that is new, or whose group was forgotten, reads its topics from the start."""
    notes = fact_notes()
    await probe.make_topics(notes)
    await probe.broker.tell(notes.taken("one"), notes.taken("two"))
    async with probe.consuming(probe.writes_down(notes)):
        await eventually(lambda: _read(probe, notes, 2))
    assert await probe.effects() == ["one", "two"], "what lay on the topic before the group is lost"


async def test_while_a_batch_is_being_applied_the_broker_is_not_told_that_it_is_done(probe: Probe) -> None:
    """Whoever is killed now gets it again: its offsets follow its commit, neither the fetch nor the clock."""
    notes = fact_notes()
    await probe.make_topics(notes)
    writes_down, begun, may_go_on = probe.writes_down(notes), asyncio.Event(), asyncio.Event()

    async def slowly(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
        begun.set()
        await may_go_on.wait()
        await writes_down.handle(session, envelopes)

    await probe.broker.tell(*(notes.taken(f"{number}") for number in range(10)))
    async with probe.consuming(consumes(notes.topic)(slowly)):
        await begun.wait()
        await asyncio.sleep(CLOCK_SECONDS)
        said_too_early = await probe.broker.committed(notes.topic, group_of(notes))
        may_go_on.set()
        await eventually(lambda: _committed(probe, notes, 10))
    assert said_too_early == 0, f"{said_too_early} of 10 records were given up before they were applied"
    assert len(await probe.effects()) == 10


async def test_the_same_id_of_another_source_is_another_event(probe: Probe) -> None:
    """A stranger's id is unique per source only: nobody can shadow another's events."""
    notes = fact_notes()
    await probe.make_topics(notes)
    await probe.broker.tell(notes.taken("mine"), ids=["a"], ce_source="one")
    await probe.broker.tell(notes.taken("yours"), ids=["a"], ce_source="two")
    async with probe.consuming(probe.writes_down(notes)):
        await eventually(lambda: _effects(probe, 2))
    assert sorted(await probe.effects()) == ["mine", "yours"]


async def test_a_copy_takes_gaps_ignores_older_versions_and_forgets_on_a_tombstone(probe: Probe) -> None:
    """State topics: an old version that comes late changes nothing, a record without a body empties the copy."""
    notes = state_notes()
    await probe.make_topics(notes)
    kept, gone = uuid4(), uuid4()
    await probe.broker.tell(notes.changed(kept, 1), notes.changed(kept, 5), notes.changed(kept, 3))
    await probe.broker.tell(notes.changed(gone, 1))
    await probe.broker.send(notes.topic, str(gone).encode(), None)
    await probe.broker.send(notes.topic, COMPACTION_TICK.encode(), None)
    await probe.broker.flush()
    async with probe.consuming(probe.keeps_newest(notes)):
        await eventually(lambda: _committed(probe, notes, 6))
    assert await probe.copies() == {kept: 5}
    assert await probe.letters(notes) == []


async def test_records_that_are_much_work_are_under_way_together_and_no_more_than_said(probe: Probe) -> None:
    """With `at_once` each record is a transaction, and so many run side by side: one waits for the other here."""
    notes = fact_notes()
    await probe.make_topics(notes)
    writes_down, both_there, most, under_way = probe.writes_down(notes), asyncio.Barrier(2), 0, 0

    async def together(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
        nonlocal most, under_way
        assert len(envelopes) == 1
        under_way += 1
        most = max(most, under_way)
        async with asyncio.timeout(MEETING_SECONDS):
            await both_there.wait()
        await writes_down.handle(session, envelopes)
        under_way -= 1

    await probe.broker.tell(*(notes.taken(f"{number}") for number in range(4)))
    async with probe.consuming(consumes(notes.topic, at_once=2)(together)):
        await eventually(lambda: _effects(probe, 4))
        await eventually(lambda: _committed(probe, notes, 4))
    assert sorted(await probe.effects()) == ["0", "1", "2", "3"]
    assert most == 2
    [row] = await probe.sql("SELECT count(DISTINCT xmin::text) FROM effect")
    assert row[0] == 4, "each is a transaction of its own"


async def test_of_records_under_way_together_one_that_fails_spoils_no_other(probe: Probe) -> None:
    """What can never be applied is set aside; what passes comes again, with its neighbour, who has one effect."""
    notes = fact_notes()
    await probe.make_topics(notes)
    probe.broken.add("never")
    writes_down, deaths = probe.writes_down(notes), DEATHS

    async def shakily(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
        nonlocal deaths
        await writes_down.handle(session, envelopes)
        if envelopes[0].event is not None and envelopes[0].event.text == "later" and deaths:
            deaths -= 1
            raise ConnectionError("the database is away")

    await probe.broker.tell(notes.taken("never"), notes.taken("now"), notes.taken("later"), notes.taken("too"))
    async with probe.consuming(consumes(notes.topic, at_once=2)(shakily)):
        await eventually(lambda: _effects(probe, 3))
        await eventually(lambda: _committed(probe, notes, 4))
    assert sorted(await probe.effects()) == ["later", "now", "too"]
    [letter] = await probe.letters(notes)
    assert "cannot process never" in error_of(letter)


async def test_one_record_the_code_stumbles_over_is_set_aside_and_its_neighbours_pass(probe: Probe) -> None:
    """A handler that fails for one of 200 costs the others nothing: halving finds it."""
    notes = fact_notes()
    await probe.make_topics(notes)
    probe.broken.add("117")
    await probe.broker.tell(*(notes.taken(f"{number}") for number in range(200)))
    async with probe.consuming(probe.writes_down(notes)):
        await eventually(lambda: _effects(probe, 199))
        await eventually(lambda: _committed(probe, notes, 200))
    assert await probe.effects() == [f"{number}" for number in range(200) if number != 117]
    [letter] = await probe.letters(notes)
    assert b'"117"' in (letter.value or b"")
    assert "cannot process 117" in error_of(letter)


async def test_a_row_the_database_refuses_is_set_aside_too(probe: Probe) -> None:
    """A broken constraint is no passing fault: it is not retried for ever."""
    notes = fact_notes()
    await probe.make_topics(notes)
    await probe.broker.tell(notes.taken("before"), notes.taken("poison"), notes.taken("after"))
    async with probe.consuming(probe.writes_down(notes)):
        await eventually(lambda: _effects(probe, 2))
    assert await probe.effects() == ["before", "after"]
    [letter] = await probe.letters(notes)
    assert "never_poison" in error_of(letter)


async def test_replay_brings_a_dead_letter_back_after_a_fix(probe: Probe) -> None:
    """Replay runs the handler, never writes to the topic, goes on where it ended, and keeps what fails again."""
    notes = fact_notes()
    await probe.make_topics(notes)
    probe.broken.update({"one", "two"})
    await probe.broker.tell(notes.taken("one"), notes.taken("two"), notes.taken("fine"))
    subscription = probe.writes_down(notes)
    async with probe.consuming(subscription):
        await eventually(lambda: _committed(probe, notes, 3))
    probe.broken.discard("one")
    assert await probe.replay(subscription) == (1, 1)
    assert sorted(await probe.effects()) == ["fine", "one"]
    probe.broken.clear()
    assert await probe.replay(subscription) == (1, 0)
    assert await probe.replay(subscription) == (0, 0)
    assert sorted(await probe.effects()) == ["fine", "one", "two"]
    assert len(await probe.broker.read(notes.topic.name)) == 3


async def test_what_was_applied_after_all_is_not_applied_again_by_replay(probe: Probe) -> None:
    """A dead letter whose event arrived a second time and passed leaves no second effect."""
    notes = fact_notes()
    await probe.make_topics(notes)
    probe.broken.add("late")
    late = notes.taken("late")
    subscription = probe.writes_down(notes)
    await probe.broker.tell(late, ids=["a"])
    async with probe.consuming(subscription):
        await eventually(lambda: _committed(probe, notes, 1))
        probe.broken.clear()
        await probe.broker.tell(late, ids=["a"])
        await eventually(lambda: _effects(probe, 1))
    assert await probe.replay(subscription) == (1, 0)
    assert await probe.effects() == ["late"]


async def test_a_lock_that_is_not_had_is_waited_for_however_long(
    make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passing faults outlast every number of attempts: the batch comes again, each of its partitions with it."""
    monkeypatch.setattr(database, "LOCK_TIMEOUT_SECONDS", 0.05)
    probe = await make_probe(consumer_attempts=2)
    notes = fact_notes(partitions=4)
    await probe.make_topics(notes)
    for partition in range(4):
        await probe.broker.tell(*(notes.taken(f"{partition}.{n}") for n in range(5)), partition=partition)
    async with probe.consuming(probe.writes_down(notes)):
        async with probe.database.transaction() as blocker:
            await run(blocker, "LOCK TABLE effect IN ACCESS EXCLUSIVE MODE")
            await eventually(lambda: _tried(probe, 3 * probe.settings.consumer_attempts))
        await eventually(lambda: _effects(probe, 20))
        await eventually(lambda: _committed(probe, notes, 20))
    assert len(set(await probe.effects())) == 20
    assert await probe.letters(notes) == []


async def test_a_connection_lost_in_the_middle_of_a_batch_is_no_reason_to_set_it_aside(probe: Probe) -> None:
    """The backend dies under the handler more often than a batch is tried at once; in the end all is applied once."""
    notes = fact_notes()
    await probe.make_topics(notes)
    writes_down, deaths = probe.writes_down(notes), iter(range(DEATHS))

    async def on_notes(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
        await writes_down.handle(session, envelopes)
        if next(deaths, None) is not None:
            await run(session, "SELECT pg_terminate_backend(pg_backend_pid())")

    await probe.broker.tell(*(notes.taken(f"{number}") for number in range(10)))
    async with probe.consuming(consumes(notes.topic)(on_notes)):
        await eventually(lambda: _effects(probe, 10))
        await eventually(lambda: _committed(probe, notes, 10))
    assert await probe.effects() == [f"{number}" for number in range(10)]
    assert await probe.letters(notes) == []


async def test_a_clean_stop_finishes_the_batch_in_hand_and_says_so_to_the_broker(probe: Probe) -> None:
    """SIGTERM drains: what was applied is committed, so that the next process starts behind it."""
    notes = fact_notes()
    await probe.make_topics(notes)
    writes_down, begun = probe.writes_down(notes), asyncio.Event()

    async def slowly(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
        begun.set()
        await asyncio.sleep(0.5)
        await writes_down.handle(session, envelopes)

    await probe.broker.tell(*(notes.taken(f"{number}") for number in range(10)))
    async with probe.consuming(consumes(notes.topic)(slowly)):
        await begun.wait()
    assert len(await probe.effects()) == 10
    await _committed(probe, notes, 10)
    assert await probe.broker.members(group_of(notes)) == 0


async def test_a_start_that_fails_half_way_leaves_no_member_behind(probe: Probe) -> None:
    """A consumer whose neighbour cannot start would keep heartbeating and hold its partitions for ever."""
    notes, others = fact_notes(), fact_notes()
    await probe.make_topics(notes, others)
    consumers = Consumers(probe.settings, probe.database, [probe.writes_down(notes), probe.writes_down(others)])
    _, second = consumers._broker.subscribers
    second.start = _cannot_start
    with pytest.raises(ConnectionError):
        await consumers.start()
    assert await probe.broker.members(group_of(notes)) == 0


async def _effects(probe: Probe, count: int) -> bool:
    found = await probe.effects()
    assert len(found) == count, f"{len(found)} effects of {count}"
    return True


async def _read(probe: Probe, notes: Notes, offset: int) -> bool:
    """Whether the group is as far as this, whatever it applied on the way."""
    rows = await probe.sql("SELECT next_offset FROM consumer_progress WHERE topic = $1", notes.topic.name)
    assert [row.next_offset for row in rows] == [offset]
    return True


async def _committed(probe: Probe, notes: Notes, count: int) -> bool:
    found = await probe.broker.committed(notes.topic, group_of(notes))
    assert found == count, f"{found} committed"
    return True


async def _tried(probe: Probe, times: int) -> bool:
    return len(probe.batches) >= times


async def _cannot_start() -> None:
    raise ConnectionError("no broker here")
