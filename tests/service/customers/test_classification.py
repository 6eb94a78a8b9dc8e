"""Groups, sectors and sources over HTTP: made, moved, disabled, restored, counted within one's sight."""

import asyncio
from typing import Any

import httpx
import pytest

from shared.contracts.classification import GroupChanged, SectorChanged
from shared.identity import SETTINGS, VIEW_ALL
from tests.service.customers.conftest import Team

API = "/api/v1"
EVERY_KIND = pytest.mark.parametrize("noun", ["groups", "sectors", "sources"])
TREES = pytest.mark.parametrize("noun", ["groups", "sectors"])


async def make(client: httpx.AsyncClient, noun: str, name: str, **more: Any) -> dict[str, Any]:
    """An item, created over HTTP."""
    answer = await client.post(f"{API}/{noun}", json={"name": name, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def names(client: httpx.AsyncClient, noun: str, **query: Any) -> list[str]:
    """What a list holds."""
    return [one["name"] for one in (await client.get(f"{API}/{noun}", params=query)).json()["items"]]


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.json()["code"]


@EVERY_KIND
async def test_a_new_item_gets_a_code_from_its_name(team: Team, noun: str) -> None:
    """G1: codes come from names, clashes get -2 and -3, given ones are raised, none is given twice."""
    first = await team.admin.post(f"{API}/{noun}", json={"name": "  Khách hàng VIP "})
    record = first.json()
    assert (first.status_code, first.headers["etag"]) == (201, '"1"')
    assert first.headers["location"] == f"{API}/{noun}/{record['id']}"
    assert (record["name"], record["code"], record["state"]) == ("Khách hàng VIP", "KHACH-HANG-VIP", "active")
    assert record["customer_count"] == 0
    assert record["allowed"] == ["change", "delete"]
    await team.admin.delete(f"{API}/{noun}/{record['id']}")
    again = await make(team.admin, noun, "Khách hàng VIP")
    assert again["code"] == "KHACH-HANG-VIP-2"
    assert (await make(team.admin, noun, "Khách hàng, VIP!"))["code"] == "KHACH-HANG-VIP-3"
    assert (await make(team.admin, noun, "Riêng", code="abc.1"))["code"] == "ABC.1"
    assert (await make(team.admin, noun, "客户"))["code"] == noun.upper()[:-1]
    taken = await team.admin.post(f"{API}/{noun}", json={"name": "Khác", "code": "KHACH-HANG-VIP"})
    assert code_of(taken) == (409, "code_taken")
    refused = await team.admin.patch(f"{API}/{noun}/{again['id']}", json={"code": "NEW"})
    assert code_of(refused) == (422, "system_field")


@EVERY_KIND
async def test_only_crm_settings_writes_and_everybody_reads(team: Team, noun: str) -> None:
    """R1: any active employee reads; writing needs crm:settings."""
    record = await make(team.admin, noun, "Một")
    path = f"{API}/{noun}/{record['id']}"
    seen = await team.dung.get(path)
    assert (seen.status_code, seen.json()["allowed"]) == (200, [])
    assert await names(team.dung, noun) == ["Một"]
    for refused in (
        await team.dung.post(f"{API}/{noun}", json={"name": "x"}),
        await team.dung.patch(path, json={"name": "x"}),
        await team.dung.delete(path),
        await team.dung.post(f"{path}/restore"),
    ):
        assert code_of(refused) == (403, "forbidden")


@EVERY_KIND
async def test_names_are_unique_among_live_siblings(team: Team, noun: str) -> None:
    """G1, G2: folded names; a disabled one's name is free, and restoring it is refused when it was taken."""
    first = await make(team.admin, noun, "Bán lẻ")
    assert code_of(await team.admin.post(f"{API}/{noun}", json={"name": "BAN LE"})) == (409, "name_taken")
    other = await make(team.admin, noun, "Bán sỉ")
    refused = await team.admin.patch(f"{API}/{noun}/{other['id']}", json={"name": "bán lẻ"})
    assert code_of(refused) == (409, "name_taken")
    renamed = await team.admin.patch(f"{API}/{noun}/{first['id']}", json={"name": "BÁN LẺ"})
    assert (renamed.status_code, renamed.json()["code"]) == (200, "BAN-LE")
    await team.admin.delete(f"{API}/{noun}/{first['id']}")
    await make(team.admin, noun, "Bán lẻ")
    assert code_of(await team.admin.post(f"{API}/{noun}/{first['id']}/restore")) == (409, "name_taken")


@EVERY_KIND
async def test_if_match_and_equal_values(team: Team, noun: str) -> None:
    """A change may name its version: wrong 412; equal values keep the ETag and tell nothing."""
    record = await make(team.admin, noun, "Một")
    path = f"{API}/{noun}/{record['id']}"
    changed = await team.admin.patch(path, json={"name": "Hai"}, headers={"If-Match": '"1"'})
    equal = await team.admin.patch(path, json={"name": "Hai"})
    assert [changed.headers["etag"], equal.headers["etag"]] == ['"2"', '"2"']
    for stale in (
        await team.admin.patch(path, json={"name": "Ba"}, headers={"If-Match": '"1"'}),
        await team.admin.delete(path, headers={"If-Match": '"1"'}),
        await team.admin.post(f"{path}/restore", headers={"If-Match": '"1"'}),
    ):
        assert code_of(stale) == (412, "version_conflict")
    assert code_of(await team.admin.get(f"{API}/{noun}/{team.ids['an']}")) == (404, "not_found")
    assert code_of(await team.admin.patch(path, json={"name": None})) == (422, "validation_failed")


@TREES
async def test_a_tree_has_no_cycles_and_ten_levels(team: Team, noun: str) -> None:
    """G1: a parent below the item is refused as a cycle, an eleventh level as too deep, also by a move."""
    chain = [await make(team.admin, noun, "1")]
    for level in range(2, 11):
        chain.append(await make(team.admin, noun, str(level), parent_id=chain[-1]["id"]))
    deeper = await team.admin.post(f"{API}/{noun}", json={"name": "11", "parent_id": chain[-1]["id"]})
    assert code_of(deeper) == (422, "validation_failed")
    assert deeper.json()["errors"][0]["pointer"] == "/parent_id"
    for parent in (chain[0], chain[4], chain[9]):
        refused = await team.admin.patch(f"{API}/{noun}/{chain[0]['id']}", json={"parent_id": parent["id"]})
        assert code_of(refused) == (409, "cycle")
    pair = await make(team.admin, noun, "cặp")
    await make(team.admin, noun, "con", parent_id=pair["id"])
    moved = await team.admin.patch(f"{API}/{noun}/{pair['id']}", json={"parent_id": chain[8]["id"]})
    assert code_of(moved) == (422, "validation_failed")
    fits = await team.admin.patch(f"{API}/{noun}/{pair['id']}", json={"parent_id": chain[7]["id"]})
    assert fits.json()["parent_id"] == chain[7]["id"]
    top = await team.admin.patch(f"{API}/{noun}/{pair['id']}", json={"parent_id": None})
    assert top.json()["parent_id"] is None
    unknown = await team.admin.post(f"{API}/{noun}", json={"name": "x", "parent_id": str(team.ids["an"])})
    assert code_of(unknown) == (422, "validation_failed")


async def test_a_group_is_no_parent_of_a_sector_and_a_source_has_none(team: Team) -> None:
    """G1: trees do not mix; sources are flat."""
    group = await make(team.admin, "groups", "Nhóm")
    refused = await team.admin.post(f"{API}/sectors", json={"name": "x", "parent_id": group["id"]})
    assert code_of(refused) == (422, "validation_failed")
    assert (await team.admin.get(f"{API}/sectors/{group['id']}")).status_code == 404
    flat = await team.admin.post(f"{API}/sources", json={"name": "x", "parent_id": None})
    assert flat.json()["errors"] == [
        {"pointer": "/parent_id", "code": "unknown_field", "detail": "Extra inputs are not permitted"}
    ]


async def test_moves_at_once_never_close_a_cycle(team: Team) -> None:
    """G1: every item is moved under another by a writer of its own at once; the tree stays a tree."""
    items = [await make(team.admin, "groups", f"Nhóm {number}") for number in range(8)]
    for shift in (1, 3, 5, 7):
        moves = [
            team.admin.patch(f"{API}/groups/{one['id']}", json={"parent_id": items[(place + shift) % len(items)]["id"]})
            for place, one in enumerate(items)
        ]
        answers = await asyncio.gather(*moves)
        assert {answer.status_code for answer in answers} <= {200, 409, 422}
        assert any(answer.status_code == 409 for answer in answers)
        parents = {
            row.id: row.parent_id for row in await team.harness.sql("SELECT id, parent_id FROM classification_item")
        }
        for start in parents:
            at, steps = start, 0
            while at is not None:
                at, steps = parents[at], steps + 1
                assert steps <= 10, "a cycle, or more than ten levels"


async def test_of_parallel_creates_with_one_name_one_wins(team: Team) -> None:
    """G1: names and codes are given once, also to twenty writers at once."""
    answers = await asyncio.gather(*(team.admin.post(f"{API}/groups", json={"name": "Đua"}) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
    codes = await asyncio.gather(
        *(team.admin.post(f"{API}/groups", json={"name": f"Mã {'!' * n}", "parent_id": None}) for n in range(1, 11))
    )
    assert sorted(a.json()["code"] for a in codes) == sorted(["MA", *(f"MA-{n}" for n in range(2, 11))])


@TREES
async def test_disabling_keeps_customers_and_restoring_brings_back_only_itself(team: Team, noun: str) -> None:
    """G2: in_use without cascade, the subtree with it; twice is 204; restore alone, or with its parents."""
    field = {"groups": "group_ids", "sectors": "sector_ids"}[noun]
    root = await make(team.admin, noun, "Gốc")
    middle = await make(team.admin, noun, "Giữa", parent_id=root["id"])
    leaf = await make(team.admin, noun, "Lá", parent_id=middle["id"])
    customer = await team.create(team.binh, **{field: [leaf["id"]]})
    path = f"{API}/{noun}/{root['id']}"
    assert code_of(await team.admin.delete(path)) == (409, "in_use")
    assert (await team.admin.delete(path, params={"cascade": "true"})).status_code == 204
    assert (await team.admin.delete(path)).status_code == 204
    assert await names(team.admin, noun) == []
    assert sorted(await names(team.admin, noun, state="disabled")) == ["Giữa", "Gốc", "Lá"]
    kept = (await team.binh.get(f"{API}/customers/{customer['id']}")).json()
    assert kept[field] == [leaf["id"]]
    leaf_path = f"{API}/{noun}/{leaf['id']}"
    assert code_of(await team.admin.post(f"{leaf_path}/restore")) == (409, "parent_disabled")
    assert (await team.admin.post(f"{path}/restore")).json()["state"] == "active"
    assert await names(team.admin, noun) == ["Gốc"]
    restored = await team.admin.post(f"{leaf_path}/restore", json={"with_parents": True})
    assert (restored.status_code, restored.json()["state"]) == (200, "active")
    assert sorted(await names(team.admin, noun)) == ["Giữa", "Gốc", "Lá"]
    assert code_of(await team.admin.post(f"{leaf_path}/restore")) == (409, "not_restorable")
    under_disabled = await make(team.admin, noun, "Tắt")
    await team.admin.delete(f"{API}/{noun}/{under_disabled['id']}")
    refused = await team.admin.post(f"{API}/{noun}", json={"name": "x", "parent_id": under_disabled["id"]})
    assert code_of(refused) == (409, "parent_disabled")


@EVERY_KIND
async def test_nobody_newly_chooses_a_disabled_value(team: Team, noun: str) -> None:
    """G2: disabled_choice at creation and change; who has it may keep it beside others."""
    field = {"groups": "group_ids", "sectors": "sector_ids", "sources": "source_ids"}[noun]
    old, new = await make(team.admin, noun, "Cũ"), await make(team.admin, noun, "Mới")
    keeper = await team.create(team.binh, **{field: [old["id"]]})
    other = await team.create(team.binh)
    await team.admin.delete(f"{API}/{noun}/{old['id']}")
    created = await team.binh.post(f"{API}/customers", json={"name": "x", field: [old["id"]]})
    patched = await team.binh.patch(f"{API}/customers/{other['id']}", json={field: [old["id"]]})
    assert code_of(created) == code_of(patched) == (422, "disabled_choice")
    kept = await team.binh.patch(f"{API}/customers/{keeper['id']}", json={field: [old["id"], new["id"]]})
    assert kept.json()[field] == [old["id"], new["id"]]


@TREES
async def test_counts_are_of_the_customers_one_sees_with_the_subtree(team: Team, noun: str) -> None:
    """G1, A2: a parent counts what a filter by it finds, each customer once, and only those one sees."""
    field = {"groups": "group_ids", "sectors": "sector_ids"}[noun]
    root = await make(team.admin, noun, "Gốc")
    left = await make(team.admin, noun, "A", parent_id=root["id"])
    right = await make(team.admin, noun, "B", parent_id=root["id"])
    await team.create(team.binh, **{field: [left["id"], right["id"]]})
    await team.create(team.binh, **{field: [left["id"]]})
    await team.create(team.chi, **{field: [root["id"]], "viewer_ids": [str(team.ids["dung"])]})
    await team.create(team.dung, **{field: [right["id"]]})
    expected = {
        "binh": {"Gốc": (2, 0), "A": (2, 2), "B": (1, 1)},
        "an": {"Gốc": (3, 1), "A": (2, 2), "B": (1, 1)},
        "dung": {"Gốc": (2, 1), "A": (0, 0), "B": (1, 1)},
    }
    for name, counts in expected.items():
        items = (await team.as_(name).get(f"{API}/{noun}")).json()["items"]
        assert {i["name"]: (i["customer_count"], i["direct_customer_count"]) for i in items} == counts
    everything = (await team.as_("dung", VIEW_ALL).get(f"{API}/{noun}/{root['id']}")).json()
    assert (everything["customer_count"], everything["direct_customer_count"]) == (4, 1)
    service = team.harness.client("robot", kind="service")
    assert (await service.get(f"{API}/{noun}/{root['id']}")).json()["customer_count"] == 0
    await team.admin.patch(f"{API}/{noun}/{right['id']}", json={"parent_id": None})
    assert (await team.as_("dung", VIEW_ALL).get(f"{API}/{noun}/{root['id']}")).json()["customer_count"] == 3


async def test_sources_count_any_and_primary_customers(team: Team) -> None:
    """G3: customers per source, any and primary."""
    web, fair = await make(team.admin, "sources", "Web"), await make(team.admin, "sources", "Hội chợ")
    await team.create(team.binh, source_ids=[web["id"], fair["id"]])
    await team.create(team.binh, source_ids=[web["id"], fair["id"]], primary_source_id=fair["id"])
    await team.create(team.binh, source_ids=[web["id"]])
    items = (await team.binh.get(f"{API}/sources")).json()["items"]
    counts = {i["name"]: (i["customer_count"], i["primary_customer_count"]) for i in items}
    assert counts == {"Web": (3, 2), "Hội chợ": (2, 1)}
    assert {i["name"]: i["customer_count"] for i in (await team.dung.get(f"{API}/sources")).json()["items"]} == {
        "Web": 0,
        "Hội chợ": 0,
    }


async def test_lists_are_pages_by_name(team: Team) -> None:
    """Keyset pages by folded name, a total on request, a part of a name or the beginning of a code sought."""
    for name in ("Đông", "an", "Bắc", "nam_1", "Tây"):
        await make(team.admin, "groups", name)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2, "total": "true"}
    while True:
        page = (await team.dung.get(f"{API}/groups", params=query)).json()
        assert page["total"] == 5
        seen += [one["name"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == ["an", "Bắc", "Đông", "nam_1", "Tây"]
    assert await names(team.dung, "groups", q="ôN") == ["Đông"]
    assert await names(team.dung, "groups", q="_") == ["nam_1"]
    assert await names(team.dung, "groups", q="TAY") == ["Tây"]
    other = await team.dung.get(f"{API}/groups", params={"cursor": query["cursor"], "state": "disabled"})
    assert code_of(other) == (422, "bad_cursor")


async def test_every_change_is_told_with_its_whole_state(team: Team) -> None:
    """Other services hear each item's change, by its own version, with what was before."""
    root = await make(team.admin, "groups", "Gốc")
    child = await make(team.admin, "groups", "Con", parent_id=root["id"])
    await team.admin.patch(f"{API}/groups/{child['id']}", json={"name": "Cháu", "parent_id": None})
    await team.admin.patch(f"{API}/groups/{child['id']}", json={"parent_id": root["id"]})
    await team.admin.delete(f"{API}/groups/{root['id']}", params={"cascade": True})
    await make(team.admin, "sectors", "Ngành")
    told = await team.harness.told(GroupChanged)
    assert [(e.state.name, e.version, e.state.state, e.changed) for e in told] == [
        ("Gốc", 1, "active", ()),
        ("Con", 1, "active", ()),
        ("Cháu", 2, "active", ("name", "parent_id")),
        ("Cháu", 3, "active", ("parent_id",)),
        ("Gốc", 2, "disabled", ("state",)),
        ("Cháu", 4, "disabled", ("state",)),
    ]
    assert told[2].before == {"name": "Con", "parent_id": root["id"]}
    assert {event.cause.kind for event in told} == {"user"}
    [sector] = await team.harness.told(SectorChanged)
    assert (sector.state.kind, sector.state.code) == ("sector", "NGANH")
    kept = await team.harness.sql("SELECT count(*) FROM audit WHERE item_id = $1", told[0].state.id)
    assert kept[0][0] == 2


async def test_a_service_with_crm_settings_may_keep_the_classification(team: Team) -> None:
    """R1: the permission writes, whoever holds it."""
    service = team.harness.client("erp", [SETTINGS], kind="service")
    assert (await make(service, "groups", "Từ ERP"))["code"] == "TU-ERP"
