"""The database's ledger is what the rules in plain Python say, however the facts arrive."""

import asyncio
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.interactions.commands.recording import record_facts
from services.interactions.domain.facts import (
    CARE,
    COMMENT,
    PURCHASE_ORDER,
    TASK,
    LedgerFact,
    created_fact,
    ledger_fact,
    own_fact,
)
from services.interactions.domain.ledger import Ledger, RowContact
from shared.contracts.interactions import LEGAL_FACTS, InteractionSummaryChanged
from shared.database import run
from shared.envelope import Origin, new_id
from tests.service.interactions.world import World, at
from tests.support.harness import Harness

NOBODY = UUID(int=0)


@dataclass(frozen=True)
class Told:
    """A fact before it belongs to a customer."""

    kind: str
    fact: str
    direction: str
    link: str | None
    source_id: str
    system: str
    occurred_at: datetime
    data: None = None
    customer_id: UUID = NOBODY


OWN_FACTS: dict[str, list[str]] = {
    TASK: ["created", "cancelled", "uncancelled", "completed", "reopened", "deleted", "restored"],
    CARE: ["created", "deleted"],
    COMMENT: ["posted"],
    **{kind: ["created"] for kind in ("order", "quotation", "contract", "receipt", PURCHASE_ORDER)},
}
"""What is told of things of our own, which nobody reports."""

Way = tuple[str, str, str, str | None]
"""Kind, fact, direction and link: one way in which a source object can be spoken of."""


def ways(kind: str) -> list[Way]:
    """All that can be said of a source object; of an e-mail also the clicks in it."""
    if kind in OWN_FACTS:
        return [(kind, fact, "outbound", None) for fact in OWN_FACTS[kind]]
    if kind == "call":
        return [(kind, fact, direction, None) for fact in LEGAL_FACTS[kind] for direction in ("inbound", "outbound")]
    clicks: list[Way] = [("email_click", "clicked", "outbound", link) for link in "xy"] if kind == "email" else []
    return [(kind, fact, "outbound", None) for fact in sorted(LEGAL_FACTS[kind])] + clicks


@st.composite
def source_object(draw: st.DrawFn) -> list[Told]:
    """What is told of one source object: everything it could be, never, once or twice, at few times."""
    kind = draw(st.sampled_from(["email", "sms", "zns", "chat", "call", *OWN_FACTS]))
    source_id, system = draw(st.sampled_from("ab")), draw(st.sampled_from(["mailer", "exchange"]))
    told: list[Told] = []
    for way in ways(kind):
        for minutes in draw(st.lists(st.integers(0, 4), max_size=2)):
            told.append(Told(*way, source_id=source_id, system=system, occurred_at=at(minutes)))
    return told


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(objects=st.lists(source_object(), min_size=1, max_size=3), seed=st.integers(0, 2**32), together=st.booleans())
async def test_order_repetition_lateness_and_rivals_change_nothing(
    world: World, objects: list[list[Told]], seed: int, together: bool
):
    """I1–I9, I12, I14, L1, L2, L4–L7: shuffled, repeated, split and at once, the facts give the same."""
    customer_id = new_id()
    facts = [in_ledger(replace(fact, customer_id=customer_id)) for told in objects for fact in told]
    facts.append(created_fact(customer_id, at(-100)))
    batches = scattered(facts, random.Random(seed))
    if together:
        await asyncio.gather(*(record(world.harness, batch) for batch in batches))
    else:
        for batch in batches:
            await record(world.harness, batch)
    ledger = Ledger.of(facts)
    assert await stored_summary(world.harness, customer_id) == (ledger.count, ledger.contact, ledger.two_way)
    assert await stored_rows(world.harness, customer_id) == {
        row_id: (row.contribution, row.rule) for row_id, row in ledger.rows.items()
    }
    await require_told(world.harness, customer_id, ledger)


def in_ledger(told: Told) -> LedgerFact:
    """The fact as its way brings it into the ledger."""
    if told.kind in OWN_FACTS:
        return own_fact(told.customer_id, told.kind, told.source_id, told.fact, told.occurred_at)
    return ledger_fact(told, told.system)


def scattered(facts: list[LedgerFact], rng: random.Random) -> list[list[LedgerFact]]:
    """The facts in any order, some again, cut into batches."""
    sent = [*facts, *rng.choices(facts, k=rng.randrange(4))]
    rng.shuffle(sent)
    cuts = sorted(rng.randrange(len(sent) + 1) for _ in range(rng.randrange(4)))
    return [sent[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]


async def record(harness: Harness, facts: list[LedgerFact]) -> None:
    """One batch in a transaction of its own."""
    async with harness.database.transaction() as session:
        await record_facts(session, facts, [Origin()] * len(facts))


async def stored_summary(harness: Harness, customer_id: UUID) -> tuple[int, RowContact | None, RowContact | None]:
    """What the summary says, in the rules' terms."""
    [row] = await harness.sql(
        "SELECT interaction_count, contact_json(contact), contact_json(two_way) FROM summary WHERE customer_id = $1",
        customer_id,
    )
    return row[0], contact(row[1]), contact(row[2])


async def stored_rows(harness: Harness, customer_id: UUID) -> dict[UUID, tuple[int, str]]:
    """What each row contributes, and by which rule."""
    rows = await harness.sql(
        "SELECT entry.id, CASE WHEN entry.mail_id IS NULL THEN contribution(1, entry)"
        " ELSE link_contribution(1, mail) END, rule(1, entry) FROM ledger AS entry"
        " LEFT JOIN ledger AS mail ON mail.customer_id = entry.customer_id AND mail.id = entry.mail_id"
        " WHERE entry.customer_id = $1",
        customer_id,
    )
    return {row[0]: (row[1], row[2]) for row in rows}


async def require_told(harness: Harness, customer_id: UUID, ledger: Ledger) -> None:
    """Versions go up by one from 1, and the last event says what the ledger says."""
    events = [e for e in await harness.told(InteractionSummaryChanged) if e.state.customer_id == customer_id]
    assert [event.version for event in events] == list(range(1, len(events) + 1))
    last = events[-1].state
    told = tuple(None if c is None else c.at for c in (last.last_contact, last.last_two_way_contact))
    clocks = tuple(None if c is None else c.at for c in (ledger.contact, ledger.two_way))
    assert (last.interaction_count, told) == (ledger.count, clocks)
    async with harness.database.transaction() as session:
        await run(session, "DELETE FROM outbox")


def contact(value: dict[str, Any] | None) -> RowContact | None:
    """A contact from the database's JSON."""
    if value is None:
        return None
    moment = datetime.fromisoformat(value["at"]).astimezone(UTC)
    return RowContact(moment, value["kind"], value["source_system"], value["source_id"])
