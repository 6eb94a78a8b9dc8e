"""Why somebody can see a customer: by name, for who may change it; everybody about themselves."""

from typing import Any
from uuid import uuid4

import pytest

from services.customers.domain import creation, responsibility
from shared.identity import VIEW_ALL
from tests.service.customers.conftest import Team
from tests.service.customers.test_opportunity_owners import assigned, manager_of


async def reasons(team: Team, asker: Any, customer_id: object, name: str) -> Any:
    """What the asker is told of somebody's sight, or the refusal's status."""
    answer = await asker.get(f"/api/v1/customers/{customer_id}/access", params={"employee_id": str(team.ids[name])})
    return answer.json()["reasons"] if answer.status_code == 200 else answer.status_code


async def test_sight_is_explained_by_name(team: Team) -> None:
    """A7: responsible, viewer with its cause, superior with the levels between; nobody else has a reason."""
    customer = await team.create(team.binh, viewer_ids=[str(team.ids["dung"])])
    binh = str(team.ids["binh"])
    assert await reasons(team, team.binh, customer["id"], "binh") == [
        {"reason": "responsible", "employee_id": binh, "levels": 0}
    ]
    assert await reasons(team, team.binh, customer["id"], "an") == [
        {"reason": "superior", "employee_id": binh, "levels": 1}
    ]
    assert await reasons(team, team.an, customer["id"], "dung") == [
        {"reason": "viewer", "cause": {"kind": "user", "id": None}}
    ]
    assert await reasons(team, team.binh, customer["id"], "chi") == []


async def test_holders_of_view_all_are_named_as_a_class_only(team: Team) -> None:
    """A7: tokens say who sees everything, the directory does not."""
    customer = await team.create(team.binh)
    everything = team.as_("dung", VIEW_ALL)
    answer = await everything.get(
        f"/api/v1/customers/{customer['id']}/access", params={"employee_id": str(team.ids["dung"])}
    )
    assert (answer.json()["reasons"], answer.json()["also"]) == ([], ["customers:view_all"])


async def test_others_are_explained_to_who_may_change_the_customer(team: Team) -> None:
    """R1: a viewer learns why they see it themselves, not why others do; who sees nothing gets the usual 404."""
    customer = await team.create(team.binh, viewer_ids=[str(team.ids["dung"])])
    assert len(await reasons(team, team.dung, customer["id"], "dung")) == 1
    assert await reasons(team, team.dung, customer["id"], "binh") == 403
    assert await reasons(team, team.chi, customer["id"], "chi") == 404
    assert await reasons(team, team.chi, uuid4(), "chi") == 404


async def test_a_lost_right_ends_with_the_commit(team: Team) -> None:
    """A2: superior, manager and viewer lose sight at once when the tree or the customer changes."""
    customer = await team.create(team.binh, viewer_ids=[str(team.ids["dung"])])
    path = f"/api/v1/customers/{customer['id']}"
    assert (await team.an.get(path)).status_code == 200
    await team.admin.patch(f"/api/v1/employees/{team.ids['binh']}", json={"superior_id": None})
    assert (await team.an.get(path)).status_code == 404
    await team.binh.put(f"{path}/viewers", json={"employee_ids": []})
    assert (await team.dung.get(path)).status_code == 404
    await team.binh.put(f"{path}/manager", json={"employee_id": str(team.ids["chi"])})
    assert (await team.binh.get(path)).status_code == 404
    assert (await team.an.get(path)).status_code == 200, "chi is an's"


@pytest.fixture
def room_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a customer could have one viewer."""
    for module in (creation, responsibility):
        monkeypatch.setattr(module, "MAX_VIEWERS", 1)


@pytest.mark.usefixtures("room_for_one")
async def test_a_creator_who_looks_is_one_of_the_viewers_there_may_be(team: Team) -> None:
    """C3, A1: as many as there may be are named, and the creator, who is not responsible, would be one more."""
    chi, dung = (str(team.ids[name]) for name in ("chi", "dung"))
    body = {"name": "Khách", "viewer_ids": [chi]}
    refused = await team.binh.post("/api/v1/customers", json={**body, "manager_id": dung})
    assert (refused.status_code, refused.json()["code"]) == (422, "too_many_items")
    assert (await team.binh.post("/api/v1/customers", json=body)).status_code == 201
    assert (await team.chi.post("/api/v1/customers", json={**body, "manager_id": dung})).status_code == 201


@pytest.mark.usefixtures("room_for_one")
async def test_a_previous_manager_is_not_kept_where_there_is_no_room(team: Team) -> None:
    """C3, A4, K3: who asks is refused, in bulk for that customer alone; a campaign makes its manager all the same."""
    chi, dung = (str(team.ids[name]) for name in ("chi", "dung"))
    full = await team.create(team.binh, viewer_ids=[chi])
    again = await team.create(team.binh, viewer_ids=[str(team.ids["binh"])])
    free = await team.create(team.binh)
    keep = {"keep_previous_as_viewer": True}
    path = f"/api/v1/customers/{full['id']}"
    refused = await team.binh.put(f"{path}/manager", json={"employee_id": dung, **keep})
    assert (refused.status_code, refused.json()["code"]) == (422, "too_many_items")
    ids = [full["id"], again["id"], free["id"]]
    answer = await team.an.post("/api/v1/customers/assign", json={"customer_ids": ids, "employee_ids": [dung], **keep})
    assert [(item["status"], (item["error"] or {}).get("code")) for item in answer.json()["items"]] == [
        ("failed", "too_many_items"), ("updated", None), ("updated", None),
    ]  # fmt: skip
    assert await manager_of(team, full["id"]) == (team.ids["binh"], [team.ids["chi"]])
    await team.harness.deliver(assigned(full["id"], team.ids["dung"], **keep))
    assert await manager_of(team, full["id"]) == (team.ids["dung"], [team.ids["chi"]])
    assert await manager_of(team, again["id"]) == (team.ids["dung"], [team.ids["binh"]])
    assert (await team.dung.put(f"{path}/manager", json={"employee_id": chi})).status_code == 200
