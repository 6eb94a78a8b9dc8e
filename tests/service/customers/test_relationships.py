"""Relationships over HTTP: seven from the first start, edited, ordered, disabled, restored, others added."""

import asyncio
from typing import Any

import pytest

from shared.contracts.classification import RelationshipChanged
from tests.service.customers.conftest import Team

API = "/api/v1/relationships"


async def known(team: Team, **query: Any) -> dict[str, dict[str, Any]]:
    """The relationships of a list by key, or by name where they have none."""
    items = (await team.binh.get(API, params=query)).json()["items"]
    return {one["key"] or one["name"]: one for one in items}


def code_of(answer: Any) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.json()["code"]


async def test_seven_relationships_exist_from_the_first_start_in_both_languages(team: Team) -> None:
    """G4: fixed keys, Vietnamese and English names, 30 days each but for Don't Forget."""
    first = await known(team)
    assert list(first) == ["new", "approached", "hot", "potential", "lost", "closed", "dont_forget"]
    assert first["dont_forget"]["names"] == {"vi": "Đừng quên", "en": "Don't Forget"}
    assert [one["forget_after_days"] for one in first.values()] == [30] * 6 + [None]
    english = await team.binh.get(API, headers={"Accept-Language": "en"})
    assert [one["name"] for one in english.json()["items"]][:2] == ["New", "Approached"]
    assert first["new"]["name"] == "Mới"


async def test_names_colour_and_days_are_edited_and_told(team: Team) -> None:
    """G4: one language at a time or both; equal values tell nothing; the key stays."""
    hot = (await known(team))["hot"]
    path = f"{API}/{hot['id']}"
    changed = await team.admin.patch(
        path,
        json={"names": {"vi": "Rất nóng"}, "color": "#ff0000", "forget_after_days": 7},
        headers={"If-Match": '"1"'},
    )
    record = changed.json()
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert record["names"] == {"vi": "Rất nóng", "en": "Hot"}
    assert (record["key"], record["color"], record["forget_after_days"]) == ("hot", "#ff0000", 7)
    equal = await team.admin.patch(path, json={"color": "#ff0000"})
    assert equal.headers["etag"] == '"2"'
    both = await team.admin.patch(path, json={"name": "Sôi"})
    assert both.json()["names"] == {"vi": "Sôi", "en": "Sôi"}
    first, second = await team.harness.told(RelationshipChanged)
    assert (first.version, set(first.changed)) == (2, {"names", "color", "forget_after_days"})
    assert first.before["names"] == {"vi": "Nóng", "en": "Hot"}
    assert second.version == 3
    stale = await team.admin.patch(path, json={"name": "x"}, headers={"If-Match": '"1"'})
    assert code_of(stale) == (412, "version_conflict")
    assert code_of(await team.admin.patch(path, json={"key": "x"})) == (422, "system_field")


@pytest.mark.parametrize(
    "body",
    [
        {"color": "red"},
        {"forget_after_days": 0},
        {"forget_after_days": 3651},
        {"forget_after_days": 1.5},
        {"forget_after_days": "7"},
        {"position": 0},
        {"name": ""},
        {"name": None},
        {"names": None},
        {"names": {"fr": "x"}},
        {"unknown": 1},
    ],
)
async def test_wrong_values_are_refused(team: Team, body: dict[str, Any]) -> None:
    """G4: 1 to 3650 days or none, a colour as #rrggbb, names in two languages."""
    hot = (await known(team))["hot"]
    assert code_of(await team.admin.patch(f"{API}/{hot['id']}", json=body)) == (422, "validation_failed")


async def test_dont_forget_itself_never_forgets(team: Team) -> None:
    """G5: Don't Forget has no days."""
    found = (await known(team))["dont_forget"]
    refused = await team.admin.patch(f"{API}/{found['id']}", json={"forget_after_days": 30})
    assert code_of(refused) == (422, "validation_failed")
    assert (await team.admin.patch(f"{API}/{found['id']}", json={"forget_after_days": None})).headers["etag"] == '"1"'


