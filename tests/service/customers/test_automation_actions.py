"""What automation rules decided is done to customers once, and refused where nobody may choose it (K5, G2, G4)."""

from typing import Any
from uuid import UUID

import pytest

from services.customers.domain.relationships import DONT_FORGET
from shared.contracts.classification import relationship_id
from shared.contracts.customers import CustomerRelationshipChanged, CustomerUpdated
from shared.contracts.work import AutomationActionDecided
from shared.envelope import Origin, new_id
from tests.service.customers.conftest import Team

HOT = relationship_id("hot")


def decided(customer_id: Any, kind: str, value: UUID | None = None, **values: Any) -> AutomationActionDecided:
    """An action as a rule decided it."""
    field = {"add_to_group": "group_id", "set_relationship": "relationship_id"}.get(kind)
    given = {field: value, **values} if field else values
    known = {"action_id": new_id(), "automation_id": new_id(), "customer_id": UUID(str(customer_id))}
    return AutomationActionDecided.model_validate({**known, "kind": kind, **given})


async def group(team: Team, state: str = "active") -> UUID:
    """A group of the classification."""
    group_id = new_id()
    await team.harness.sql(
        "INSERT INTO classification_item (id, kind, code, name, name_folded, state, version)"
        " VALUES ($1, 'group', $2, $2, $2, $3, 1)",
        group_id,
        f"G{group_id}",
        state,
    )
    return group_id


async def classified(team: Team, customer_id: Any) -> tuple[list[UUID], UUID]:
    """Groups and relationship as stored."""
    [row] = await team.harness.sql(
        "SELECT group_ids, relationship_id FROM customer WHERE id = $1", UUID(str(customer_id))
    )
    return row[0], row[1]


async def trail(team: Team, customer_id: Any) -> list[tuple[str, str]]:
    """Cause and outcome of each audit entry, oldest first."""
    items = (await team.admin.get(f"/api/v1/customers/{customer_id}/audit")).json()["items"]
    return [(item["cause"]["kind"], item["outcome"]) for item in items][::-1]


@pytest.fixture
async def customer_id(team: Team) -> Any:
    """A customer nobody but the administrator sees."""
    return (await team.create(team.admin))["id"]


async def test_a_group_and_a_relationship_are_set_once_with_cause_and_depth(team: Team, customer_id: Any) -> None:
    """K5: in one batch, in order; the same decision under another event id, also later, does nothing."""
    vip = await group(team)
    actions = [decided(customer_id, "add_to_group", vip), decided(customer_id, "set_relationship", HOT)]
    await team.harness.deliver(*actions, origin=Origin(correlation_id="begun", automation_depth=1))
    assert await classified(team, customer_id) == ([vip], HOT)
    told = await team.harness.told_with_headers()
    [first, second] = [(headers, event) for headers, event in told if headers.get("ce_automationdepth")]
    assert (type(first[1]), type(second[1])) == (CustomerUpdated, CustomerRelationshipChanged)
    assert (first[1].version, second[1].version) == (2, 3)
    assert {headers["ce_automationdepth"] for headers, _ in (first, second)} == {"1"}
    assert {headers["ce_correlationid"] for headers, _ in (first, second)} == {"begun"}
    assert first[1].cause.id == str(actions[0].automation_id)

    cleared = await team.admin.patch(f"/api/v1/customers/{customer_id}", json={"group_ids": []})
    assert cleared.status_code == 200, cleared.text
    await team.harness.deliver(*actions)
    assert await classified(team, customer_id) == ([], HOT)
    assert [entry for entry in await trail(team, customer_id) if entry[0] == "automation"] == [
        ("automation", "applied"),
        ("automation", "applied"),
    ]


async def test_a_choice_that_nobody_may_make_is_refused_and_audited(team: Team, customer_id: Any) -> None:
    """G2, G4, K5: a disabled group, Don't Forget and an unknown group change nothing and hold nothing up."""
    disabled, vip = await group(team, "disabled"), await group(team)
    await team.harness.deliver(
        decided(customer_id, "add_to_group", disabled),
        decided(customer_id, "set_relationship", DONT_FORGET),
        decided(customer_id, "add_to_group", new_id()),
        decided(customer_id, "add_to_group", vip),
    )
    groups, _ = await classified(team, customer_id)
    assert groups == [vip]
    outcomes = [outcome for kind, outcome in await trail(team, customer_id) if kind == "automation"]
    assert sorted(outcomes) == ["applied", "automatic_relationship", "disabled_choice", "validation_failed"]


async def test_deleted_and_unknown_customers_and_tasks_are_left_alone(team: Team, customer_id: Any) -> None:
    """K5: nothing is done to who is gone; a value that is there already is no change; tasks are made elsewhere."""
    vip = await group(team)
    await team.admin.patch(f"/api/v1/customers/{customer_id}", json={"group_ids": [str(vip)]})
    deleted = (await team.create(team.admin))["id"]
    await team.admin.delete(f"/api/v1/customers/{deleted}")
    await team.harness.forget_told()
    await team.harness.deliver(
        decided(customer_id, "add_to_group", vip),
        decided(customer_id, "create_task", title="Gọi lại", type="CALL"),
        decided(deleted, "add_to_group", vip),
        decided(new_id(), "add_to_group", vip),
    )
    assert await team.harness.told() == []
