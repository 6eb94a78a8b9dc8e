"""Customers are added to campaigns, and opportunities are given, revised and removed by those who may (K1–K3)."""

from typing import Any

import pytest

from shared.contracts.campaigns import (
    OpportunityCreated,
    OpportunityEvent,
    OpportunityOwnerAssigned,
    OpportunityRemoved,
    OpportunityStatusChanged,
)
from shared.envelope import new_id
from shared.identity import EDIT_ALL, VIEW_ALL
from tests.service.campaigns.conftest import API, Office
from tests.support.records import customer, employee


def _codes(body: dict[str, Any]) -> list[str | None]:
    return [item["error"]["code"] if item["error"] else None for item in body["items"]]


async def test_only_customers_the_actor_may_change_are_added(office: Office) -> None:
    """K2, A3: seen but not changeable is `forbidden`; invisible, deleted and unknown are all `not_found`."""
    campaign = await office.campaign(relevant_ids=[str(office.lan)])
    own, viewed, others, deleted = [new_id() for _ in range(4)]
    await office.harness.deliver(
        customer(own, manager_id=office.lan),
        customer(viewed, manager_id=office.minh, viewer_ids=(office.lan,)),
        customer(others, manager_id=office.minh),
        customer(deleted, manager_id=office.lan, state="deleted"),
    )
    ids = [str(one) for one in (own, viewed, others, deleted, new_id())]
    path = f"{API}/campaigns/{campaign['id']}/opportunities"

    body = (await office.client(office.lan).post(path, json={"customer_ids": ids})).json()

    assert _codes(body) == [None, "forbidden", "not_found", "not_found", "not_found"]
    assert (body["succeeded"], body["failed"]) == (1, 4)
    assert [item["index"] for item in body["items"]] == [0, 1, 2, 3, 4]
    [event] = await office.told(OpportunityCreated)
    assert (event.version, event.state.customer_id, event.state.owner_id) == (1, own, None)
    everywhere = office.client(office.lan, VIEW_ALL, EDIT_ALL)
    assert _codes((await everywhere.post(path, json={"customer_ids": [str(others)]})).json()) == [None]


async def test_a_customer_is_in_a_campaign_once_unless_it_allows_two(office: Office) -> None:
    """K1: a second open one is `already_in_campaign`, also within one request; a closed one does not count."""
    campaign = await office.campaign()
    [one] = await office.customers(1)
    body = (await office.post_customers(campaign["id"], [one, one])).json()
    assert _codes(body) == [None, "already_in_campaign"]
    won = campaign["statuses"][1]["id"]
    path = f"{API}/opportunities/{body['items'][0]['id']}"
    assert (await office.manager.patch(path, json={"status_id": won})).status_code == 200
    again = (await office.post_customers(campaign["id"], [one])).json()
    assert _codes(again) == [None]

    reopened = await office.manager.patch(path, json={"status_id": campaign["statuses"][0]["id"]})
    assert (reopened.status_code, reopened.json()["code"]) == (409, "already_in_campaign")
    twice = await office.campaign(allow_repeat=True)
    assert _codes((await office.post_customers(twice["id"], [one, one])).json()) == [None, None]


async def test_the_waiting_time_counts_calendar_days_since_the_last_one(office: Office) -> None:
    """K1: with two days' waiting time a customer added yesterday waits, one added two days ago does not."""
    campaign = await office.campaign(allow_repeat=True, waiting_days=2)
    yesterday, before = await office.customers(2)
    await office.add(campaign["id"], [yesterday, before])
    age = "UPDATE opportunity SET created_at = created_at - make_interval(days => $2) WHERE customer_id = $1"
    await office.harness.sql(age, yesterday, 1)
    await office.harness.sql(age, before, 2)
    body = (await office.post_customers(campaign["id"], [yesterday, before])).json()
    assert _codes(body) == ["waiting_time", None]


