"""Tasks that automation rules decided: once each, for whoever is responsible by then."""

from typing import Any
from uuid import UUID

from shared.contracts.work import AutomationActionDecided
from shared.envelope import new_id
from tests.service.interactions.world import World
from tests.support.records import customer, employee

TASKS = "/api/v1/tasks"


def decided(customer_id: UUID, **values: Any) -> AutomationActionDecided:
    """A task that a rule wants; `values` replace what is said of it."""
    given: dict[str, Any] = {
        "action_id": new_id(),
        "automation_id": new_id(),
        "kind": "create_task",
        "title": "Gọi trong ngày",
        "type": "CALL",
    }
    return AutomationActionDecided(customer_id=customer_id, **(given | values))


async def shown(world: World) -> list[dict[str, Any]]:
    """The tasks that the seller sees."""
    return (await world.seller.get(TASKS)).json()["items"]


async def test_a_decided_task_is_created_once_for_the_responsible_person(world: World):
    """K5, I4: by its action's id, whatever record it comes with, also twice in a batch; other actions are not ours."""
    action = decided(world.customer_id)
    other = decided(world.customer_id, kind="add_to_group", group_id=new_id(), title=None, type=None)
    await world.harness.deliver(action, action, other)
    await world.harness.deliver(action)
    [task] = await shown(world)
    assert (task["title"], task["type"], task["state"]) == ("Gọi trong ngày", "CALL", "open")
    assert (task["assignee_id"], task["creator_id"]) == (str(world.seller_id), None)
    assert task["created_by"] == f"system/automation/{action.automation_id}"
    assert await world.count() == 2


async def test_a_task_without_a_responsible_person_is_nobodys(world: World):
    """K5, A6: none, or one who is no longer active."""
    away, alone = new_id(), new_id()
    await world.harness.deliver(employee(away, active=False))
    await world.harness.deliver(
        customer(alone, viewer_ids=(world.seller_id,)),
        customer(world.customer_id, version=2, manager_id=away, viewer_ids=(world.seller_id,)),
    )
    await world.harness.deliver(decided(alone), decided(world.customer_id, title=None, type=None))
    assert {(task["title"], task["assignee_id"]) for task in await shown(world)} == {
        ("Gọi trong ngày", None),
        ("TODO", None),
    }


async def test_a_task_for_a_customer_not_heard_of_yet_finds_its_assignee_later(world: World):
    """K5: topics are not ordered among themselves."""
    newcomer = new_id()
    await world.harness.deliver(decided(newcomer))
    await world.harness.deliver(customer(newcomer, manager_id=world.seller_id))
    [task] = await shown(world)
    assert task["assignee_id"] == str(world.seller_id)
    await world.harness.deliver(customer(newcomer, version=2, manager_id=world.seller_id, name="Lan"))
    assert await shown(world) == [task]


async def test_deleted_customers_get_no_tasks(world: World):
    """K5: neither they nor erased ones."""
    gone = new_id()
    await world.harness.deliver(customer(gone, state="deleted"))
    await world.harness.deliver(decided(gone))
    assert await world.harness.sql("SELECT count(*) FROM task") == [(0,)]
