"""Saved views: kept by their owner, shared or not, seen by each reader with their own sight."""

from typing import Any

import pytest

from services.customers.commands import views
from services.customers.commands.views import forget_in_views
from shared.erasing import Person
from tests.service.customers.conftest import Team

LEAF = {"field": "name", "op": "contains", "value": "hoa"}


async def save(team: Team, who: str, **fields: Any) -> dict[str, Any]:
    """A view of somebody."""
    answer = await getattr(team, who).post("/api/v1/views", json={"name": "Khách của tôi", **fields})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/api/v1/views/{answer.json()['id']}"
    return answer.json()


async def test_a_private_view_is_its_owners_alone_a_shared_one_everybodys(team: Team) -> None:
    """P4: others read shared views and cannot change them; private ones are unknown to them."""
    private = await save(team, "binh", filter=LEAF)
    shared = await save(team, "binh", name="Chung", shared=True, sort=["-created_at"], columns=["name", "phones"])
    assert [item["name"] for item in (await team.binh.get("/api/v1/views")).json()["items"]] == [
        "Chung",
        "Khách của tôi",
    ]
    assert [item["name"] for item in (await team.dung.get("/api/v1/views")).json()["items"]] == ["Chung"]
    assert (await team.dung.get(f"/api/v1/views/{private['id']}")).status_code == 404
    assert (await team.dung.patch(f"/api/v1/views/{private['id']}", json={"name": "x"})).status_code == 404
    read = (await team.dung.get(f"/api/v1/views/{shared['id']}")).json()
    assert (read["sort"], read["columns"], read["allowed"]) == (["-created_at"], ["name", "phones"], [])
    assert (await team.dung.patch(f"/api/v1/views/{shared['id']}", json={"name": "x"})).status_code == 403
    assert (await team.dung.delete(f"/api/v1/views/{shared['id']}")).status_code == 403


async def test_a_shared_view_shows_each_reader_their_own_customers(team: Team) -> None:
    """A2, P4: a view holds the question, the reader's sight gives the answer."""
    await team.create(team.binh, name="Hoa của Bình")
    await team.create(team.dung, name="Hoa của Dũng")
    view = await save(team, "binh", filter=LEAF, shared=True)
    for who, expected in (("binh", ["Hoa của Bình"]), ("dung", ["Hoa của Dũng"]), ("chi", [])):
        read = (await getattr(team, who).get(f"/api/v1/views/{view['id']}")).json()
        body = {"filter": read["filter"], "sort": read["sort"]}
        listed = (await getattr(team, who).post("/api/v1/customers/search", json=body)).json()["items"]
        assert [item["name"] for item in listed] == expected


