"""The last contact is what L3 says, however words by hand and contacts come after each other."""

import random
from datetime import datetime
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.interactions.commands import last_contact
from services.interactions.commands.last_contact import set_last_contact
from services.interactions.commands.recording import record_facts
from services.interactions.domain.facts import LedgerFact
from services.interactions.domain.ledger import Ledger, ManualContact, last_contact_at
from shared.database import Session
from shared.envelope import Origin, new_id
from shared.identity import Actor
from tests.service.interactions.test_ledger_equals_its_rules import Told, in_ledger
from tests.service.interactions.world import CONNECTOR, World, at
from tests.support.records import customer

LAST_MINUTE = 12


@st.composite
def words(draw: st.DrawFn) -> list[ManualContact]:
    """Words by hand, each said later than the one before, of a moment before it was said."""
    said = sorted(draw(st.sets(st.integers(0, LAST_MINUTE), max_size=4)))
    return [ManualContact(at(draw(st.integers(-3, minute))), at(minute)) for minute in said]


@st.composite
def contacts(draw: st.DrawFn) -> list[Told]:
    """Messages and calls, some of which turn out to have failed, some of which the customer took part in."""
    told: list[Told] = []
    for number in range(draw(st.integers(0, 4))):
        kind, fact, undone = draw(
            st.sampled_from([("sms", "sent", "failed"), ("call", "answered", "unanswered"), ("chat", "received", None)])
        )
        minute = draw(st.integers(-3, LAST_MINUTE))
        told.append(Told(kind, fact, "outbound", None, str(number), CONNECTOR, at(minute)))
        if undone and draw(st.booleans()):
            told.append(Told(kind, undone, "inbound", None, str(number), CONNECTOR, at(minute + 1)))
    return told


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=words(), told=contacts(), seed=st.integers(0, 2**32))
async def test_words_and_contacts_in_any_order_give_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, said: list[ManualContact], told: list[Told], seed: int
):
    """L2–L4, L6: the latest word, or a contact that occurred after it was said; the two-way clock hears no words."""
    customer_id = new_id()
    await world.harness.deliver(customer(customer_id, manager_id=world.seller_id))
    facts = [in_ledger(Told(**{**vars(one), "customer_id": customer_id})) for one in told]
    for step in mixed(said, facts, random.Random(seed)):
        async with world.harness.database.transaction() as session:
            if isinstance(step, ManualContact):
                await say(session, monkeypatch, world.seller_id, customer_id, step)
            else:
                await record_facts(session, [step], [Origin()])
    ledger = Ledger.of(facts)
    shown = await world.summary(customer_id)
    assert moment(shown["last_contact"]) == last_contact_at(ledger.contact, said[-1] if said else None)
    assert moment(shown["last_two_way_contact"]) == (ledger.two_way.at if ledger.two_way else None)


def mixed(said: list[ManualContact], facts: list[LedgerFact], rng: random.Random) -> list[ManualContact | LedgerFact]:
    """Words in the order they were said, facts in any, before, between and after them."""
    steps: list[ManualContact | LedgerFact] = [*said]
    for fact in facts:
        steps.insert(rng.randrange(len(steps) + 1), fact)
    return steps


async def say(
    session: Session, monkeypatch: pytest.MonkeyPatch, employee_id: UUID, customer_id: UUID, word: ManualContact
) -> None:
    """Somebody says a word at its moment."""

    async def now(_: Session) -> datetime:
        return word.recorded_at

    monkeypatch.setattr(last_contact, "clock", now)
    actor = Actor("user", str(employee_id), employee_id=employee_id, reach=(employee_id,))
    await set_last_contact(session, actor, customer_id, word.at)


def moment(contact: dict[str, str] | None) -> datetime | None:
    """When a contact was."""
    return None if contact is None else datetime.fromisoformat(contact["at"])
