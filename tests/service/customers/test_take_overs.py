"""Owners made managers by one statement are what the rules of one customer make of them (K3), and only once."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.customers.commands import assignment
from shared import outbox
from shared.contracts.campaigns import OpportunityOwnerAssigned, OpportunityRemoved, OpportunityStatusChanged
from shared.contracts.customers import CustomerManagerChanged
from shared.contracts.events import Cause
from shared.database import run
from shared.envelope import Envelope, Origin
from shared.identity import DELETE
from tests.service.customers.conftest import Team
from tests.service.customers.test_opportunity_owners import LONG_AFTER, assigned, manager_of, outcomes

_STORED = (
    "SELECT to_jsonb(c) - '{updated_at,record}'::text[] FROM customer c ORDER BY id",
    "SELECT to_jsonb(v) FROM customer_viewer v ORDER BY v",
    "SELECT to_jsonb(s) FROM customer_search s ORDER BY customer_id",
    "SELECT to_jsonb(a) - '{id,at,event_id}'::text[] FROM audit a ORDER BY id",
    "SELECT topic, aggregatetype, aggregateid, type, convert_from(payload, 'UTF8')::jsonb #- '{state,updated_at}',"
    " headers - '{ce_id,ce_time}'::text[] FROM outbox ORDER BY id",
)


class _TakenBack(Exception):
    """Ends a transaction whose result was looked at."""


async def _followed(team: Team, envelopes: Sequence[Envelope[Any]]) -> list[Any]:
    """All that a batch would leave; it is taken back."""
    found: list[Any] = []
    with suppress(_TakenBack):
        async with team.harness.database.transaction() as session:
            await assignment.follow_opportunity_owners(session, envelopes)
            await outbox.write(session)
            found = [[tuple(row) for row in await run(session, statement)] for statement in _STORED]
            raise _TakenBack
    return found


async def _cases(team: Team) -> list[OpportunityOwnerAssigned]:
    """Customers with and without manager, viewers, address and phones, live and deleted; policies and moments."""
    dung, chi = team.ids["dung"], team.ids["chi"]
    address = {"line": "12 Lê Lợi", "province": "Huế"}
    customers = [
        await team.create(team.binh),
        await team.create(team.binh, name="Phạm Thị Đào", phones=["0912345678"], emails=["dao@example.com"]),
        await team.create(team.binh, manager_id=None),  # its maker looks
        await team.create(team.binh, address=address, birth_date="1990-05-17", viewer_ids=[str(chi)]),
        await team.create(team.binh, address=address, birth_date="1990-05-17"),
        await team.create(team.dung),
        await team.create(team.binh),
        await team.create(team.binh),
        await team.create(team.admin),
        await team.create(team.binh),
        await team.create(team.binh),
    ]
    nobodys = await team.create(team.dung)
    unassigned = await team.dung.put(f"/api/v1/customers/{nobodys['id']}/manager", json={"employee_id": None})
    assert unassigned.status_code == 200, unassigned.text
    assert (await team.admin.delete(f"/api/v1/customers/{customers[8]['id']}")).status_code == 204
    how: list[dict[str, Any]] = [{} for _ in customers]
    how[6] = {"manager_policy": "only_if_unassigned"}
    how[7] = {"keep_previous_as_viewer": True}
    how[9] = {"owner_assigned_at": LONG_AFTER - timedelta(days=3_000)}
    events = [assigned(one["id"], dung, place, **how[place]) for place, one in enumerate(customers)]
    events.append(assigned(nobodys["id"], dung, manager_policy="only_if_unassigned", keep_previous_as_viewer=True))
    events += [assigned(customers[10]["id"], chi, 90), assigned(uuid4(), dung)]  # twice in a batch, and erased
    return events


async def test_one_statement_does_what_the_rules_of_one_customer_do(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """K3, A5: rows, viewers, words to search by, events with their headers, audit entries: equal for every case."""
    events = await _cases(team)
    await team.harness.forget_told()
    origin = Origin(correlation_id="begun", automation_depth=1, traceparent="00-1-2-03")
    envelopes = [team.harness.envelope(event, "campaigns", origin=origin) for event in events]
    together = await _followed(team, envelopes)
    left: list[int] = []

    async def leave_all(_: Any, assignments: Sequence[Any], __: Any) -> list[Any]:
        left.append(len(assignments))
        return list(assignments)

    monkeypatch.setattr(assignment, "take_over", leave_all)
    by_rules = await _followed(team, envelopes)
    assert left == [len(events) - 2]
    for one, other in zip(together[:3], by_rules[:3], strict=True):
        assert one == other
    for one, other in zip(together[3:], by_rules[3:], strict=True):  # in order for one customer; others may mingle
        assert sorted(map(str, one)) == sorted(map(str, other))
    assert len(by_rules[4]) >= len(events) - 2


async def test_plain_cases_are_told_in_their_order_with_what_was_before(team: Team) -> None:
    """K3: an event can be read by its class, names the old manager and the new one, and the cause."""
    customers = [await team.create(team.binh) for _ in range(3)]
    events = [assigned(one["id"], team.ids["dung"], place) for place, one in enumerate(customers)]
    await team.harness.forget_told()
    await team.harness.deliver(*events)
    told = await team.harness.told(CustomerManagerChanged)
    assert [event.key for event in told] == [one["id"] for one in customers]
    assert {event.before["manager_id"] for event in told} == {str(team.ids["binh"])}
    assert [event.state.manager_set_at for event in told] == [event.state.owner_assigned_at for event in events]


async def test_an_assignment_told_again_gives_no_sight_back(team: Team) -> None:
    """K3, A4: a manager was changed by hand; told again, the old assignment decides nothing."""
    customer = await team.create(team.binh)
    event = assigned(customer["id"], team.ids["dung"])
    await team.harness.deliver(event)
    moved = await team.dung.put(
        f"/api/v1/customers/{customer['id']}/manager", json={"employee_id": str(team.ids["binh"])}
    )
    assert moved.status_code == 200, moved.text
    count = len(await outcomes(team, customer["id"]))
    await team.harness.deliver(event, origin=Origin(replayed=True))
    state = event.state.model_copy(update={"probability": 40})
    await team.harness.deliver(OpportunityStatusChanged(version=3, state=state, cause=Cause(kind="user")))
    assert await manager_of(team, customer["id"]) == (team.ids["binh"], [])
    assert len(await outcomes(team, customer["id"])) == count


async def test_a_record_older_than_what_is_known_changes_nothing(team: Team) -> None:
    """K3: a dead letter replayed late names an owner of long ago, who looks no more."""
    customer = await team.create(team.binh)
    old = assigned(customer["id"], team.ids["chi"], 1, version=2, manager_policy="only_if_unassigned")
    state = old.state.model_copy(
        update={"owner_id": team.ids["dung"], "owner_assigned_at": LONG_AFTER + timedelta(seconds=2)}
    )
    await team.harness.deliver(OpportunityOwnerAssigned(version=3, state=state, cause=Cause(kind="campaign")))
    await team.harness.deliver(old)
    assert await manager_of(team, customer["id"]) == (team.ids["binh"], [team.ids["dung"]])


async def test_an_owner_of_a_deleted_customer_is_their_manager_when_they_are_back(team: Team) -> None:
    """K3, C4: what was assigned before the deletion was known elsewhere holds after a restore."""
    customer = await team.create(team.admin)
    assert (await team.admin.delete(f"/api/v1/customers/{customer['id']}")).status_code == 204
    await team.harness.deliver(assigned(customer["id"], team.ids["dung"]))
    restored = await team.as_("dung", DELETE).post(f"/api/v1/customers/{customer['id']}/restore", json={})
    assert restored.status_code == 200, restored.text
    assert (await manager_of(team, customer["id"]))[0] == team.ids["dung"]
    assert (await team.dung.get(f"/api/v1/customers/{customer['id']}")).status_code == 200


async def test_assignments_of_the_same_moment_are_won_by_the_greater_opportunity(team: Team) -> None:
    """K3: a tie is decided by the opportunity's id, whichever comes first."""
    for first in (0, 1):
        customer = await team.create(team.binh)
        two = sorted((uuid4(), uuid4()), key=str)
        events = [
            assigned(customer["id"], team.ids[who], id=one) for who, one in zip(("chi", "dung"), two, strict=True)
        ]
        await team.harness.deliver(events[first])
        await team.harness.deliver(events[1 - first])
        assert (await manager_of(team, customer["id"]))[0] == team.ids["dung"]


