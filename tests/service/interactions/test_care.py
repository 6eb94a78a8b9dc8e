"""Care schedules: plans for a customer, and activities that are contacts until they are taken back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.contracts.customers import CustomerErased, ErasedState
from shared.contracts.events import Cause
from shared.envelope import new_id
from tests.service.interactions.world import World, at
from tests.support.records import customer, employee

PATH = "/api/v1/care-schedules"


async def plan(world: World, **fields: Any) -> dict[str, Any]:
    """A care schedule of the seller's."""
    given = {"customer_id": str(world.customer_id), "title": "Chăm sóc sau bán", "starts_on": "2026-11-02"}
    answer = await world.seller.post(PATH, json=given | fields)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{PATH}/{answer.json()['id']}"
    return answer.json()


async def care(world: World, schedule: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """An activity of the seller's."""
    answer = await world.seller.post(f"{PATH}/{schedule['id']}/activities", json={"text": "Gọi thăm"} | fields)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{PATH}/{schedule['id']}/activities/{answer.json()['id']}"
    return answer.json()


async def test_any_care_activity_is_a_contact_when_it_occurred(world: World):
    """L1, L2, L6, L7, I14: by whom and which; one side only, the count unmoved; the plan alone is none."""
    schedule = await plan(world)
    assert (await world.summary())["last_contact"] is None
    activity = await care(world, schedule)
    await care(world, schedule, occurred_at=at(0).isoformat())
    shown = await world.summary()
    assert shown["last_contact"] == {
        "at": activity["occurred_at"],
        "kind": "care",
        "employee_id": str(world.seller_id),
        "source_system": "rapport",
        "source_id": activity["id"],
    }
    assert (shown["interaction_count"], shown["last_two_way_contact"]) == (1, None)
    assert set((await world.explanation()).values()) == {0}


async def test_deleting_an_activity_uncovers_the_contact_before(world: World):
    """L4: recomputed from what is left, down to none."""
    schedule = await plan(world)
    first, second = [await care(world, schedule, occurred_at=at(n).isoformat()) for n in (1, 2)]
    left = [at(1), None]
    for activity in (second, first):
        path = f"{PATH}/{schedule['id']}/activities/{activity['id']}"
        assert (await world.seller.delete(path)).status_code == 204
        contact = (await world.summary())["last_contact"]
        assert (contact and datetime.fromisoformat(contact["at"])) == left.pop(0)
        assert (await world.seller.delete(path)).status_code == 404
    assert (await world.seller.get(f"{PATH}/{schedule['id']}")).json()["activities"] == []


async def test_deleting_a_schedule_takes_its_activities_back(world: World):
    """L4: all of them at once; another schedule's stay."""
    kept, gone = await plan(world), await plan(world)
    await care(world, kept, occurred_at=at(0).isoformat())
    for n in (1, 2):
        await care(world, gone, occurred_at=at(n).isoformat())
    assert (await world.seller.delete(f"{PATH}/{gone['id']}")).status_code == 204
    assert datetime.fromisoformat((await world.summary())["last_contact"]["at"]) == at(0)
    assert (await world.seller.get(f"{PATH}/{gone['id']}")).status_code == 404


async def test_schedules_are_read_and_changed_as_their_customer_allows(world: World):
    """R1: invisible is the same 404; a viewer reads and plans their own; creator and A3 change."""
    viewer, boss = new_id(), new_id()
    await world.harness.deliver(
        employee(viewer), employee(boss), employee(world.seller_id, version=2, superior_id=boss)
    )
    await world.harness.deliver(
        customer(world.customer_id, version=2, manager_id=world.seller_id, viewer_ids=(viewer,))
    )
    schedule = await plan(world)
    activity = await care(world, schedule)
    path = f"{PATH}/{schedule['id']}"
    looking = world.harness.client(viewer)
    assert (await looking.get(path)).json()["allowed"] == []
    service = world.harness.client("erp", ["customers:view_all", "documents:write"], "service")
    for client, status in ((world.stranger, 404), (looking, 403), (service, 403)):
        for refused in (
            await client.patch(path, json={"title": "x"}),
            await client.post(f"{path}/activities", json={"text": "x"}),
            await client.delete(f"{path}/activities/{activity['id']}"),
            await client.delete(path),
        ):
            assert refused.status_code == status, refused.text
    assert (await world.stranger.get(path)).status_code == 404
    assert (await world.stranger.get(PATH, params={"customer_id": str(world.customer_id)})).status_code == 404
    for client, status in ((world.stranger, 404), (service, 403), (looking, 201)):
        assert (
            await client.post(PATH, json={"customer_id": str(world.customer_id), "title": "x"})
        ).status_code == status
    superior = world.harness.client(boss)
    assert (await superior.patch(path, json={"title": "Mới"})).json()["title"] == "Mới"
    assert (await superior.delete(f"{path}/activities/{activity['id']}")).status_code == 204


async def test_a_stale_version_is_refused_and_equal_values_change_nothing(world: World):
    """The ETag is the schedule's, also for its activities."""
    schedule = await plan(world)
    path, stale = f"{PATH}/{schedule['id']}", {"If-Match": '"1"'}
    same = await world.seller.patch(path, json={"title": schedule["title"], "starts_on": "2026-11-02"})
    assert same.headers["etag"] == '"1"'
    added = await world.seller.post(f"{path}/activities", json={"text": "x"}, headers=stale)
    assert (added.status_code, added.headers["etag"]) == (201, '"2"')
    for refused in (
        await world.seller.patch(path, json={"title": "x"}, headers=stale),
        await world.seller.post(f"{path}/activities", json={"text": "x"}, headers=stale),
        await world.seller.delete(f"{path}/activities/{added.json()['id']}", headers=stale),
        await world.seller.delete(path, headers=stale),
    ):
        assert (refused.status_code, refused.json()["code"]) == (412, "version_conflict")


async def test_lists_are_of_one_customer_page_by_page(world: World):
    """R1, P5: newest first or oldest, each with its latest activities."""
    schedules = [await plan(world, title=f"s{n}") for n in range(3)]
    await care(world, schedules[0])
    query = {"customer_id": str(world.customer_id), "limit": 2, "total": True}
    first = (await world.seller.get(PATH, params=query)).json()
    second = (await world.seller.get(PATH, params=query | {"cursor": first["next_cursor"]})).json()
    assert [item["title"] for item in first["items"] + second["items"]] == ["s2", "s1", "s0"]
    assert (first["total"], second["items"][0]["activity_count"], second["next_cursor"]) == (3, 1, None)
    oldest = (await world.seller.get(PATH, params=query | {"sort": "created_at"})).json()
    assert [item["title"] for item in oldest["items"]] == ["s0", "s1"]


@pytest.mark.parametrize(
    "fields",
    [
        {"text": ""},
        {"text": "x" * 10_001},
        {"occurred_at": "1899-12-31T00:00:00Z"},
        {"occurred_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()},
        {"employee_id": str(new_id())},
    ],
)
async def test_an_activity_that_cannot_be_is_refused(world: World, fields: dict[str, Any]):
    """Each field past its limits; not in the future, and always as oneself."""
    schedule = await plan(world)
    answer = await world.seller.post(f"{PATH}/{schedule['id']}/activities", json={"text": "x"} | fields)
    assert answer.status_code == 422
    assert (await world.summary())["last_contact"] is None


async def test_erasing_a_customer_forgets_their_care(world: World):
    """C8: schedules, activities and the facts about them."""
    schedule = await plan(world, title="Chị Lan")
    answered = {"Idempotency-Key": "once"}
    path = f"{PATH}/{schedule['id']}/activities"
    for replayed in (None, "true"):
        answer = await world.seller.post(path, json={"text": "Chị Lan vui"}, headers=answered)
        assert (answer.status_code, answer.headers.get("idempotency-replayed")) == (201, replayed)
    await world.harness.deliver(
        CustomerErased(version=3, state=ErasedState(id=world.customer_id), cause=Cause(kind="user"))
    )
    for table in ("care_schedule", "care_activity", "fact", "ledger", "idempotency"):
        assert await world.harness.sql(f"SELECT count(*) FROM {table}") == [(0,)]
