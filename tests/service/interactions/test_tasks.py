"""Tasks over HTTP: their lifecycle, what they count and when a meeting is a contact, and whose they are."""

from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from shared.contracts.customers import CustomerErased, ErasedState
from shared.contracts.events import Cause
from shared.envelope import new_id
from tests.service.interactions.world import World, at
from tests.support.records import customer, employee

TASKS = "/api/v1/tasks"


async def begin(world: World, by: httpx.AsyncClient | None = None, **fields: Any) -> dict[str, Any]:
    """A task about the customer, begun by the seller unless said otherwise."""
    given = {"title": "Gọi lại", "type": "CALL", "customer_ids": [str(world.customer_id)]}
    answer = await (by or world.seller).post(TASKS, json=given | fields)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{TASKS}/{answer.json()['id']}"
    assert answer.headers["etag"] == f'"{answer.json()["version"]}"'
    return answer.json()


async def move(world: World, task: dict[str, Any], *moves: str) -> dict[str, Any]:
    """The task after these moves of the seller."""
    for name in moves:
        answer = await world.seller.post(f"{TASKS}/{task['id']}/{name}")
        assert answer.status_code == 200, answer.text
        task = answer.json()
    return task


async def another(world: World, **fields: Any) -> UUID:
    """Another customer of the seller's."""
    customer_id = new_id()
    given: dict[str, Any] = {"manager_id": world.seller_id}
    await world.harness.deliver(customer(customer_id, **(given | fields)))
    return customer_id


async def test_a_task_counts_one_for_each_customer_it_is_about(world: World):
    """I4: one interaction per related customer; completing it adds nothing."""
    other = await another(world)
    task = await begin(world, customer_ids=[str(world.customer_id), str(other)])
    await move(world, task, "complete")
    for customer_id in (world.customer_id, other):
        assert (await world.summary(customer_id))["interaction_count"] == 2
    assert await world.explanation() == {f"task {task['id']}": 1}


@pytest.mark.parametrize(
    ("moves", "state", "count"),
    [
        (["cancel"], "cancelled", 1),
        (["cancel", "uncancel"], "open", 2),
        (["cancel", "uncancel", "cancel"], "cancelled", 1),
        (["complete", "cancel"], "cancelled", 1),
        (["complete", "cancel", "uncancel"], "completed", 2),
        (["complete", "reopen"], "open", 2),
        (["uncancel", "reopen"], "open", 2),
    ],
)
async def test_a_cancelled_task_does_not_count(world: World, moves: list[str], state: str, count: int):
    """I4: the latest of cancelled and uncancelled decides."""
    task = await move(world, await begin(world), *moves)
    assert (task["state"], await world.count()) == (state, count)


async def test_a_deleted_task_does_not_count_and_is_gone(world: World):
    """I4: neither read nor moved any more."""
    task = await begin(world)
    assert (await world.seller.delete(f"{TASKS}/{task['id']}")).status_code == 204
    assert await world.count() == 1
    for answer in (
        await world.seller.get(f"{TASKS}/{task['id']}"),
        await world.seller.post(f"{TASKS}/{task['id']}/complete"),
        await world.seller.delete(f"{TASKS}/{task['id']}"),
    ):
        assert answer.status_code == 404


async def test_a_completed_meeting_is_a_contact_when_it_was_completed(world: World):
    """L1, L6, L7: with who held it, both clocks, the count unmoved; another type is none."""
    await move(world, await begin(world), "complete")
    assert (await world.summary())["last_contact"] is None
    meeting = await begin(world, type="meeting")
    assert (await world.summary())["last_contact"] is None
    held = await move(world, meeting, "complete")
    shown = await world.summary()
    assert shown["last_contact"] == shown["last_two_way_contact"]
    assert shown["last_contact"] == {
        "at": held["completed_at"],
        "kind": "meeting",
        "employee_id": str(world.seller_id),
        "source_system": "rapport",
        "source_id": meeting["id"],
    }
    assert shown["interaction_count"] == 3


async def test_who_completed_a_meeting_is_who_met_the_customer(world: World):
    """L6: not who asked for the meeting."""
    boss = new_id()
    await world.harness.deliver(employee(boss), employee(world.seller_id, version=2, superior_id=boss))
    meeting = await begin(world, world.harness.client(boss), type="MEETING", assignee_id=str(world.seller_id))
    await move(world, meeting, "complete")
    assert (await world.summary())["last_contact"]["employee_id"] == str(world.seller_id)


