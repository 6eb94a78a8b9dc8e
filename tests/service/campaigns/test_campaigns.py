"""Campaigns are begun, read, changed and ended by those who may (K1, R1)."""

import pytest

from shared.contracts.campaigns import CampaignChanged, OpportunityRemoved
from shared.envelope import new_id
from shared.identity import MANAGE_CAMPAIGNS
from tests.service.campaigns.conftest import API, Office
from tests.support.records import employee


async def test_a_campaign_begins_with_its_maker_as_manager_and_three_statuses(office: Office) -> None:
    """K1: what is not said has its default, the code is generated, and the whole state is told once."""
    answer = await office.manager.post(f"{API}/campaigns", json={"name": "Tết 2027"})

    assert answer.status_code == 201
    campaign = answer.json()
    assert answer.headers["location"] == f"{API}/campaigns/{campaign['id']}"
    assert answer.headers["etag"] == '"1"'
    assert campaign["code"] == "CP000001"
    assert campaign["manager_ids"] == [str(office.manager_id)]
    assert [(s["name"], s["kind"], s["start"]) for s in campaign["statuses"]] == [
        ("New", "open", True),
        ("Won", "won", False),
        ("Lost", "lost", False),
    ]
    assert campaign["manager_policy"] == "replace"
    assert "staff" in campaign["allowed"]
    [event] = await office.told(CampaignChanged)
    assert (event.version, str(event.state.id), event.state.code) == (1, campaign["id"], "CP000001")


async def test_a_code_is_used_once_for_ever(office: Office) -> None:
    """K1: a given code is raised and taken, also after its campaign has ended; the generator passes it over."""
    first = await office.campaign(code="cp000001")
    assert first["code"] == "CP000001"
    assert (await office.manager.delete(f"{API}/campaigns/{first['id']}")).status_code == 204

    again = await office.manager.post(f"{API}/campaigns", json={"name": "Hè", "code": "CP000001"})
    assert (again.status_code, again.json()["code"]) == (409, "code_taken")
    assert (await office.campaign())["code"] == "CP000002"


