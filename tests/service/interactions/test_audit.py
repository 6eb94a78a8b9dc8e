"""The audit trail of what people write about a customer: who, what was before, for whom, and what an erasure leaves."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from shared.contracts.documents import DocumentChanged
from shared.contracts.work import AutomationActionDecided
from shared.envelope import new_id
from shared.identity import DELETE, VIEW_ALL
from tests.service.interactions.discussion import Discussion
from tests.service.interactions.world import World, at
from tests.support.records import customer
from tests.support.traces import traces

API = "/api/v1"
SECRET = "chuyện thầm kín"


def path_of(customer_id: UUID) -> str:
    """A customer's trail."""
    return f"{API}/customers/{customer_id}/interactions/audit"


async def trail(world: World, customer_id: UUID | None = None) -> list[dict[str, Any]]:
    """The seller's customer's entries, oldest first."""
    answer = await world.seller.get(path_of(customer_id or world.customer_id), params={"limit": 200})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"][::-1]


async def words(world: World, customer_id: UUID | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Which item was changed, and what, oldest first."""
    return [(entry["item"]["kind"], entry["changes"]) for entry in await trail(world, customer_id)]


async def sent(world: World, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """A request of the seller's that is granted."""
    answer = await world.seller.request(method, f"{API}{path}", json=body)
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else {}


def new(value: Any) -> dict[str, Any]:
    """A field that was empty."""
    return {"old": None, "new": value}


def gone(value: Any) -> dict[str, Any]:
    """A field of something deleted."""
    return {"old": value, "new": None}


async def test_comments_leave_who_wrote_what_and_who_took_it_away(discussion: Discussion):
    """A5, U1: posting, editing and deleting, each with its actor, request, and the text before and after."""
    world, comment = discussion.world, await discussion.post(discussion.viewer_id, "một")
    path = f"/api/v1/comments/{comment['id']}"
    await discussion.client(discussion.viewer_id).patch(path, json={"text": "hai"})
    await discussion.client(discussion.viewer_id).patch(path, json={"text": "hai"})
    await sent(world, "DELETE", f"/comments/{comment['id']}")
    posted, edited, deleted = await trail(world)
    assert [one["changes"] for one in (posted, edited, deleted)] == [
        {"text": new("một")},
        {"text": {"old": "một", "new": "hai"}},
        {"text": gone("hai")},
    ]
    actors = [one["actor"] for one in (posted, edited, deleted)]
    assert actors == [{"kind": "user", "id": str(one)} for one in (discussion.viewer_id,) * 2 + (world.seller_id,)]
    assert edited["item"] == {"kind": "comment", "id": comment["id"]}
    assert (edited["cause"]["kind"], edited["event_id"], edited["outcome"]) == ("user", None, "applied")


def kept(moment: str) -> str:
    """A moment of an answer as an entry holds it, with all its digits."""
    return msgspec.to_builtins(datetime.fromisoformat(moment))


async def test_tasks_leave_each_of_their_moves(world: World):
    """A5, I4: made, given to another, completed, cancelled, deleted; what stays equal leaves nothing."""
    about = {"title": "Gọi lại", "type": "CALL", "customer_ids": [str(world.customer_id)]}
    task = await sent(world, "POST", "/tasks", about)
    path = f"/tasks/{task['id']}"
    await sent(world, "PATCH", path, {"title": "Gọi ngay", "assignee_id": str(world.seller_id)})
    await sent(world, "PATCH", path, {"title": "Gọi ngay"})
    held = await sent(world, "POST", f"{path}/complete")
    await sent(world, "POST", f"{path}/complete")
    cancelled = await sent(world, "POST", f"{path}/cancel")
    await sent(world, "DELETE", path)
    me, completed_at, cancelled_at = str(world.seller_id), kept(held["completed_at"]), kept(cancelled["cancelled_at"])
    left = {"title": "Gọi ngay", "type": "CALL", "assignee_id": me, "completed_by": me}
    left |= {"completed_at": completed_at, "cancelled_at": cancelled_at}
    mine = {"customer_ids": {"old": [], "new": [str(world.customer_id)]}}
    assert await words(world) == [
        ("task", {"title": new("Gọi lại"), "type": new("CALL"), **mine}),
        ("task", {"title": {"old": "Gọi lại", "new": "Gọi ngay"}, "assignee_id": new(me)}),
        ("task", {"completed_at": new(completed_at), "completed_by": new(me)}),
        ("task", {"cancelled_at": new(cancelled_at)}),
        (
            "task",
            {name: gone(value) for name, value in left.items()}
            | {"customer_ids": {"old": mine["customer_ids"]["new"], "new": []}},
        ),
    ]


async def test_a_tasks_entry_names_none_of_its_other_customers(world: World):
    """R1: each customer's trail says of the task's customers whether it is one of them, and nothing of the rest."""
    other, third = customer(manager_id=world.seller_id), customer(manager_id=world.seller_id)
    await world.harness.deliver(other, third)
    both = {"customer_ids": [str(world.customer_id), other.key]}
    task = await sent(world, "POST", "/tasks", {"title": "Họp", "type": "MEETING", **both})
    await sent(world, "PATCH", f"/tasks/{task['id']}", {"customer_ids": [other.key, third.key]})
    told = {one: await words(world, UUID(one)) for one in (str(world.customer_id), other.key, third.key)}
    came, went = ([{"old": [], "new": [one]} for one in told], [{"old": [one], "new": []} for one in told])
    named = [[changes.get("customer_ids") for _, changes in listed] for listed in told.values()]
    assert named == [[came[0], went[0]], [came[1]], [came[2]]]


async def test_care_and_the_word_by_hand_leave_their_entries(world: World):
    """L3, L4, A5: a schedule, what was done, both taken back with what was there; the last contact before and after."""
    plan = {"customer_id": str(world.customer_id), "title": "Chăm sóc"}
    schedule = await sent(world, "POST", "/care-schedules", plan)
    path = f"/care-schedules/{schedule['id']}"
    await sent(world, "PATCH", path, {"starts_on": "2026-11-02"})
    done = [
        await sent(world, "POST", f"{path}/activities", {"text": text, "occurred_at": at(0).isoformat()})
        for text in ("một", "hai")
    ]
    await sent(world, "DELETE", f"{path}/activities/{done[0]['id']}")
    await sent(world, "PUT", f"/interaction-summaries/{world.customer_id}/last-contact", {"at": at(-9).isoformat()})
    await sent(world, "DELETE", path)
    noon, before, me = "2026-11-02T05:00:00Z", "2026-11-02T04:51:00Z", str(world.seller_id)

    def activity(text: str, how: Any) -> tuple[str, dict[str, Any]]:
        return "care_activity", {"text": how(text), "occurred_at": how(noon), "employee_id": how(me)}

    assert await words(world) == [
        ("care_schedule", {"title": new("Chăm sóc")}),
        ("care_schedule", {"starts_on": new("2026-11-02")}),
        activity("một", new),
        activity("hai", new),
        activity("một", gone),
        ("last_contact", {"at": {"old": noon, "new": before}}),
        activity("hai", gone),
        ("care_schedule", {"title": gone("Chăm sóc"), "starts_on": gone("2026-11-02")}),
    ]


async def test_documents_leave_what_their_events_tell(world: World):
    """A5, P1: by hand and by their source, with the event that told it and what was before."""
    total = {"amount": 7, "currency": "VND"}
    stated = {"customer_id": str(world.customer_id), "kind": "order", "status": "draft", "lines": [], "total": total}
    document = await sent(world, "POST", "/documents", stated)
    await sent(world, "PATCH", f"/documents/{document['id']}", {"total": total | {"amount": 9}})
    await sent(world, "DELETE", f"/documents/{document['id']}")
    erp = world.harness.client("erp", ["documents:write"], "service")
    for version, number in ((1, "A"), (2, "B"), (1, "C")):
        named = {"external_id": "7", "external_version": version, "number": number}
        assert (await erp.post(f"{API}/documents", json=stated | named)).status_code in (200, 201)
    made, changed, deleted, told, retold = await trail(world)
    assert (made["changes"]["total"], made["changes"]["status"]) == (new(total), new("draft"))
    assert changed["changes"] == {"total": {"old": total, "new": total | {"amount": 9}}}
    assert deleted["changes"] == {"state": {"old": "active", "new": "deleted"}}
    assert (told["actor"], told["changes"]["number"]) == ({"kind": "service", "id": "erp"}, new("A"))
    assert retold["changes"]["number"] == {"old": "A", "new": "B"}
    events = [headers["ce_id"] for headers, _ in await world.harness.told_with_headers(DocumentChanged)]
    assert [one["event_id"] for one in (made, changed, deleted, told, retold)] == events


async def test_a_rules_task_names_the_rule(world: World):
    """K5, A5: made by automation for a customer heard of later, then given to who is responsible for them."""
    late = customer(manager_id=world.seller_id)
    action = AutomationActionDecided(
        action_id=new_id(), automation_id=new_id(), customer_id=late.state.id, kind="create_task", title="Gọi"
    )
    await world.harness.deliver(action)
    await world.harness.deliver(late)
    made, given = await trail(world, late.state.id)
    assert made["cause"] == {"kind": "automation", "id": str(action.automation_id)}
    assert made["actor"] == {"kind": "system", "id": f"automation/{action.automation_id}"}
    assert given["changes"] == {"assignee_id": new(str(world.seller_id))}


async def test_a_trail_is_for_those_who_may_change_the_customer(discussion: Discussion):
    """R1, A3: the invisible is unknown, a viewer is refused, a deleted customer's is for who may delete."""
    await discussion.post(discussion.seller_id)
    path, viewing = path_of(discussion.customer_id), [VIEW_ALL]
    strangers = [
        await discussion.client(discussion.stranger_id).get(path),
        await discussion.client(discussion.stranger_id, viewing).get(path_of(new_id())),
    ]
    assert [answer.status_code for answer in strangers] == [404, 404]
    assert len({str({**answer.json(), "trace_id": ""}) for answer in strangers}) == 1
    for client in (discussion.client(discussion.viewer_id), discussion.client(discussion.stranger_id, viewing)):
        assert (await client.get(path)).status_code == 403
    assert len((await discussion.client(discussion.superior_id).get(path)).json()["items"]) == 1
    await discussion.change_customer(state="deleted")
    assert (await discussion.client(discussion.seller_id).get(path)).status_code == 404
    assert (await discussion.client(discussion.seller_id, [DELETE]).get(path)).status_code == 200


async def test_a_trail_goes_on_page_by_page(discussion: Discussion):
    """P5: newest first, every entry once, the total when asked; another trail's cursor is refused."""
    other_id = new_id()
    await discussion.change_customer(other_id)
    for text in ("một", "hai", "ba"):
        await discussion.post(discussion.seller_id, text)
    client, texts, cursor = discussion.client(discussion.seller_id), [], None
    while not texts or cursor:
        asked = {"limit": 2, "total": True, **({"cursor": cursor} if cursor else {})}
        page = (await client.get(path_of(discussion.customer_id), params=asked)).json()
        texts += [entry["changes"]["text"]["new"] for entry in page["items"]]
        cursor = page["next_cursor"] or cursor
        assert page["total"] == 3
        if page["next_cursor"] is None:
            break
        wrong = await client.get(path_of(other_id), params={"cursor": cursor})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "bad_cursor")
    assert texts == ["ba", "hai", "một"]