async def test_a_customer_who_joins_a_held_meeting_was_met_by_who_held_it(world: World):
    """L6: the row that begins with both facts is no more the creator's than one that heard of them in turn."""
    boss = new_id()
    await world.harness.deliver(employee(boss), employee(world.seller_id, version=2, superior_id=boss))
    meeting = await begin(world, world.harness.client(boss), type="MEETING", assignee_id=str(world.seller_id))
    await move(world, meeting, "complete")
    come = [await another(world) for _ in range(5)]
    about = {"customer_ids": [str(world.customer_id), *map(str, come)]}
    assert (await world.seller.patch(f"{TASKS}/{meeting['id']}", json=about)).status_code == 200
    met_by = {(await world.summary(one))["last_contact"]["employee_id"] for one in (world.customer_id, *come)}
    assert met_by == {str(world.seller_id)}


@pytest.mark.parametrize(
    ("moves", "met"),
    [
        (["complete", "reopen"], False),
        (["complete", "cancel"], False),
        (["complete", "delete"], False),
        (["complete", "reopen", "complete"], True),
        (["complete", "cancel", "uncancel"], True),
    ],
)
async def test_a_meeting_taken_back_uncovers_the_contact_before(world: World, moves: list[str], met: bool):
    """L4, L2: reopening, cancelling or deleting recomputes both clocks from what is left."""
    await world.report(world.fact("call", "answered", 0, "c1"))
    meeting = await begin(world, type="MEETING")
    for name in moves:
        if name == "delete":
            assert (await world.seller.delete(f"{TASKS}/{meeting['id']}")).status_code == 204
        else:
            meeting = await move(world, meeting, name)
    shown = await world.summary()
    for clock in (shown["last_contact"], shown["last_two_way_contact"]):
        assert (clock["kind"], datetime.fromisoformat(clock["at"])) == (
            ("meeting", datetime.fromisoformat(meeting["completed_at"])) if met else ("call", at(0))
        )


@pytest.mark.parametrize("name", ["complete", "reopen"])
async def test_a_cancelled_task_is_neither_completed_nor_reopened(world: World, name: str):
    """I4: first it must be uncancelled; nothing was changed."""
    task = await move(world, await begin(world), "cancel")
    refused = await world.seller.post(f"{TASKS}/{task['id']}/{name}")
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert (await world.seller.get(f"{TASKS}/{task['id']}")).json() == task


async def test_a_held_meeting_stays_a_meeting(world: World):
    """L1: its type changes when it is reopened, and nothing becomes a meeting behind its time."""
    meeting = await move(world, await begin(world, type="MEETING"), "complete")
    refused = await world.seller.patch(f"{TASKS}/{meeting['id']}", json={"type": "CALL"})
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    await move(world, meeting, "reopen")
    assert (await world.seller.patch(f"{TASKS}/{meeting['id']}", json={"type": "CALL"})).status_code == 200
    await move(world, meeting, "complete")
    assert (await world.summary())["last_contact"] is None


async def test_equal_moves_and_values_change_nothing(world: World):
    """The same ETag, and no fact twice."""
    task = await move(world, await begin(world), "complete")
    assert await move(world, task, "complete", "uncancel") == task
    same = {"title": task["title"], "type": task["type"], "customer_ids": task["customer_ids"], "due_at": None}
    assert (await world.seller.patch(f"{TASKS}/{task['id']}", json=same)).json() == task


async def test_the_customers_of_a_task_change_with_their_counts_and_contacts(world: World):
    """I4, L1, L4: who leaves is uncounted, who comes hears of the meeting, who comes back counts once."""
    other = await another(world)
    meeting = await move(world, await begin(world, type="MEETING"), "complete")
    path = f"{TASKS}/{meeting['id']}"

    async def about(*customer_ids: UUID) -> list[tuple[int, bool]]:
        answer = await world.seller.patch(path, json={"customer_ids": [str(one) for one in customer_ids]})
        assert answer.status_code == 200, answer.text
        shown = [await world.summary(one) for one in (world.customer_id, other)]
        return [(one["interaction_count"], one["last_contact"] is not None) for one in shown]

    assert await about(other) == [(1, False), (2, True)]
    assert await about(world.customer_id, other) == [(2, True), (2, True)]
    await move(world, meeting, "cancel")
    assert await about(world.customer_id) == [(1, False), (1, False)]
    await move(world, meeting, "uncancel")
    assert await about(world.customer_id, other) == [(2, True), (2, True)]


