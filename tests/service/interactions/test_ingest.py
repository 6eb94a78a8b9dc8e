"""Facts that connectors write to the topic: for any customer, known or not, from named sources only."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from services.interactions.commands.customers import erase_customers
from services.interactions.commands.unknown_customers import set_aside_unknown
from services.interactions.domain.facts import ledger_fact
from shared import telemetry
from shared.contracts.customers import CustomerErased, ErasedState
from shared.contracts.events import Cause
from shared.contracts.interactions import (
    INGEST,
    InteractionFactReported,
    InteractionRecorded,
    InteractionSummaryChanged,
)
from shared.contracts.work import ErasureCompleted
from shared.envelope import Envelope, Origin, Undecodable, decode, encode_headers, new_id
from tests.service.interactions.world import CONNECTOR, World, at
from tests.support.records import customer

SOURCE = f"raw:{CONNECTOR}"


def reported(customer_id: UUID, fact: str = "sent", minutes: float = 0, **values: Any) -> InteractionFactReported:
    """An SMS as a connector reports it; `values` replace what is said of it."""
    given: dict[str, Any] = {"kind": "sms", "source_id": "1", "occurred_at": at(minutes)}
    return InteractionFactReported(customer_id=customer_id, fact=fact, **(given | values))  # pyright: ignore[reportArgumentType]  # any word may be tried


async def test_a_batch_of_facts_counts_and_is_told_once_a_customer(world: World):
    """I12, I10: one summary event with absolute values for a batch; a repeated record changes nothing."""
    facts = [reported(world.customer_id, source_id=str(n), minutes=n) for n in range(10)]
    ids = [str(n) for n in range(10)]
    await world.harness.forget_told()
    await world.harness.deliver(*facts, source=SOURCE, ids=ids)
    await world.harness.deliver(*facts, source=SOURCE, ids=ids)
    await world.harness.deliver(*facts, source=SOURCE)
    [told] = await world.harness.told(InteractionSummaryChanged)
    assert (told.version, told.state.interaction_count, told.before["interaction_count"]) == (2, 11, 1)
    assert len(await world.harness.told(InteractionRecorded)) == 10


async def test_http_and_topic_are_one_ledger(world: World):
    """I13: the same fact of the same source by both ways is one."""
    await world.harness.deliver(reported(world.customer_id), source=SOURCE)
    [outcome] = await world.report(world.fact("sms", "sent"))
    assert (outcome["status"], await world.count()) == ("unchanged", 2)


async def test_facts_of_an_unknown_customer_wait_for_it(world: World):
    """I12: nothing is told until `crm.customers` has shown the customer, then everything at once."""
    stranger_id = new_id()
    await world.harness.deliver(reported(stranger_id), source=SOURCE)
    await world.harness.deliver(reported(stranger_id, minutes=3, source_id="2"), source=SOURCE)
    assert [e for e in await world.harness.told(InteractionSummaryChanged) if e.state.customer_id == stranger_id] == []
    await world.harness.deliver(customer(stranger_id, manager_id=world.seller_id))
    [told] = [e for e in await world.harness.told(InteractionSummaryChanged) if e.state.customer_id == stranger_id]
    assert (told.version, told.state.interaction_count, told.state.last_contact.at) == (1, 3, at(3))


async def test_what_follows_from_a_record_names_it_as_its_cause(world: World):
    """The trail of a fact leads from the connector's record to the summary."""
    await world.harness.deliver(reported(world.customer_id), source=SOURCE, ids=["mail-7"])
    [*_, (headers, told)] = await world.harness.told_with_headers(InteractionSummaryChanged)
    assert (headers["ce_causationid"], headers["ce_actorkind"], headers["ce_actorid"]) == (
        "mail-7",
        "service",
        CONNECTOR,
    )
    assert told.cause == Cause(kind="system", id=CONNECTOR)


async def test_what_sql_tells_carries_the_headers_that_everything_carries(world: World):
    """Rows that a statement puts into the outbox look like those of `outbox.add`."""
    await world.report(world.fact("sms", "sent", 1), world.fact("sms", "failed", 2))
    for headers, event in await world.harness.told_with_headers():
        usual = encode_headers(event, headers["ce_id"], "interactions", at(0), Origin())
        assert usual.keys() <= headers.keys()
        for name in ("content-type", "ce_specversion", "ce_source", "ce_type", "ce_subject"):
            assert headers[name] == usual[name]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "call", "fact": "sent"}, "/fact: call knows no fact sent"),
        ({"occurred_at": at(60 * 24 * 365 * 100)}, "/occurred_at: more than 5 minutes in the future"),
        ({"occurred_at": at(0).replace(tzinfo=None)}, "/occurred_at: a time names its zone"),
        ({"data": {"number": 10**29}}, "beyond 64 bits"),
        ({"link": "a\x00b"}, "NUL"),
    ],
)
async def test_a_fact_that_cannot_be_is_refused_with_words(world: World, values: dict[str, Any], words: str):
    """I13: the words stand in the dead letter; nothing else of the batch is touched by it."""
    with pytest.raises(Undecodable, match=words):
        await world.harness.deliver(reported(world.customer_id, **values), source=SOURCE)
    assert await world.count() == 1


async def test_sources_that_are_not_named_may_not_report(world: World):
    """I13: only the connectors that the setting names."""
    with pytest.raises(Undecodable, match="source /rapport/test may not report"):
        await world.harness.deliver(reported(world.customer_id))