async def test_others_are_added_disabled_and_restored(team: Team) -> None:
    """G2, G4: new ones come last with 30 days; disabled ones cannot be chosen; restored ones come last again."""
    added = await team.admin.post(API, json={"name": "Đối tác", "color": "#000000"})
    record = added.json()
    assert (added.status_code, added.headers["location"]) == (201, f"{API}/{record['id']}")
    assert (record["key"], record["position"], record["forget_after_days"]) == (None, 8, 30)
    assert record["names"] == {"vi": "Đối tác", "en": "Đối tác"}
    never = await team.admin.post(
        API, json={"names": {"vi": "Thân", "en": "Close friend"}, "forget_after_days": None, "position": 2}
    )
    assert (never.json()["position"], never.json()["forget_after_days"]) == (2, None)
    assert list(await known(team))[:3] == ["new", "Thân", "approached"]
    path = f"{API}/{record['id']}"
    customer = await team.create(team.binh, relationship_id=record["id"])
    assert (await team.admin.get(path)).json()["customer_count"] == 0  # the administrator sees none of them
    assert (await team.binh.get(path)).json()["customer_count"] == 1
    assert (await team.admin.delete(path)).status_code == 204
    assert (await team.admin.delete(path)).status_code == 204
    assert list(await known(team, state="disabled")) == ["Đối tác"]
    kept = (await team.binh.get(f"/api/v1/customers/{customer['id']}")).json()
    assert kept["relationship_id"] == record["id"]
    refused = await team.binh.post("/api/v1/customers", json={"name": "x", "relationship_id": record["id"]})
    assert code_of(refused) == (422, "disabled_choice")
    taken = await team.admin.post(API, json={"names": {"vi": "ĐỐI TÁC", "en": "Partner"}})
    assert taken.status_code == 201
    assert code_of(await team.admin.post(f"{path}/restore")) == (409, "name_taken")
    await team.admin.delete(f"{API}/{taken.json()['id']}")
    restored = await team.admin.post(f"{path}/restore")
    assert (restored.json()["state"], restored.json()["position"]) == ("active", 9)
    assert code_of(await team.admin.post(f"{path}/restore")) == (409, "not_restorable")


@pytest.mark.parametrize(("key", "fixed"), [("new", True), ("closed", True), ("dont_forget", True), ("lost", False)])
async def test_what_rules_need_cannot_be_disabled(team: Team, key: str, fixed: bool) -> None:
    """G4: new, closed and dont_forget stay; the other fixed ones may be disabled."""
    found = (await known(team))[key]
    answer = await team.admin.delete(f"{API}/{found['id']}")
    assert answer.status_code == (409 if fixed else 204)
    if fixed:
        assert answer.json()["code"] == "in_use"
        assert (await team.admin.get(f"{API}/{found['id']}")).json()["allowed"] == ["change"]


async def test_names_are_unique_in_either_language(team: Team) -> None:
    """G1, G4: a live relationship's Vietnamese or English name is nobody else's."""
    for names in ({"vi": "NÓNG", "en": "Other"}, {"vi": "Khác", "en": "hot"}):
        assert code_of(await team.admin.post(API, json={"names": names})) == (409, "name_taken")
    new = (await known(team))["new"]
    assert code_of(await team.admin.patch(f"{API}/{new['id']}", json={"names": {"en": "HOT"}})) == (409, "name_taken")
    assert code_of(await team.admin.post(API, json={"color": "#000000"})) == (422, "validation_failed")


async def test_the_order_is_all_of_them(team: Team) -> None:
    """G4: PUT names every enabled one once; only those that moved are told."""
    ids = [one["id"] for one in (await known(team)).values()]
    wanted = [ids[1], ids[0], *ids[2:]]
    answer = await team.admin.put(f"{API}/order", json={"relationship_ids": wanted})
    assert [one["id"] for one in answer.json()["items"]] == wanted
    assert [one["position"] for one in answer.json()["items"]] == [1, 2, 3, 4, 5, 6, 7]
    assert len(await team.harness.told(RelationshipChanged)) == 2
    for wrong in (ids[1:], [*ids, ids[0]], [*ids[1:], str(team.ids["an"])]):
        refused = await team.admin.put(f"{API}/order", json={"relationship_ids": wrong})
        assert code_of(refused) == (422, "validation_failed")
    assert (await team.binh.put(f"{API}/order", json={"relationship_ids": ids})).status_code == 403


async def test_only_crm_settings_writes(team: Team) -> None:
    """R1: any active employee reads; writing needs crm:settings."""
    hot = (await known(team))["hot"]
    path = f"{API}/{hot['id']}"
    assert (await team.binh.get(path)).json()["allowed"] == []
    for refused in (
        await team.binh.post(API, json={"name": "x"}),
        await team.binh.patch(path, json={"name": "x"}),
        await team.binh.delete(path),
        await team.binh.post(f"{path}/restore"),
    ):
        assert code_of(refused) == (403, "forbidden")


async def test_of_two_changes_of_one_version_one_wins(team: Team) -> None:
    """Two writers with the same If-Match: one 200, one 412, no lost update."""
    hot = (await known(team))["hot"]
    answers = await asyncio.gather(
        *(
            team.admin.patch(f"{API}/{hot['id']}", json={"name": f"Tên {n}"}, headers={"If-Match": '"1"'})
            for n in range(6)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5
