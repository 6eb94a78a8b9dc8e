"""Customers follow the owners of their opportunities, whatever order events arrive in."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.customers.domain.customer import Customer
from shared.contracts.campaigns import (
    OpportunityOwnerAssigned,
    OpportunityRemoved,
    OpportunityState,
    OpportunityStatusChanged,
)
from shared.contracts.customers import CustomerManagerChanged, CustomerViewersChanged, Origin
from shared.contracts.events import Cause
from tests.service.customers.conftest import Team

START = datetime(2026, 1, 1, tzinfo=UTC)
LONG_AFTER = datetime.now(UTC) + timedelta(days=1)


def assigned(customer_id: Any, owner: UUID | None, seconds: int = 0, **changes: Any) -> OpportunityOwnerAssigned:
    """An opportunity that got an owner `seconds` after a moment that lies behind the customer's creation."""
    state = {
        "id": uuid4(),
        "campaign_id": uuid4(),
        "customer_id": UUID(str(customer_id)),
        "status_id": uuid4(),
        "owner_id": owner,
        "owner_assigned_at": LONG_AFTER + timedelta(seconds=seconds),
        "manager_policy": "replace",
        "keep_previous_as_viewer": False,
        "value": None,
        "probability": None,
        "state": "open",
        "created_at": START,
    } | changes
    version = state.pop("version", 2)
    return OpportunityOwnerAssigned(version=version, state=OpportunityState(**state), cause=Cause(kind="campaign"))


async def manager_of(team: Team, customer_id: Any) -> tuple[UUID | None, list[UUID]]:
    """Manager and viewers as stored."""
    [row] = await team.harness.sql("SELECT manager_id, viewer_ids FROM customer WHERE id = $1", UUID(str(customer_id)))
    return row[0], row[1]


async def outcomes(team: Team, customer_id: Any) -> list[str]:
    """What the audit trail says of decisions about opportunities, oldest first."""
    rows = await team.harness.sql(
        "SELECT outcome FROM audit WHERE customer_id = $1 AND cause_kind = 'campaign' ORDER BY id",
        UUID(str(customer_id)),
    )
    return [row[0] for row in rows]


async def test_an_owner_becomes_manager_and_the_trail_names_the_event(team: Team) -> None:
    """K3, A4, A5: the manager changes, the previous one loses sight, the cause is the event's id."""
    customer = await team.create(team.binh)
    event = assigned(customer["id"], team.ids["dung"])
    envelope = team.harness.envelope(event, source="campaigns")
    await team.harness.deliver_envelopes([envelope])
    assert await manager_of(team, customer["id"]) == (team.ids["dung"], [])
    assert (await team.binh.get(f"/api/v1/customers/{customer['id']}")).status_code == 404
    [(headers, told)] = await team.harness.told_with_headers(CustomerManagerChanged)
    assert headers["ce_causationid"] == envelope.id
    assert told.cause == Cause(kind="campaign", id=envelope.id)
    trail = (await team.dung.get(f"/api/v1/customers/{customer['id']}/audit")).json()["items"]
    assert trail[0]["cause"] == {"kind": "campaign", "id": envelope.id}
    assert trail[0]["changes"]["manager_id"] == {"old": str(team.ids["binh"]), "new": str(team.ids["dung"])}


async def test_the_later_assignment_wins_whatever_arrives_first(team: Team) -> None:
    """K3: two campaigns disagree; the one assigned later names the manager, also when its event comes first."""
    customer = await team.create(team.binh)
    earlier, later = assigned(customer["id"], team.ids["chi"], 1), assigned(customer["id"], team.ids["dung"], 2)
    await team.harness.deliver(later)
    await team.harness.deliver(earlier)
    manager, viewers = await manager_of(team, customer["id"])
    assert (manager, viewers) == (team.ids["dung"], [team.ids["chi"]])
    assert await outcomes(team, customer["id"]) == ["applied", "superseded"]


async def test_a_repeated_or_republished_assignment_changes_nothing(team: Team) -> None:
    """K3: decisions come from stored state, so a second telling leaves neither event nor audit entry."""
    customer = await team.create(team.binh)
    event = assigned(customer["id"], team.ids["dung"])
    await team.harness.deliver(event, assigned(customer["id"], team.ids["chi"], -10))
    before = await team.harness.sql("SELECT count(*) FROM outbox UNION ALL SELECT count(*) FROM audit")
    await team.harness.deliver(event)
    await team.harness.deliver(event, event)
    assert await team.harness.sql("SELECT count(*) FROM outbox UNION ALL SELECT count(*) FROM audit") == before


async def test_a_superseded_assignment_told_twice_is_audited_once(team: Team) -> None:
    """K3: one audit entry for one assignment, however often it is told."""
    customer = await team.create(team.binh)
    late, early = assigned(customer["id"], team.ids["dung"], 5), assigned(customer["id"], team.ids["chi"], 1)
    await team.harness.deliver(late, early)
    await team.harness.deliver(early)
    assert (await outcomes(team, customer["id"])).count("superseded") == 1