def dropped() -> float:
    """Facts of erased customers so far."""
    return telemetry.FACTS_DROPPED.labels("interactions")._value.get()


async def test_late_facts_of_an_erased_customer_are_dropped(world: World):
    """C8, I12: nothing personal comes back, not even with facts that arrive in a batch with others'."""
    await world.harness.deliver(reported(world.customer_id), source=SOURCE)
    erased = CustomerErased(version=3, state=ErasedState(id=world.customer_id), cause=Cause(kind="user"))
    await world.harness.deliver(erased)
    other_id, before = new_id(), dropped()
    await world.harness.deliver(customer(other_id))
    await world.harness.forget_told()
    await world.harness.deliver(
        reported(world.customer_id, minutes=1), reported(other_id), reported(world.customer_id, "failed"), source=SOURCE
    )
    assert dropped() == before + 2
    told = await world.harness.told()
    assert {event.key for event in told} == {str(other_id)}
    for table in ("fact", "ledger"):
        rows = await world.harness.sql(f"SELECT customer_id FROM {table} WHERE customer_id = $1", world.customer_id)
        assert rows == []


async def test_erasing_forgets_what_was_told_and_says_so_each_time(world: World):
    """C8: outbox rows go too, the summary's key is told to be forgotten, a repeated erasure is answered again."""
    await world.harness.deliver(reported(world.customer_id, source_id="personal"), source=SOURCE)
    erased = CustomerErased(version=3, state=ErasedState(id=world.customer_id), cause=Cause(kind="user"))
    for _ in range(2):
        await world.harness.deliver(erased)
    assert await world.harness.told(InteractionRecorded) == []
    assert [e.erased_version for e in await world.harness.told(ErasureCompleted)] == [3]
    rows = await world.harness.sql("SELECT payload FROM outbox WHERE topic = 'crm.interaction-summaries'")
    assert rows == [(None,)]


async def test_a_fact_that_meets_an_erasure_half_way_is_dropped(world: World):
    """C8: a batch that began before the erasure was committed finds it under the summary's lock."""
    fact = ledger_fact(reported(world.customer_id), CONNECTOR)
    async with world.harness.database.transaction() as session:
        await erase_customers(session, {world.customer_id: 3})
        rival = asyncio.create_task(world.harness.deliver(reported(world.customer_id), source=SOURCE))
        await asyncio.sleep(0.3)
        assert not rival.done()
    await rival
    rows = await world.harness.sql("SELECT count(*) FROM fact WHERE id = $1", fact.fact_id)
    assert rows[0][0] == 0


async def letters(world: World) -> list[Envelope[InteractionFactReported]]:
    """The dead letters that wait for the relay, as `replay` would read them."""
    rows = await world.harness.sql(
        "SELECT aggregateid, payload, headers::text FROM outbox WHERE topic = $1 ORDER BY id",
        INGEST.dead_letters("interactions"),
    )
    found: list[Any] = []
    for key, payload, headers in rows:
        pairs = [(name, str(value).encode()) for name, value in json.loads(headers).items()]
        assert {"dlq_error", "dlq_topic", "dlq_time"} <= {name for name, _ in pairs}
        found.append(decode(INGEST, key.encode(), payload, pairs))
    return found


async def age_facts(world: World, time: str) -> None:
    """Let every fact have been recorded longer ago."""
    await world.harness.sql("UPDATE fact SET recorded_at = recorded_at - $1::text::interval", time)


async def test_facts_of_a_customer_unknown_for_thirty_days_become_dead_letters(world: World):
    """I12: as their connector wrote them, none lost; a known customer's stay, and so do those of 29 days."""
    forsaken_id, young_id = new_id(), new_id()
    facts = [
        reported(forsaken_id),
        reported(forsaken_id, "clicked", 2, kind="email_click", source_id="m", link="a", data={"ip": ["::1"]}),
        reported(forsaken_id, "received", 3, kind="chat", source_id="c"),
    ]
    await world.harness.deliver(*facts, reported(world.customer_id), source=SOURCE)
    await age_facts(world, "29 days 23 hours")
    assert await set_aside_unknown(world.harness.database) == 0
    await age_facts(world, "2 hours")
    await world.harness.deliver(reported(young_id), source=SOURCE)
    assert await set_aside_unknown(world.harness.database) == 3
    found = await letters(world)
    assert {letter.source for letter in found} == {CONNECTOR}
    told = {ledger_fact(letter.event, CONNECTOR) for letter in found if letter.event is not None}
    assert told == {ledger_fact(fact, CONNECTOR) for fact in facts}
    for table in ("fact", "ledger", "summary"):
        left = await world.harness.sql(f"SELECT DISTINCT customer_id FROM {table}")
        assert {row[0] for row in left} == {world.customer_id, young_id}, table
    assert await set_aside_unknown(world.harness.database) == 0


async def test_what_was_set_aside_is_taken_when_it_is_replayed(world: World):
    """I12: once the customer is there after all, its facts count as if they had waited."""
    late_id = new_id()
    await world.harness.deliver(reported(late_id, minutes=4), source=SOURCE)
    await age_facts(world, "31 days")
    assert await set_aside_unknown(world.harness.database) == 1
    await world.harness.deliver(customer(late_id, manager_id=world.seller_id))
    assert (await world.summary(late_id))["interaction_count"] == 1
    await world.harness.deliver_envelopes(await letters(world))
    shown = await world.summary(late_id)
    assert (shown["interaction_count"], shown["last_contact"]["at"]) == (2, at(4).isoformat().replace("+00:00", "Z"))