async def test_a_removed_opportunity_leaves_its_manager_in_charge(team: Team) -> None:
    """K3: who became manager stays; only sight that the opportunity gave ends with it."""
    customer = await team.create(team.binh)
    event = assigned(customer["id"], team.ids["dung"])
    await team.harness.deliver(event)
    gone = event.state.model_copy(update={"state": "removed"})
    await team.harness.deliver(OpportunityRemoved(version=3, state=gone, cause=Cause(kind="user")))
    assert await manager_of(team, customer["id"]) == (team.ids["dung"], [])


async def test_an_owner_who_is_let_go_at_that_moment_gets_nobody(team: Team) -> None:
    """A6, K3: an assignment and a deactivation at once: whoever is second sees what the first has done."""
    customer = await team.create(team.binh)
    async with team.harness.database.transaction() as session:
        await run(session, "UPDATE employee SET active = false WHERE id = $1", team.ids["dung"])
        delivering = asyncio.create_task(team.harness.deliver(assigned(customer["id"], team.ids["dung"])))
        await asyncio.sleep(0.3)
    await delivering
    assert await manager_of(team, customer["id"]) == (team.ids["binh"], [])
    assert await outcomes(team, customer["id"]) == ["inactive_employee"]


async def test_batches_that_name_the_same_customers_never_wait_in_a_circle(team: Team) -> None:
    """K3: one batch's plain customers may be decided one by one in another; all are held in the order of ids."""
    one, other = [(await team.create(team.binh))["id"] for _ in range(2)]
    for turn in range(10):
        owner = team.ids["dung" if turn % 2 else "chi"]
        batches = [
            [assigned(plain, owner, 2 * turn + 1), *(assigned(twice, owner, 2 * turn + late) for late in (0, 1))]
            for plain, twice in ((one, other), (other, one))
        ]
        await asyncio.gather(*(team.harness.deliver(*batch) for batch in batches))
        assert [await manager_of(team, customer) for customer in (one, other)] == [(owner, [])] * 2
