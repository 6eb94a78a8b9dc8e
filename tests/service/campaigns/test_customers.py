"""Opportunities follow their customers: they rest, come back, end; copies survive any order (K7, C8)."""

import asyncio

from services.campaigns.consumers import on_customers
from shared.contracts.campaigns import OpportunityEvent, OpportunityRemoved, OpportunityStatusChanged
from shared.contracts.customers import CustomerDeleted, CustomerErased, CustomerRestored, ErasedState
from shared.contracts.events import Cause
from shared.contracts.work import ErasureCompleted
from tests.service.campaigns.conftest import API, Office
from tests.support.records import customer_state

CAUSE = Cause(kind="user", id="x")
WAITING = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
LOOK_SECONDS = 0.01


async def test_open_opportunities_rest_with_their_customer_and_come_back(office: Office) -> None:
    """K7: deletion suspends open ones only, restoring brings them back; each is told once, repetition not."""
    first, second = await office.campaign(), await office.campaign()
    [one] = await office.customers(1)
    [opened] = await office.add(first["id"], [one])
    [won] = await office.add(second["id"], [one])
    await office.manager.patch(f"{API}/opportunities/{won}", json={"status_id": second["statuses"][1]["id"]})
    await office.give(opened, office.lan)
    gone = customer_state(one, manager_id=office.hoa, state="deleted")
    back = customer_state(one, manager_id=office.hoa)

    for _ in range(2):
        await office.harness.deliver(CustomerDeleted(version=2, state=gone, cause=CAUSE))
    resting = await office.opportunity(opened)
    assert (resting["state"], resting["customer"], resting["owner_id"]) == ("suspended", None, str(office.lan))
    assert (await office.opportunity(won))["state"] == "open"
    assert (await office.give(opened, office.minh)).json()["code"] == "wrong_state"
    assert (await office.post_customers(first["id"], [one])).json()["items"][0]["error"]["code"] == "not_found"

    for _ in range(2):
        await office.harness.deliver(CustomerRestored(version=3, state=back, cause=CAUSE))
    assert (await office.opportunity(opened))["state"] == "open"
    events = [e for e in await office.told(OpportunityStatusChanged) if str(e.state.id) == opened]
    assert [(e.version, e.state.state, e.changed) for e in events] == [
        (3, "suspended", ("state",)),
        (4, "open", ("state",)),
    ]


async def test_a_deleted_customers_closed_opportunity_is_not_reopened_until_the_customer_is_back(
    office: Office,
) -> None:
    """K7: else a deleted customer would have a live one, to be handed out; also when the deletion is on its way."""
    campaign = await office.campaign(allow_repeat=True)
    [one] = await office.customers(1)
    [opportunity] = await office.add(campaign["id"], [one])
    new, won, _ = [status["id"] for status in campaign["statuses"]]

    async def revise(status_id: str) -> tuple[int, str | None]:
        answer = await office.manager.patch(f"{API}/opportunities/{opportunity}", json={"status_id": status_id})
        return answer.status_code, answer.json().get("code")

    assert await revise(won) == (200, None)
    gone = CustomerDeleted(version=2, state=customer_state(one, state="deleted"), cause=CAUSE)
    async with office.harness.database.transaction() as session:
        await on_customers.handle(session, [office.harness.envelope(gone)])
        asked = asyncio.create_task(revise(new))
        while not await office.harness.sql(WAITING):
            answered, _ = await asyncio.wait([asked], timeout=LOOK_SECONDS)
            assert not answered, "reopened beside the deletion"
    assert await asked == (409, "wrong_state")
    assert await revise(new) == (409, "wrong_state")
    back = customer_state(one, manager_id=office.hoa)
    await office.harness.deliver(CustomerRestored(version=3, state=back, cause=CAUSE))
    assert await revise(new) == (200, None)


async def test_deleted_and_restored_in_one_batch_changes_nothing(office: Office) -> None:
    """K7: what follows from the state needs no more than the state at the end of the batch."""
    campaign = await office.campaign()
    [one] = await office.customers(1)
    await office.add(campaign["id"], [one])
    count = len(await office.told(OpportunityEvent))
    await office.harness.deliver(
        CustomerDeleted(version=2, state=customer_state(one, state="deleted"), cause=CAUSE),
        CustomerRestored(version=3, state=customer_state(one, manager_id=office.hoa), cause=CAUSE),
    )
    assert len(await office.told(OpportunityEvent)) == count


async def test_an_erased_customer_leaves_nothing_and_it_is_confirmed(office: Office) -> None:
    """C8, K7: rows and reasons go, others are told and the topic forgets the key; the erasure is confirmed."""
    campaign = await office.campaign()
    [one, other] = await office.customers(2)
    [gone, _] = await office.add(campaign["id"], [one, other])
    await office.give(gone, office.lan)
    await office.harness.forget_told()

    await office.harness.deliver(CustomerErased(version=5, state=ErasedState(id=one), cause=CAUSE))

    assert (await office.manager.get(f"{API}/opportunities/{gone}")).status_code == 404
    rows = await office.harness.sql("SELECT customer_id FROM opportunity")
    assert [row[0] for row in rows] == [other]
    removed, tombstone, confirmed = await office.harness.told()
    assert isinstance(removed, OpportunityRemoved)
    assert (str(removed.state.id), removed.version) == (gone, 3)
    assert tombstone is None
    assert isinstance(confirmed, ErasureCompleted)
    assert (confirmed.customer_id, confirmed.service, confirmed.erased_version) == (one, "campaigns", 5)
    assert (await office.post_customers(campaign["id"], [one])).json()["items"][0]["error"]["code"] == "not_found"


async def test_lost_sight_ends_with_the_copy(office: Office) -> None:
    """A2, R1: when the copy learns of a new manager, the old one no longer reads the customer's name here."""
    campaign = await office.campaign(relevant_ids=[str(office.lan)])
    [one] = await office.customers(1, manager_id=office.lan)
    [opportunity] = await office.add(campaign["id"], [one])
    path, lan = f"{API}/opportunities/{opportunity}", office.client(office.lan)
    assert (await lan.get(path)).json()["customer"] is not None
    moved = customer_state(one, manager_id=office.minh)
    await office.harness.deliver(CustomerRestored(version=2, state=moved, cause=CAUSE))
    assert (await lan.get(path)).json()["customer"] is None