async def test_beginning_needs_the_permission(office: Office) -> None:
    """R1: an employee without `campaigns:manage` begins no campaign."""
    answer = await office.client(office.lan).post(f"{API}/campaigns", json={"name": "Hè"})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "a", "colour": "red"}, "/colour"),
        ({"name": "a", "waiting_days": -1}, "/waiting_days"),
        ({"name": "a", "manager_policy": "never"}, "/manager_policy"),
        ({"name": "a", "starts_on": "2027-02-01", "ends_on": "2027-01-01"}, ""),
        ({"name": "a", "statuses": [{"name": "Won", "kind": "won", "start": True}]}, "/statuses"),
        ({"name": "a", "relevant_ids": ["00000000-0000-7000-8000-000000000001"]}, "/relevant_ids/0"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_its_place(
    office: Office, body: dict[str, object], pointer: str
) -> None:
    """K1, A6: unknown fields, impossible values and unknown people are 422 with a pointer; nothing is told."""
    answer = await office.manager.post(f"{API}/campaigns", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert await office.told(CampaignChanged) == []


async def test_a_patch_changes_what_it_names_under_the_version_that_was_read(office: Office) -> None:
    """K1: an old version is 412; equal values are no event and keep the ETag; others tell what changed."""
    campaign = await office.campaign(starts_on="2027-01-01")
    path = f"{API}/campaigns/{campaign['id']}"

    same = await office.manager.patch(path, json={"name": "Tết 2027"}, headers={"If-Match": '"1"'})
    assert (same.status_code, same.headers["etag"]) == (200, '"1"')
    changed = await office.manager.patch(path, json={"name": "Hè", "starts_on": None, "waiting_days": 3})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert (changed.json()["starts_on"], changed.json()["waiting_days"]) == (None, 3)
    stale = await office.manager.patch(path, json={"name": "Thu"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "version_conflict")

    event = (await office.told(CampaignChanged))[-1]
    assert (event.version, set(event.changed), event.before["name"]) == (2, {"name", "starts_on"}, "Tết 2027")


async def test_a_code_is_fixed_and_a_name_cannot_be_emptied(office: Office) -> None:
    """K1: the code is a system field after creation; null is no name."""
    path = f"{API}/campaigns/{(await office.campaign())['id']}"
    code = await office.manager.patch(path, json={"code": "X"})
    assert (code.status_code, code.json()["code"]) == (422, "system_field")
    assert (await office.manager.patch(path, json={"name": None})).status_code == 422
    assert (await office.manager.patch(path, json={"ends_on": "1999-01-01", "starts_on": "2000-01-01"})).json()[
        "errors"
    ][0]["pointer"] == "/ends_on"


async def test_managers_change_others_who_know_it_do_not_and_strangers_get_404(office: Office) -> None:
    """R1: relevant persons, staff and `campaigns:manage` read; only managers change; for the rest it is unknown."""
    campaign = await office.campaign(relevant_ids=[str(office.lan)])
    await office.staff(campaign["id"], office.minh)
    path, unknown = f"{API}/campaigns/{campaign['id']}", f"{API}/campaigns/{new_id()}"

    for client in (office.client(office.lan), office.client(office.minh), office.client(office.hoa, MANAGE_CAMPAIGNS)):
        assert (await client.get(path)).status_code == 200
        assert (await client.patch(path, json={"name": "x"})).status_code == 403
        assert (await client.put(f"{path}/staff", json={"items": []})).status_code == 403
        assert (await client.post(f"{path}/distribute", json={})).status_code == 403
    stranger = office.client(office.hoa)
    answers = [(await stranger.get(one)).json() for one in (path, unknown)]
    for answer in answers:
        answer.pop("trace_id")
    assert answers[0] == answers[1]
    assert (await stranger.patch(path, json={"name": "x"})).status_code == 404


async def test_lists_show_what_the_asker_may_know_of_page_by_page(office: Office) -> None:
    """R1, K1: staff see the campaign, `relevant_to=me` means managers and relevant persons; cursors are bound."""
    ids = [(await office.campaign(relevant_ids=[str(office.lan)] if n == 1 else []))["id"] for n in range(3)]
    await office.staff(ids[0], office.lan)
    lan = office.client(office.lan)

    everything = (await lan.get(f"{API}/campaigns?total=true")).json()
    assert ([item["id"] for item in everything["items"]], everything["total"]) == ([ids[1], ids[0]], 2)
    relevant = (await lan.get(f"{API}/campaigns?relevant_to=me")).json()
    assert [item["id"] for item in relevant["items"]] == [ids[1]]

    first = (await office.manager.get(f"{API}/campaigns?limit=2&sort=created_at")).json()
    second = (await office.manager.get(f"{API}/campaigns?limit=2&sort=created_at&cursor={first['next_cursor']}")).json()
    assert [item["id"] for item in first["items"] + second["items"]] == ids
    assert second["next_cursor"] is None
    misused = await office.manager.get(f"{API}/campaigns?limit=2&cursor={first['next_cursor']}")
    assert (misused.status_code, misused.json()["code"]) == (422, "bad_cursor")


async def test_a_list_item_is_the_record_without_what_is_allowed(office: Office) -> None:
    """Both ways of writing a campaign as JSON, by SQL and by the model, say the same."""
    campaign = await office.campaign(starts_on="2027-01-01", relevant_ids=[str(office.minh)])
    await office.staff(campaign["id"], office.lan)
    record = (await office.manager.get(f"{API}/campaigns/{campaign['id']}")).json()
    [item] = (await office.manager.get(f"{API}/campaigns")).json()["items"]
    assert item == {name: value for name, value in record.items() if name != "allowed"}


async def test_an_ended_campaign_is_gone_and_its_opportunities_are_removed(office: Office) -> None:
    """K3: so that nobody keeps sight of a customer by a campaign that is no more."""
    campaign = await office.campaign()
    [opportunity] = await office.add(campaign["id"], await office.customers(1))
    await office.give(opportunity, office.lan)
    path = f"{API}/campaigns/{campaign['id']}"

    assert (await office.manager.delete(path, headers={"If-Match": '"7"'})).status_code == 412
    assert (await office.manager.delete(path)).status_code == 204

    assert (await office.manager.get(path)).status_code == 404
    assert (await office.manager.get(f"{API}/opportunities/{opportunity}")).status_code == 404
    assert (await office.client(office.lan).get(f"{API}/opportunities")).json()["items"] == []
    [removed] = await office.told(OpportunityRemoved)
    assert (removed.version, removed.state.state) == (3, "removed")
    assert (await office.told(CampaignChanged))[-1].state.state == "deleted"


async def test_a_repeated_request_with_its_key_begins_one_campaign(office: Office) -> None:
    """A POST with an Idempotency-Key is done once; the repetition gets the first answer."""
    answers = [
        await office.manager.post(f"{API}/campaigns", json={"name": "Tết"}, headers={"Idempotency-Key": "k1"})
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert len(await office.told(CampaignChanged)) == 1


async def test_an_inactive_manager_who_was_there_may_stay_but_not_come(office: Office) -> None:
    """A6: people named before may have become inactive since; nobody inactive is named anew."""
    campaign = await office.campaign(relevant_ids=[str(office.lan)])
    await office.harness.deliver(employee(office.lan, version=2, active=False))
    path = f"{API}/campaigns/{campaign['id']}"
    kept = await office.manager.patch(path, json={"relevant_ids": [str(office.lan), str(office.minh)]})
    assert kept.status_code == 200
    other = await office.manager.patch(path, json={"manager_ids": [str(office.manager_id), str(new_id())]})
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (422, "/manager_ids/1")


async def test_a_service_begins_a_campaign_only_for_somebody(office: Office) -> None:
    """R2: a service token with the permission must name managers, since it cannot be one."""
    service = office.harness.client("crm-sync", [MANAGE_CAMPAIGNS], kind="service")
    assert (await service.post(f"{API}/campaigns", json={"name": "Tết"})).status_code == 422
    body = {"name": "Tết", "manager_ids": [str(office.lan)]}
    assert (await service.post(f"{API}/campaigns", json=body)).status_code == 201