async def test_a_view_changes_by_version_and_equal_values_change_nothing(team: Team) -> None:
    """P4: If-Match holds, the filter is replaced as a whole, an equal change keeps the ETag."""
    view = await save(team, "binh", filter=LEAF)
    path = f"/api/v1/views/{view['id']}"
    changed = await team.binh.patch(path, json={"filter": None, "shared": True}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["ETag"], changed.json()["filter"]) == (200, '"2"', None)
    assert (await team.binh.patch(path, json={"shared": True})).headers["ETag"] == '"2"'
    assert (await team.binh.patch(path, json={"name": "x"}, headers={"If-Match": '"1"'})).status_code == 412
    assert (await team.binh.delete(path, headers={"If-Match": '"2"'})).status_code == 204
    assert (await team.binh.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"filter": {"field": "nom", "op": "eq", "value": 1}}, "/filter/field"),
        ({"sort": ["nom"]}, "/sort/0"),
        ({"sort": ["viewer_ids"]}, "/sort/0"),
        ({"sort": ["name", "-name"]}, "/sort"),
        ({"columns": ["text"]}, "/columns/0"),
        ({"name": " "}, "/name"),
        ({"color": "red"}, "/color"),
    ],
)
async def test_a_view_that_could_not_be_shown_is_not_saved(team: Team, fields: dict[str, Any], pointer: str) -> None:
    """P4: filter, order and columns are checked when they are saved."""
    answer = await team.binh.post("/api/v1/views", json={"name": "Của tôi", **fields})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_pages_of_views_follow_each_other(team: Team) -> None:
    """P5: by name, without gap."""
    for name in ("Ba", "Ân", "an", "Đô"):
        await save(team, "binh", name=name)
    first = (await team.binh.get("/api/v1/views", params={"limit": 3, "total": True})).json()
    assert first["total"] == 4
    rest = (await team.binh.get("/api/v1/views", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    names = [item["name"] for item in first["items"] + rest["items"]]
    assert (sorted(names[:2]), names[2:]) == (["an", "Ân"], ["Ba", "Đô"])


async def test_an_erased_person_is_named_in_no_view(team: Team) -> None:
    """C8: comparisons with their values go, the rest of the view stays."""
    named = {"field": "phones", "op": "eq", "value": "+84901234567"}
    view = await save(team, "binh", filter={"and": [LEAF, {"or": [named, {"not": named}]}]})
    alone = await save(team, "binh", filter=named)
    async with team.harness.database.transaction() as session:
        await forget_in_views(session, Person(["hoa@vidu.vn"], ["+84901234567"]))
    assert (await team.binh.get(f"/api/v1/views/{view['id']}")).json()["filter"] == {"and": [LEAF]}
    assert (await team.binh.get(f"/api/v1/views/{alone['id']}")).json()["filter"] is None


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("name", "contains", "le thi hoa mai"),
        ("text", "contains", "Chị LÊ THỊ HOA MAI ở Huế"),
        ("phones", "eq", "0901 234 567"),
        ("phones", "in", ["0912345678", "84.901.234.567"]),
        ("text", "contains", "+84 901-234-567"),
        ("emails", "eq", "Mai@Vidu.vn"),
    ],
)
async def test_however_a_view_writes_an_erased_person_it_forgets_them(
    team: Team, monkeypatch: pytest.MonkeyPatch, field: str, op: str, value: object
) -> None:
    """C8: without tones, within other words, a number with spaces or dots; also behind a batch of other views."""
    monkeypatch.setattr(views, "BATCH", 1)
    others = [await save(team, who, filter={"not": LEAF}) for who in ("binh", "dung")]
    view = await save(team, "binh", filter={"and": [LEAF, {"field": field, "op": op, "value": value}]})
    async with team.harness.database.transaction() as session:
        await forget_in_views(session, Person(["Lê Thị Hoa Mai", "mai@vidu.vn"], ["+84901234567"]))
    assert (await team.binh.get(f"/api/v1/views/{view['id']}")).json()["filter"] == {"and": [LEAF]}
    kept = [(await getattr(team, who).get(f"/api/v1/views/{other['id']}")).json()
            for who, other in zip(("binh", "dung"), others, strict=True)]  # fmt: skip
    assert [(one["filter"], one["version"]) for one in kept] == [({"not": LEAF}, 1)] * 2


async def test_who_only_shares_letters_with_an_erased_person_stays_in_views(team: Team) -> None:
    """C8: a province that they were named after, an address or name that theirs is a part of; and short words."""
    wanted = {
        "and": [
            {"field": "address.province", "op": "in", "value": ["Hà Nội", "Huế"]},
            {"field": "emails", "op": "eq", "value": "lan.anh@vidu.vn"},
            {"field": "name", "op": "contains", "value": "Phương Anhthư"},
            {"field": "text", "op": "contains", "value": "hoa hồng"},
        ]
    }
    view = await save(team, "binh", filter=wanted)
    async with team.harness.database.transaction() as session:
        await forget_in_views(session, Person(["Hà Nội", "anh@vidu.vn", "Phương Anh", "Hoa"], []))
    kept = (await team.binh.get(f"/api/v1/views/{view['id']}")).json()
    assert (kept["filter"], kept["version"]) == (wanted, view["version"])