async def test_tasks_are_read_and_changed_as_their_customers_allow(world: World):
    """R1: invisible is the same 404, a viewer reads, creator, assignee and who may change the customer change."""
    viewer, boss = new_id(), new_id()
    await world.harness.deliver(
        employee(viewer), employee(boss), employee(world.seller_id, version=2, superior_id=boss)
    )
    await world.harness.deliver(
        customer(world.customer_id, version=2, manager_id=world.seller_id, viewer_ids=(viewer,))
    )
    task = await begin(world)
    path = f"{TASKS}/{task['id']}"
    strangers = [await world.stranger.get(path), await world.stranger.get(f"{TASKS}/{new_id()}")]
    strangers.append(await world.stranger.patch(path, json={"title": "x"}))
    assert [answer.status_code for answer in strangers] == [404] * 3
    assert len({str({**answer.json(), "trace_id": None}) for answer in strangers}) == 1
    looking = world.harness.client(viewer)
    assert (await looking.get(path)).json()["allowed"] == []
    for refused in (
        await looking.patch(path, json={"title": "x"}),
        await looking.post(f"{path}/complete"),
        await looking.delete(path),
    ):
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert (await world.harness.client(boss).patch(path, json={"assignee_id": str(viewer)})).status_code == 200
    assert (await looking.post(f"{path}/complete")).json()["allowed"] == ["change", "reopen", "cancel", "delete"]
    own = await begin(world, looking)
    assert (await looking.patch(f"{TASKS}/{own['id']}", json={"title": "Đến thăm"})).json()["title"] == "Đến thăm"


async def test_an_assignee_must_see_each_customer(world: World):
    """R1: at creation, when assigned, and when customers join."""
    hidden = await another(world, manager_id=world.stranger_id)
    given = {"title": "x", "type": "CALL", "customer_ids": [str(world.customer_id)]}
    everything = world.harness.client(world.seller_id, ["customers:view_all"])
    for answer in (
        await world.seller.post(TASKS, json=given | {"assignee_id": str(world.stranger_id)}),
        await world.seller.post(TASKS, json=given | {"assignee_id": str(new_id())}),
        await everything.patch(
            f"{TASKS}/{(await begin(world, assignee_id=str(world.seller_id)))['id']}",
            json={"customer_ids": [str(world.customer_id), str(hidden)], "assignee_id": str(world.stranger_id)},
        ),
    ):
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/assignee_id")


async def test_nobody_takes_a_task_about_a_customer_hidden_from_them(world: World):
    """R1: whoever assigns themselves must see each customer, too, also those that the task does not show them."""
    hidden = await another(world, manager_id=world.stranger_id)
    everything = world.harness.client(world.seller_id, ["customers:view_all"])
    task = await begin(world, everything, customer_ids=[str(world.customer_id), str(hidden)])
    path, me = f"{TASKS}/{task['id']}", {"assignee_id": str(world.seller_id)}
    for asked in (me, me | {"customer_ids": [str(world.customer_id)]}):
        refused = await world.seller.patch(path, json=asked)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/assignee_id")
    assert (await everything.patch(path, json=me)).json()["assignee_id"] == str(world.seller_id)
    for kept in ({"title": "Gọi lại"}, me, {"customer_ids": [str(world.customer_id)]}):
        assert (await world.seller.patch(path, json=kept)).status_code == 200, kept
    other = await another(world)
    added = {"customer_ids": [str(world.customer_id), str(other)]}
    assert (await world.seller.patch(path, json=added)).status_code == 200


async def test_tasks_are_about_customers_one_sees(world: World):
    """R1, A2: unknown and invisible ones are not found, and a reader learns only of those they see."""
    hidden = await another(world, manager_id=world.stranger_id)
    given = {"title": "x", "type": "CALL"}
    for customer_id in (hidden, new_id()):
        refused = await world.seller.post(TASKS, json=given | {"customer_ids": [str(customer_id)]})
        assert refused.status_code == 404
    everything = world.harness.client(world.seller_id, ["customers:view_all"])
    both = await begin(world, everything, customer_ids=[str(world.customer_id), str(hidden)])
    path = f"{TASKS}/{both['id']}"
    assert (await world.seller.get(path)).json()["customer_ids"] == [str(world.customer_id)]
    assert (await world.stranger.get(path)).json()["customer_ids"] == [str(hidden)]
    await world.seller.patch(path, json={"customer_ids": [str(world.customer_id)]})
    assert (await everything.get(path)).json()["customer_ids"] == [str(world.customer_id), str(hidden)]


