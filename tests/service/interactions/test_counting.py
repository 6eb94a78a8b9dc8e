"""What counts as an interaction, by kind of source object."""

from typing import Any

import pytest

from shared.contracts.customers import CustomerUpdated
from shared.contracts.events import Cause
from shared.contracts.interactions import InteractionSummaryChanged
from shared.envelope import new_id
from tests.service.interactions.world import World
from tests.support.records import customer, customer_state


async def test_a_created_customer_counts_one_however_often_it_is_seen(world: World):
    """I1: creation counts at first sight; a repetition and an overwrite add nothing."""
    await world.harness.deliver(customer(world.customer_id, manager_id=world.seller_id))
    await world.harness.deliver(customer(world.customer_id, manager_id=world.seller_id, version=2, name="Lan"))
    assert await world.count() == 1


@pytest.mark.parametrize("state", ["active", "deleted"])
async def test_creation_is_derived_from_state_not_from_a_type(world: World, state: str):
    """I1: compaction may leave only a later event, of a customer that was deleted since even."""
    customer_id = new_id()
    seen = customer_state(customer_id, manager_id=world.seller_id, state=state)
    await world.harness.deliver(CustomerUpdated(version=9, state=seen, cause=Cause(kind="user")))
    told = await world.harness.told(InteractionSummaryChanged)
    assert [(e.version, e.state.interaction_count) for e in told if e.state.customer_id == customer_id] == [(1, 1)]


async def test_recipients_of_one_email_count_each(world: World):
    """I2: the source id is the message and its recipient."""
    for recipient in ("m1 lan", "m1 minh"):
        await world.report(*(world.fact("email", fact, source_id=recipient) for fact in ("sent", "read")))
    assert await world.count() == 3


async def test_a_click_counts_per_link_and_proves_the_read(world: World):
    """I3: two in all for a click without an earlier read; one more for another link, none for another click."""
    await world.report(world.fact("email", "sent"), world.fact("email_click", "clicked", 1, link="a"))
    assert await world.explanation() == {"email 1": 1, "email_click 1 a": 1}
    await world.report(world.fact("email", "read", 2), world.fact("email_click", "clicked", 3, link="a"))
    await world.report(world.fact("email_click", "clicked", 4, link="b"))
    assert await world.explanation() == {"email 1": 1, "email_click 1 a": 1, "email_click 1 b": 1}
    assert await world.count() == 4


async def test_clicks_follow_what_becomes_of_their_email(world: World):
    """I3: they wait for the send, are taken back when it failed after all, and come back when it succeeds."""
    clicks = [world.fact("email_click", "clicked", 1, link=link) for link in "ab"]
    await world.report(*clicks)
    assert await world.explanation() == {"email_click 1 a": 0, "email_click 1 b": 0}
    counts = []
    for minute, fact in enumerate(["sent", "failed", "sent"], start=2):
        await world.report(world.fact("email", fact, minute))
        counts.append(await world.count())
    assert counts == [4, 1, 4]
    assert sum((await world.explanation()).values()) == 3


async def test_a_click_belongs_to_the_email_of_its_own_system(world: World):
    """I3: another connector's e-mail with the same id is another e-mail."""
    other = world.harness.client("other-mailer", ["interactions:ingest"], "service")
    await world.report(world.fact("email", "sent"), by=other)
    await world.report(world.fact("email_click", "clicked", 1, link="a"))
    assert await world.count() == 1


async def test_the_later_of_opposing_facts_holds_whichever_came_first(world: World):
    """I5, I6: sent at noon and failed a minute later is failed, though the failure was heard of first."""
    await world.report(world.fact("sms", "failed", 1), world.fact("zns", "failed", 1))
    await world.report(world.fact("sms", "sent", 0), world.fact("zns", "sent", 0))
    assert await world.count() == 1


async def test_what_became_of_each_fact_is_answered(world: World):
    """I13: the first fact of a row creates it, others update it, what was known is unchanged."""
    read: dict[str, Any] = world.fact("email", "read", 1)
    outcomes = await world.report(world.fact("email", "sent"), read, read, world.fact("sms", "sent"))
    assert [o["status"] for o in outcomes] == ["created", "updated", "unchanged", "created"]
    assert len({o["id"] for o in outcomes}) == 2
    assert [o["status"] for o in await world.report(read)] == ["unchanged"]
