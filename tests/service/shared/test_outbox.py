"""Events leave with the transaction that made them true, in its order, or not at all."""

import asyncio
from uuid import uuid4

import msgspec
import pytest

from shared import outbox
from shared.contracts.events import MAX_RECORD_BYTES, Event
from shared.database import Session, run
from shared.envelope import Origin
from shared.identity import Actor
from tests.service.shared.probe.contracts import fact_notes, state_notes
from tests.service.shared.probe.process import Probe


class Undone(Exception):
    """A test's own fault in the middle of a transaction."""


async def test_a_rollback_tells_nothing_and_a_commit_everything(probe: Probe) -> None:
    """The change and its event are there together or not at all; the relay is woken for a commit only."""
    notes, woken = fact_notes(), []
    probe.database.on_outbox = lambda: woken.append(True)
    with pytest.raises(Undone):
        await _fail_half_way(probe, notes.taken("undone"))
    assert (await probe.effects(), await probe.outbox_count(), woken) == ([], 0, [])
    async with probe.database.transaction() as session:
        await _change(session, "done")
        outbox.add(session, notes.taken("done"))
    assert (await probe.effects(), await probe.outbox_count(), woken) == (["done"], 1, [True])


async def test_a_transaction_without_events_wakes_nobody_unless_a_statement_wrote_them(probe: Probe) -> None:
    """A hand-written statement that filled the outbox says so."""
    woken: list[bool] = []
    probe.database.on_outbox = lambda: woken.append(True)
    await probe.sql("SELECT 1")
    assert woken == []
    async with probe.database.transaction() as session:
        outbox.written_by_statement(session)
    assert woken == [True]


async def test_events_of_a_transaction_keep_the_order_they_were_added_in(probe: Probe) -> None:
    """Hundreds in one statement: ids rise in the order of `add`, a tombstone behind the event before it."""
    states = state_notes()
    key = uuid4()
    async with probe.database.transaction() as session:
        outbox.add(session, [states.changed(key, version) for version in range(1, 301)])
        outbox.add_tombstone(session, states.topic, str(key))
    rows = await probe.sql("SELECT convert_from(payload, 'UTF8')::jsonb->'version' FROM outbox ORDER BY id")
    assert [row[0] for row in rows] == [*range(1, 301), None]


async def test_the_order_of_ids_is_the_order_of_commits_for_one_key(probe: Probe) -> None:
    """Writers that lock the row before they change it never tell a higher version first."""
    states = state_notes()
    key = uuid4()
    await probe.sql("INSERT INTO copy VALUES ($1, '', 0)", key)

    async def raise_version() -> None:
        async with probe.database.transaction() as session:
            locked = await run(session, "SELECT version FROM copy WHERE id = $1 FOR UPDATE", key)
            version = locked.scalar_one() + 1
            await run(session, "UPDATE copy SET version = $2 WHERE id = $1", key, version)
            outbox.add(session, states.changed(key, version))
            await asyncio.sleep(0.002)

    await asyncio.gather(*(raise_version() for _ in range(40)))
    rows = await probe.sql("SELECT convert_from(payload, 'UTF8')::jsonb->'version' FROM outbox ORDER BY id")
    assert [row[0] for row in rows] == list(range(1, 41))


async def test_an_event_no_topic_takes_is_refused_before_anything_is_written(probe: Probe) -> None:
    """Over 900,000 bytes: the transaction fails where the event is added, not later in the relay."""
    notes = fact_notes()
    with pytest.raises(outbox.RecordTooLarge):
        await _fail_half_way(probe, notes.taken("đ" * (MAX_RECORD_BYTES // 2)))
    assert (await probe.effects(), await probe.outbox_count()) == ([], 0)
    await probe.tell(notes.taken("x" * (MAX_RECORD_BYTES - 100)))
    assert await probe.outbox_count() == 1


async def test_an_event_says_on_whose_behalf_after_which_event_and_in_which_trace(probe: Probe) -> None:
    """Actor, correlation, causation, trace, replay and automation depth travel as headers."""
    notes = fact_notes()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    origin = Origin(Actor("user", "lan"), "correlation", "cause", 2, trace, replayed=True)
    [event_id] = await probe.tell(notes.taken("x"), origin=origin)
    [row] = await probe.sql("SELECT event_id::text, topic, aggregateid, headers::text FROM outbox")
    headers = msgspec.json.decode(row.headers)
    assert (row.event_id, row.topic) == (event_id, notes.topic.name)
    assert headers.pop("ce_time").endswith("Z")
    assert headers == {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_source": "/rapport/probe",
        "ce_type": notes.event.ce_type,
        "ce_subject": row.aggregateid,
        "ce_correlationid": "correlation",
        "ce_causationid": "cause",
        "ce_actorkind": "user",
        "ce_actorid": "lan",
        "ce_replayed": "true",
        "ce_automationdepth": "2",
        "traceparent": trace,
    }


async def _change(session: Session, text: str) -> None:
    await run(session, "INSERT INTO effect (key, text) VALUES ($1, $2)", uuid4(), text)


async def _fail_half_way(probe: Probe, event: Event) -> None:
    async with probe.database.transaction() as session:
        await _change(session, "undone")
        outbox.add(session, event)
        await outbox.write(session)
        raise Undone
