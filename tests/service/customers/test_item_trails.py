"""Who did what to groups, sectors, sources and relationships, read by those who may change them."""

from typing import Any
from uuid import uuid4

import pytest

from services.customers.domain.employee import FIRST_EMPLOYEE_ID
from shared.contracts.classification import relationship_id
from tests.service.customers.conftest import Team

API = "/api/v1"
TREES = ("groups", "sectors", "sources")


async def trail(team: Team, path: str) -> list[dict[str, Any]]:
    """Entries of a value, the oldest first."""
    answer = await team.admin.get(f"{API}/{path}/audit")
    assert answer.status_code == 200, answer.text
    return answer.json()["items"][::-1]


@pytest.mark.parametrize("kind", TREES)
async def test_every_change_of_a_value_is_in_its_trail(team: Team, kind: str) -> None:
    """A5, G2: made, renamed, disabled, enabled: by whom, and what it was before and is now."""
    made = (await team.admin.post(f"{API}/{kind}", json={"name": "Miền Bắc"})).json()
    path = f"{API}/{kind}/{made['id']}"
    await team.admin.patch(path, json={"name": "Miền Nam"})
    await team.admin.patch(path, json={"name": "Miền Nam"})
    await team.admin.delete(path)
    await team.admin.post(f"{path}/restore")
    entries = await trail(team, f"{kind}/{made['id']}")
    assert [entry["changes"].get("name") or entry["changes"]["state"] for entry in entries] == [
        {"old": None, "new": "Miền Bắc"},
        {"old": "Miền Bắc", "new": "Miền Nam"},
        {"old": "active", "new": "disabled"},
        {"old": "disabled", "new": "active"},
    ]
    assert {(entry["actor"]["id"], entry["cause"]["kind"]) for entry in entries} == {(str(FIRST_EMPLOYEE_ID), "user")}


async def test_the_trail_of_a_source_has_its_costs_and_of_a_relationship_its_days(team: Team) -> None:
    """A5, G3, G4: what no event tells is on record, too."""
    web = (await team.admin.post(f"{API}/sources", json={"name": "Web"})).json()
    cost = {"kind": "spent", "amount": {"amount": 7}, "from": "2026-03-01"}
    await team.admin.post(f"{API}/sources/{web['id']}/costs", json=cost)
    booked = (await trail(team, f"sources/{web['id']}"))[-1]
    [of_cost] = booked["changes"].values()
    assert (booked["event_id"], of_cost["amount"]) == (None, {"old": None, "new": 7})
    new = relationship_id("new")
    await team.admin.patch(f"{API}/relationships/{new}", json={"forget_after_days": 45})
    entries = await trail(team, f"relationships/{new}")
    assert entries[-1]["changes"] == {"forget_after_days": {"old": 30, "new": 45}}


async def test_a_trail_is_for_those_who_may_change_the_value(team: Team) -> None:
    """R1: without crm:settings 403; an unknown value, or one of another kind, is 404 to everybody."""
    group = (await team.admin.post(f"{API}/groups", json={"name": "Sỉ"})).json()["id"]
    assert (await team.binh.get(f"{API}/groups/{group}/audit")).status_code == 403
    new = relationship_id("new")
    assert (await team.binh.get(f"{API}/relationships/{new}/audit")).status_code == 403
    for kind, item_id in (("sectors", group), ("relationships", group), ("groups", new), ("sources", uuid4())):
        for client in (team.admin, team.binh):
            assert (await client.get(f"{API}/{kind}/{item_id}/audit")).status_code == 404


async def test_a_trail_goes_on_page_by_page(team: Team) -> None:
    """P5: newest first, every entry once; a cursor of another trail is refused."""
    group, other = [(await team.admin.post(f"{API}/groups", json={"name": name})).json()["id"] for name in ("Sỉ", "Lẻ")]
    for name in ("Sỉ 1", "Sỉ 2"):
        await team.admin.patch(f"{API}/groups/{group}", json={"name": name})
    path, names, cursor = f"{API}/groups/{group}/audit", [], None
    while True:
        page = (await team.admin.get(path, params={"limit": 1, **({"cursor": cursor} if cursor else {})})).json()
        names += [entry["changes"]["name"]["new"] for entry in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
        assert (await team.admin.get(f"{API}/groups/{other}/audit", params={"cursor": cursor})).status_code == 422
    assert names == ["Sỉ 2", "Sỉ 1", "Sỉ"]