async def test_an_erasure_leaves_who_and_when_and_no_value(discussion: Discussion):
    """C8: in the customer's own trail, and of a task they shared in the other customer's; the rest of it stays."""
    world, other_id = discussion.world, new_id()
    await discussion.change_customer(other_id)
    both = [str(discussion.customer_id), str(other_id)]
    await discussion.post(discussion.seller_id, SECRET)
    shared = await sent(world, "POST", "/tasks", {"title": SECRET, "type": "CALL", "customer_ids": both})
    await sent(world, "POST", "/tasks", {"title": "của khách khác", "type": "CALL", "customer_ids": both[1:]})
    plan = {"customer_id": both[0], "title": SECRET}
    await sent(world, "POST", "/care-schedules", plan)
    assert ("audit", "changes", SECRET) in await traces(discussion.harness, [SECRET])
    await discussion.erase(discussion.customer_id)
    assert await traces(discussion.harness, [SECRET]) == []
    kept = await discussion.harness.sql(
        "SELECT actor_id, changes::text FROM audit WHERE customer_id = $1 ORDER BY at", discussion.customer_id
    )
    assert {row.actor_id for row in kept} == {str(world.seller_id)}
    assert kept[0].changes == '{"text": {"new": null, "old": null}}'
    left = {entry["item"]["id"]: entry["changes"] for entry in await trail(world, other_id)}
    assert left.pop(shared["id"])["title"] == {"old": None, "new": None}
    [untouched] = left.values()
    assert untouched["title"] == new("của khách khác")