async def test_only_if_unassigned_leaves_a_manager_and_makes_the_owner_a_viewer(team: Team) -> None:
    """K3: under only_if_unassigned a customer with a manager keeps them; the owner looks."""
    customer = await team.create(team.binh)
    event = assigned(customer["id"], team.ids["dung"], manager_policy="only_if_unassigned")
    await team.harness.deliver(event)
    assert await manager_of(team, customer["id"]) == (team.ids["binh"], [team.ids["dung"]])
    assert "has_manager" in await outcomes(team, customer["id"])
    removed = OpportunityRemoved(
        version=3, state=event.state.model_copy(update={"state": "removed"}), cause=Cause(kind="user")
    )
    await team.harness.deliver(removed)
    assert await manager_of(team, customer["id"]) == (team.ids["binh"], [])


async def test_an_inactive_owner_gets_nothing(team: Team) -> None:
    """A6, K3: inactive employees receive nothing; the trail says why."""
    customer = await team.create(team.binh)
    await team.admin.post(f"/api/v1/employees/{team.ids['dung']}/deactivate")
    await team.harness.deliver(assigned(customer["id"], team.ids["dung"]))
    assert await manager_of(team, customer["id"]) == (team.ids["binh"], [])
    assert await outcomes(team, customer["id"]) == ["inactive_employee"]


async def test_an_assignment_to_an_unknown_customer_is_audited_as_erased(team: Team) -> None:
    """K3, C8: there is nobody to assign; nothing fails and the decision is on record."""
    gone = uuid4()
    await team.harness.deliver(assigned(gone, team.ids["dung"]))
    assert await outcomes(team, gone) == ["erased"]


async def test_a_manager_set_by_hand_after_the_assignment_stays(team: Team) -> None:
    """K3: what a person set later than the assignment wins over it."""
    customer = await team.create(team.binh)
    await team.harness.deliver(assigned(customer["id"], team.ids["dung"], -3 * 86_400))
    assert (await manager_of(team, customer["id"]))[0] == team.ids["binh"]
    assert "superseded" in await outcomes(team, customer["id"])


async def test_keep_previous_as_viewer_keeps_the_sight(team: Team) -> None:
    """A4, K1: the campaign says whether the previous manager goes on looking."""
    customer = await team.create(team.binh)
    await team.harness.deliver(assigned(customer["id"], team.ids["dung"], keep_previous_as_viewer=True))
    assert await manager_of(team, customer["id"]) == (team.ids["dung"], [team.ids["binh"]])


async def test_a_status_change_alone_carries_the_owner_too(team: Team) -> None:
    """K3: compaction may leave only the last record of a key, so every type's state counts."""
    customer = await team.create(team.binh)
    state = assigned(customer["id"], team.ids["dung"]).state
    await team.harness.deliver(OpportunityStatusChanged(version=9, state=state, cause=Cause(kind="user")))
    assert (await manager_of(team, customer["id"]))[0] == team.ids["dung"]


async def test_a_batch_of_many_customers_is_told_in_one_transaction_each_with_its_own_version(team: Team) -> None:
    """K3: five hundred assignments in one batch; every customer's version rises by exactly one."""
    customers = [await team.create(team.binh, name=f"Khách {number}") for number in range(20)]
    await team.harness.deliver(*(assigned(c["id"], team.ids["dung"], n) for n, c in enumerate(customers)))
    events = await team.harness.told(CustomerManagerChanged)
    assert {(event.key, event.version) for event in events} == {(c["id"], 2) for c in customers}
    assert not await team.harness.told(CustomerViewersChanged)


OWNERS = [uuid4() for _ in range(3)]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    assignments=st.lists(st.tuples(st.sampled_from(OWNERS), st.integers(0, 4)), min_size=1, max_size=5),
    order=st.randoms(use_true_random=False),
    repeats=st.integers(0, 3),
)
def test_any_order_and_repetition_ends_with_the_same_manager(
    assignments: list[tuple[UUID, int]], order: Any, repeats: int
) -> None:
    """K3: the manager is the owner of the latest assignment (ties: greater opportunity id), in every order."""
    customer_id = uuid4()
    events = [assigned(customer_id, owner, seconds) for owner, seconds in assignments]
    latest = max(events, key=lambda e: (e.state.owner_assigned_at, str(e.state.id)))
    shuffled = events + [order.choice(events) for _ in range(repeats)]
    order.shuffle(shuffled)
    customer = Customer.create(customer_id, "KH1", {"name": "x"}, Origin(kind="user"), "employee/x", START)
    customer.hand_over_at_creation(uuid4(), None, (), START, Cause(kind="user"))
    customer.tell_created(Cause(kind="user"))
    for event in shuffled:
        customer.follow_opportunity_owner(event.state, True, START, Cause(kind="campaign", id=str(uuid4())))
    assert customer.manager_id == latest.state.owner_id
    lookers = {viewer.employee_id for viewer in customer.viewers} - {latest.state.owner_id}
    assert lookers <= {owner for owner, _ in assignments}


@pytest.mark.parametrize("owner", [None])
async def test_an_unowned_opportunity_decides_nothing(team: Team, owner: None) -> None:
    """K3: losing the owner sets no manager and leaves no decision."""
    customer = await team.create(team.binh)
    await team.harness.deliver(assigned(customer["id"], owner, owner_assigned_at=None))
    assert (await manager_of(team, customer["id"]))[0] == team.ids["binh"]
    assert await outcomes(team, customer["id"]) == []
