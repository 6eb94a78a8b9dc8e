"""A campaign's statuses are replaced as a whole; one in use needs another in its place (K1)."""

from typing import Any

import pytest

from shared.contracts.campaigns import CampaignChanged, OpportunityStatusChanged
from shared.envelope import new_id
from tests.service.campaigns.conftest import API, Office


async def _statuses(office: Office, campaign_id: str) -> list[dict[str, Any]]:
    return (await office.manager.get(f"{API}/campaigns/{campaign_id}/statuses")).json()["items"]


async def test_what_was_read_can_be_sent_back_and_changes_nothing(office: Office) -> None:
    """K1: equal statuses keep version and ETag; the version is the campaign's."""
    campaign = await office.campaign()
    path = f"{API}/campaigns/{campaign['id']}/statuses"
    answer = await office.manager.put(path, json={"items": await _statuses(office, campaign["id"])})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')


async def test_statuses_are_renamed_added_and_put_in_order(office: Office) -> None:
    """K1: an item with an id keeps it, one without is new, and the order is the request's."""
    campaign = await office.campaign()
    new, won, lost = await _statuses(office, campaign["id"])
    wanted = [new | {"name": "Mới"}, {"name": "Đang gọi", "kind": "open"}, lost, won]
    answer = await office.manager.put(f"{API}/campaigns/{campaign['id']}/statuses", json={"items": wanted})

    assert answer.status_code == 200
    items = answer.json()["items"]
    assert [item["name"] for item in items] == ["Mới", "Đang gọi", "Lost", "Won"]
    assert (items[0]["id"], items[2]["id"]) == (new["id"], lost["id"])
    event = (await office.told(CampaignChanged))[-1]
    assert event.changed == ("statuses",)
    assert [status.position for status in event.state.statuses] == [0, 1, 2, 3]
    assert await _statuses(office, campaign["id"]) == items


async def test_a_status_in_use_goes_only_when_another_takes_its_place(office: Office) -> None:
    """K1: left out while in use is 409 `in_use`; with a replacement its opportunities move and tell it."""
    campaign = await office.campaign()
    [opportunity] = await office.add(campaign["id"], await office.customers(1))
    new, won, lost = await _statuses(office, campaign["id"])
    fresh = {"name": "Tiếp cận", "kind": "open", "start": True}
    path = f"{API}/campaigns/{campaign['id']}/statuses"

    refused = await office.manager.put(path, json={"items": [fresh, won, lost]})
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    body = {"items": [fresh, won, lost, {"id": new["id"], "replacement_id": won["id"]}]}
    moved = await office.manager.put(path, json=body)
    assert moved.status_code == 200, moved.text

    assert (await office.opportunity(opportunity))["status_id"] == won["id"]
    [event] = await office.told(OpportunityStatusChanged)
    assert (event.version, str(event.state.status_id)) == (2, won["id"])
    assert new["id"] not in [item["id"] for item in moved.json()["items"]]


@pytest.mark.parametrize("way", ["kind", "replacement", "replacement that opens"])
async def test_what_is_closed_is_not_reopened_by_a_change_of_statuses(office: Office, way: str) -> None:
    """K1, K7: it might be a second open one, or a deleted customer's: 409 `in_use`; nobody in it, and it is done."""
    campaign = await office.campaign()
    [one] = await office.customers(1)
    [closed] = await office.add(campaign["id"], [one])
    new, won, lost = await _statuses(office, campaign["id"])
    await office.manager.patch(f"{API}/opportunities/{closed}", json={"status_id": won["id"]})
    await office.add(campaign["id"], [one])
    bodies = {
        "kind": [new, won | {"kind": "open"}, lost],
        "replacement": [new, lost, {"id": won["id"], "replacement_id": new["id"]}],
        "replacement that opens": [new, lost | {"kind": "open"}, {"id": won["id"], "replacement_id": lost["id"]}],
    }
    path, body = f"{API}/campaigns/{campaign['id']}/statuses", {"items": bodies[way]}

    refused = await office.manager.put(path, json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert await _statuses(office, campaign["id"]) == [new, won, lost]

    await office.manager.delete(f"{API}/opportunities/{closed}")
    assert (await office.manager.put(path, json=body)).status_code == 200


@pytest.mark.parametrize(
    "items",
    [
        [],
        [{"name": "Won", "kind": "won", "start": True}],
        [{"name": "A", "kind": "open", "start": True}, {"name": "B", "kind": "open", "start": True}],
        [{"name": "A", "kind": "open", "start": True}, {"kind": "won"}],
        [{"name": "A", "kind": "open", "start": True, "id": str(new_id())}],
        [{"name": "A", "kind": "open", "start": True}, {"id": str(new_id()), "replacement_id": str(new_id())}],
    ],
)
async def test_statuses_that_make_no_sense_are_refused(office: Office, items: list[dict[str, Any]]) -> None:
    """K1: exactly one open status is the start; ids and replacements must be the campaign's own."""
    campaign = await office.campaign()
    answer = await office.manager.put(f"{API}/campaigns/{campaign['id']}/statuses", json={"items": items})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert len(await _statuses(office, campaign["id"])) == 3
