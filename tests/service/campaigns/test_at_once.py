"""What happens at once, or in the middle of something longer: bulks, people who leave, changes of one version (K4)."""

import asyncio
from collections import Counter
from datetime import date
from uuid import UUID

from services.campaigns.jobs import distribute_waiting
from services.campaigns.worker import work_next
from shared.contracts.campaigns import OpportunityOwnerAssigned
from shared.identity import MANAGE_CAMPAIGNS, SETTINGS
from tests.service.campaigns.conftest import API, Office

TODAY = date(2026, 11, 24)
BULK = 750


async def _work(office: Office) -> None:
    while await work_next(office.harness.database):
        pass


async def _filled(office: Office, *staff: UUID) -> str:
    """A campaign with more opportunities than one request hands out."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], *staff)
    for _ in range(3):
        await office.add(campaign["id"], await office.customers(BULK))
    return campaign["id"]


async def test_two_bulks_at_once_done_by_two_workers_give_everything_once_and_fairly(office: Office) -> None:
    """K4: the same distribution asked for twice: no opportunity has two owners, nobody is a turn away."""
    campaign_id = await _filled(office, office.lan, office.minh, office.hoa)
    path = f"{API}/campaigns/{campaign_id}/distribute"
    asked = await asyncio.gather(*(office.manager.post(path, json={}) for _ in range(2)))
    assert [answer.status_code for answer in asked] == [202, 202]
    await asyncio.gather(_work(office), _work(office))
    await _work(office)
    work = [(await office.manager.get(answer.headers["location"])).json() for answer in asked]
    assert [one["state"] for one in work] == ["finished", "finished"]
    assert sum(one["done"] for one in work) == 3 * BULK
    told = await office.told(OpportunityOwnerAssigned)
    assert len({event.state.id for event in told}) == len(told) == 3 * BULK
    assert set(Counter(event.state.owner_id for event in told).values()) == {BULK}


async def test_who_leaves_in_the_middle_of_a_bulk_keeps_nothing_and_gets_nothing_more(office: Office) -> None:
    """K4: the set of people changes between two batches; what the leaving one had is handed on by turns."""
    campaign_id = await _filled(office, office.lan, office.minh, office.hoa)
    await office.manager.post(f"{API}/campaigns/{campaign_id}/distribute", json={})
    assert await work_next(office.harness.database)
    await office.staff(campaign_id, office.minh, office.hoa)
    await _work(office)
    rows = await office.harness.sql("SELECT owner_id, count(*) FROM opportunity GROUP BY 1")
    counts = {row[0]: row[1] for row in rows}
    assert counts.keys() == {office.minh, office.hoa}
    assert abs(counts[office.minh] - counts[office.hoa]) <= 2


async def test_the_queue_drains_by_itself_when_a_new_day_brings_capacity(office: Office) -> None:
    """K4: the job gives out what the day's capacity allows, the oldest first, and leaves the rest with its reason."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], {"employee_id": str(office.lan), "daily_capacity": 1})
    ids = await office.add(campaign["id"], await office.customers(3))
    assert (await office.distribute(campaign["id"]))["queued"] == 2
    assert (await distribute_waiting(office.harness.database, office.harness.settings, TODAY))["assigned"] == 0
    await office.harness.sql("UPDATE distribution_turn SET given_on = given_on - 1")
    assert (await distribute_waiting(office.harness.database, office.harness.settings, TODAY))["assigned"] == 1
    waiting = (await office.manager.get(f"{API}/campaigns/{campaign['id']}/queue")).json()["items"]
    assert [(item["id"], item["reason"]["code"]) for item in waiting] == [(ids[2], "queued_capacity")]
    assert (await office.opportunity(ids[1]))["reason"]["code"] == "round_robin"


async def test_of_two_changes_of_one_version_at_once_one_is_done(office: Office) -> None:
    """K1, K2, K5: owner, campaign, staff and rule: the second writer of the same `If-Match` is told 412."""
    campaign = await office.campaign()
    [one] = await office.add(campaign["id"], await office.customers(1))
    path, writer = f"{API}/campaigns/{campaign['id']}", office.client(office.manager_id, MANAGE_CAMPAIGNS, SETTINGS)
    action = {"kind": "create_task", "title": "Gọi lại", "type": "CALL"}
    rule = {"name": "Gọi", "trigger": {"kind": "created"}, "actions": [action]}
    made = await writer.post(f"{API}/automations", json=rule)
    assert made.status_code == 201, made.text
    people = [str(office.lan), str(office.minh)]
    for method, address, bodies in (
        ("PUT", f"{API}/opportunities/{one}/owner", [{"employee_id": person} for person in people]),
        ("PATCH", path, [{"name": "Hè"}, {"name": "Thu"}]),
        ("PATCH", f"{API}/automations/{made.json()['id']}", [{"name": "Hai"}, {"name": "Ba"}]),
        ("PUT", f"{path}/staff", [{"items": [{"employee_id": person}]} for person in people]),
    ):
        read = await writer.get(address.removesuffix("/owner"))
        headers = {"If-Match": read.headers["etag"]}
        answers = await asyncio.gather(
            *(writer.request(method, address, json=body, headers=headers) for body in bodies)
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412], (address, [a.text for a in answers])