async def test_only_managers_and_relevant_persons_add(office: Office) -> None:
    """R1: staff know the campaign but add nobody; for strangers it does not exist."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], office.lan)
    [one] = await office.customers(1)
    path, body = f"{API}/campaigns/{campaign['id']}/opportunities", {"customer_ids": [str(one)]}
    assert (await office.client(office.lan).post(path, json=body)).status_code == 403
    assert (await office.client(office.hoa).post(path, json=body)).status_code == 404


@pytest.mark.parametrize(
    ("count", "code"), [(0, "validation_failed"), (1_001, "too_many_items")], ids=["nobody", "too many"]
)
async def test_a_request_adds_between_one_and_a_thousand(office: Office, count: int, code: str) -> None:
    """A bulk request has 1 to 1,000 items."""
    campaign = await office.campaign()
    answer = await office.post_customers(campaign["id"], [new_id() for _ in range(count)])
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_adding_with_a_key_twice_adds_once(office: Office) -> None:
    """A repeated POST with its Idempotency-Key gets the first outcomes, not `already_in_campaign`."""
    campaign = await office.campaign()
    [one] = await office.customers(1)
    path, body = f"{API}/campaigns/{campaign['id']}/opportunities", {"customer_ids": [str(one)]}
    answers = [await office.manager.post(path, json=body, headers={"Idempotency-Key": "a"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len(await office.told(OpportunityCreated)) == 1


async def test_an_owner_given_by_hand_is_told_with_time_policy_and_reason(office: Office) -> None:
    """K3: `owner_assigned` carries when, under which policy, whether the previous one stays, ever later."""
    campaign = await office.campaign(manager_policy="only_if_unassigned", keep_previous_as_viewer=True)
    [opportunity] = await office.add(campaign["id"], await office.customers(1))

    answer = await office.give(opportunity, office.lan, **{"If-Match": '"1"'})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert answer.json()["reason"] == {"code": "by_hand", "employee_id": str(office.manager_id)}
    assert (await office.give(opportunity, office.minh)).json()["version"] == 3
    assert (await office.give(opportunity, office.minh)).json()["version"] == 3

    first, second = await office.told(OpportunityOwnerAssigned)
    assert (first.state.owner_id, second.state.owner_id) == (office.lan, office.minh)
    assert first.state.owner_assigned_at < second.state.owner_assigned_at
    assert (second.state.manager_policy, second.state.keep_previous_as_viewer) == ("only_if_unassigned", True)
    assert second.before["owner_id"] == str(office.lan)
    assert first.cause.kind == "user"


async def test_an_assignment_of_an_old_version_or_to_nobody_active_is_refused(office: Office) -> None:
    """A6: 412 for a version that has passed; an inactive and an unknown employee are `inactive_employee`."""
    campaign = await office.campaign()
    [opportunity] = await office.add(campaign["id"], await office.customers(1))
    await office.harness.deliver(employee(office.hoa, version=2, active=False))

    assert (await office.give(opportunity, office.lan, **{"If-Match": '"9"'})).status_code == 412
    for nobody in (office.hoa, new_id()):
        refused = await office.give(opportunity, nobody)
        assert (refused.status_code, refused.json()["code"]) == (403, "inactive_employee")
    assert await office.told(OpportunityOwnerAssigned) == []


async def test_a_won_opportunity_takes_no_owner(office: Office) -> None:
    """K2: what is closed is not handed to anybody."""
    campaign = await office.campaign()
    [opportunity] = await office.add(campaign["id"], await office.customers(1))
    won = campaign["statuses"][1]["id"]
    await office.manager.patch(f"{API}/opportunities/{opportunity}", json={"status_id": won})
    refused = await office.give(opportunity, office.lan)
    assert (refused.status_code, refused.json()["code"]) == (409, "opportunity_closed")


async def test_owner_and_managers_revise_and_each_change_is_told(office: Office) -> None:
    """K2, R1: status, value and probability; relevant persons only look; equal values change nothing."""
    campaign = await office.campaign(relevant_ids=[str(office.minh)])
    [opportunity] = await office.add(campaign["id"], await office.customers(1))
    await office.give(opportunity, office.lan)
    path, lan = f"{API}/opportunities/{opportunity}", office.client(office.lan)

    body = {"value": {"amount": 20_000_000, "currency": "VND"}, "probability": 60}
    revised = await lan.patch(path, json=body)
    assert (revised.status_code, revised.json()["value"], revised.json()["version"]) == (200, body["value"], 3)
    assert (await lan.patch(path, json=body, headers={"If-Match": '"3"'})).headers["etag"] == '"3"'
    assert (await lan.patch(path, json={"value": None})).json()["value"] is None
    [first, second] = await office.told(OpportunityStatusChanged)
    assert (set(first.changed), second.changed) == ({"value", "probability"}, ("value",))

    minh = office.client(office.minh)
    assert (await minh.get(path)).status_code == 200
    assert (await minh.patch(path, json=body)).status_code == 403
    assert (await minh.put(f"{path}/owner", json={"employee_id": str(office.minh)})).status_code == 403
    assert (await lan.put(f"{path}/owner", json={"employee_id": str(office.minh)})).status_code == 403
    assert (await office.client(office.hoa).patch(path, json=body)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"status_id": str(new_id())},
        {"status_id": None},
        {"probability": 101},
        {"value": {"amount": -1}},
        {"value": {"amount": 1, "currency": "vnd"}},
        {"owner_id": str(new_id())},
    ],
)
async def test_values_that_make_no_sense_are_refused(office: Office, body: dict[str, Any]) -> None:
    """K2: another campaign's status, impossible amounts, unknown fields: 422, nothing told."""
    campaign = await office.campaign()
    [opportunity] = await office.add(campaign["id"], await office.customers(1))
    answer = await office.manager.patch(f"{API}/opportunities/{opportunity}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert [event.version for event in await office.told(OpportunityEvent)] == [1]


async def test_customer_fields_show_to_those_who_see_the_customer(office: Office) -> None:
    """R1: a relevant person who does not see the customer reads the opportunity without the customer's name."""
    campaign = await office.campaign(relevant_ids=[str(office.minh)])
    [one] = await office.customers(1, name="Phạm Thị Đào")
    [opportunity] = await office.add(campaign["id"], [one])
    path = f"{API}/opportunities/{opportunity}"

    assert (await office.opportunity(opportunity))["customer"]["name"] == "Phạm Thị Đào"
    minh = office.client(office.minh)
    assert (await minh.get(path)).json()["customer"] is None
    assert (await minh.get(path)).json()["customer_id"] == str(one)
    assert (await minh.get(f"{API}/opportunities")).json()["items"][0]["customer"] is None
    assert "Phạm" not in (await minh.get(f"{API}/opportunities")).text


async def test_lists_show_own_ones_and_those_of_campaigns_one_is_relevant_to(office: Office) -> None:
    """R1: an owner sees theirs, a relevant person all of the campaign, staff and `campaigns:manage` nothing more."""
    first, second = await office.campaign(relevant_ids=[str(office.minh)]), await office.campaign()
    await office.staff(first["id"], office.hoa)
    ids = await office.add(first["id"], await office.customers(2))
    other = await office.add(second["id"], await office.customers(1))
    await office.give(ids[0], office.lan)
    await office.give(other[0], office.lan)

    async def seen(employee_id: Any, query: str = "", *permissions: str) -> set[str]:
        answer = await office.client(employee_id, *permissions).get(f"{API}/opportunities{query}")
        assert answer.status_code == 200, answer.text
        return {item["id"] for item in answer.json()["items"]}

    assert await seen(office.lan) == {ids[0], other[0]}
    assert await seen(office.minh) == set(ids)
    assert await seen(office.hoa, "", "campaigns:manage") == set()
    assert await seen(office.lan, f"?campaign_id={first['id']}") == {ids[0]}
    assert await seen(office.minh, f"?campaign_id={second['id']}") == set()
    assert await seen(office.minh, f"?campaign_id={first['id']}&campaign_id={second['id']}") == set(ids)
    assert await seen(office.manager_id, f"?owner={office.lan}") == {ids[0], other[0]}
    assert await seen(office.manager_id, f"?campaign_id={first['id']}&status={first['statuses'][0]['id']}") == set(ids)
    assert await seen(office.manager_id, f"?status={first['statuses'][1]['id']}") == set()


async def test_a_list_item_is_the_record(office: Office) -> None:
    """Both ways of writing an opportunity as JSON, by SQL and by the model, say the same."""
    campaign = await office.campaign()
    [one] = await office.customers(1)
    [opportunity] = await office.add(campaign["id"], [one])
    await office.give(opportunity, office.lan)
    await office.manager.patch(f"{API}/opportunities/{opportunity}", json={"value": {"amount": 7}, "probability": 5})
    for client in (office.manager, office.client(office.lan)):
        record = (await client.get(f"{API}/opportunities/{opportunity}")).json()
        listed = (await client.get(f"{API}/opportunities?customer_id={one}")).json()["items"]
        assert listed == [record]


async def test_pages_follow_each_other_and_a_total_is_counted_on_demand(office: Office) -> None:
    """P5: keyset pages newest first or oldest first, each opportunity once; forged cursors are 422."""
    campaign = await office.campaign()
    ids = await office.add(campaign["id"], await office.customers(5))
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = (await office.manager.get(f"{API}/opportunities?sort=created_at&limit=2&total=true{cursor}")).json()
        seen += [item["id"] for item in page["items"]]
        assert page["total"] == 5
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert seen == ids
    for query in ("cursor=AAAA", "limit=0", "limit=201", "sort=name", "owner=x", "colour=red"):
        assert (await office.manager.get(f"{API}/opportunities?{query}")).status_code == 422


async def test_a_removed_opportunity_is_gone_and_told(office: Office) -> None:
    """K2, R1: managers remove, owners do not; afterwards it is unknown and the customer can be added again."""
    campaign = await office.campaign()
    [one] = await office.customers(1)
    [opportunity] = await office.add(campaign["id"], [one])
    await office.give(opportunity, office.lan)
    path = f"{API}/opportunities/{opportunity}"

    assert (await office.client(office.lan).delete(path)).status_code == 403
    assert (await office.manager.delete(path, headers={"If-Match": '"1"'})).status_code == 412
    assert (await office.manager.delete(path)).status_code == 204
    assert (await office.manager.get(path)).status_code == 404
    assert (await office.manager.delete(path)).status_code == 404
    [event] = await office.told(OpportunityRemoved)
    assert (event.version, event.state.state, event.state.owner_id) == (3, "removed", office.lan)
    await office.add(campaign["id"], [one])


async def test_a_malformed_id_reads_like_an_unknown_one(office: Office) -> None:
    """A malformed id is 404, as an unknown one is."""
    for path in ("opportunities/x", f"opportunities/{new_id()}", "campaigns/x", "campaigns/x/queue"):
        answer = await office.manager.get(f"{API}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