async def test_services_have_no_tasks(world: World):
    """R2: no permission names them."""
    service = world.harness.client("erp", ["customers:view_all", "documents:write"], "service")
    given = {"title": "x", "type": "CALL", "customer_ids": [str(world.customer_id)]}
    assert (await service.post(TASKS, json=given)).status_code == 403


async def test_of_two_writers_one_wins(world: World):
    """A stale version is refused, before the state is looked at."""
    task = await begin(world)
    path, stale = f"{TASKS}/{task['id']}", {"If-Match": f'"{task["version"]}"'}
    assert (await world.seller.patch(path, json={"title": "Mới"}, headers=stale)).status_code == 200
    for answer in (
        await world.seller.patch(path, json={"title": "Khác"}, headers=stale),
        await world.seller.post(f"{path}/cancel", headers=stale),
        await world.seller.delete(path, headers=stale),
    ):
        assert (answer.status_code, answer.json()["code"]) == (412, "version_conflict")


async def test_lists_hold_what_one_sees_page_by_page(world: World):
    """R1, P5: by customer, assignee, state and due time, in the order asked for; strangers see none."""
    other = await another(world)
    tasks = [
        await begin(world, title=f"t{n}", customer_ids=[str(other if n % 2 else world.customer_id)], due_at=due)
        for n, due in enumerate([None, *(at(60 * n).isoformat() for n in (3, 1, 2))])
    ]
    await move(world, tasks[1], "cancel")

    async def titles(**query: Any) -> list[str]:
        seen: list[str] = []
        cursor: str | None = None
        while True:
            parameters = {"limit": 2} | query | ({"cursor": cursor} if cursor else {})
            answer = await world.seller.get(TASKS, params=parameters)
            assert answer.status_code == 200, answer.text
            seen += [item["title"] for item in answer.json()["items"]]
            cursor = answer.json()["next_cursor"]
            if cursor is None:
                return seen

    assert await titles() == ["t3", "t2", "t1", "t0"]
    assert await titles(sort="created_at") == ["t0", "t1", "t2", "t3"]
    assert await titles(sort="due_at") == ["t2", "t3", "t1", "t0"]
    assert await titles(sort="-due_at") == ["t0", "t1", "t3", "t2"]
    assert await titles(customer_id=str(other)) == ["t3", "t1"]
    assert await titles(state=["open", "completed"]) == ["t3", "t2", "t0"]
    assert await titles(due_from=at(90).isoformat(), due_to=at(130).isoformat()) == ["t3"]
    assert await titles(assignee_id=str(world.seller_id)) == []
    assert await titles(creator_id=str(world.seller_id), type="call") == ["t3", "t2", "t1", "t0"]
    assert (await world.seller.get(TASKS, params={"total": True, "limit": 1})).json()["total"] == 4
    assert (await world.stranger.get(TASKS)).json()["items"] == []
    assert (await world.stranger.get(TASKS, params={"customer_id": str(other)})).status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"title": ""},
        {"title": "x" * 501},
        {"type": "no code"},
        {"customer_ids": []},
        {"customer_ids": ["no id"]},
        {"due_at": "0001-01-01T00:00:00+14:00"},
        {"due_at": 5},
        {"state": "completed"},
    ],
)
async def test_a_task_that_cannot_be_is_refused(world: World, fields: dict[str, Any]):
    """Each field at and past its limits."""
    given = {"title": "x", "type": "CALL", "customer_ids": [str(world.customer_id)]}
    assert (await world.seller.post(TASKS, json=given | fields)).status_code == 422
    assert await world.count() == 1


async def test_erasing_a_customer_forgets_their_tasks(world: World):
    """C8: those about them alone go; one about others too stays theirs, without the words and the customer."""
    other = await another(world)
    alone = await begin(world, title="Gặp chị Lan")
    shared = await begin(world, title="Gặp chị Lan", customer_ids=[str(world.customer_id), str(other)])
    await world.harness.deliver(
        CustomerErased(version=3, state=ErasedState(id=world.customer_id), cause=Cause(kind="user"))
    )
    assert (await world.seller.get(f"{TASKS}/{alone['id']}")).status_code == 404
    left = (await world.seller.get(f"{TASKS}/{shared['id']}")).json()
    assert (left["title"], left["customer_ids"]) == ("CALL", [str(other)])
    assert (await world.summary(other))["interaction_count"] == 2
    rows = await world.harness.sql(
        "SELECT count(*) FROM task WHERE task::text LIKE '%Lan%' OR $1 = ANY(related_ids)", world.customer_id
    )
    assert rows == [(0,)]
