"""Lists by any filter: what is offered, refused and found."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.customers.commands.storing import insert_customers
from services.customers.domain.creation import Draft
from services.customers.domain.filters import parse_filter
from services.customers.queries.walks import EVERYBODY, Search, newest
from shared.contracts.campaigns import CampaignChanged, CampaignState
from shared.contracts.classification import relationship_id
from shared.contracts.customers import Origin
from shared.contracts.events import Cause
from shared.database import clock
from shared.envelope import new_id
from shared.folding import fold
from shared.identity import DELETE, SETTINGS, SYSTEM, VIEW_ALL
from tests.service.customers.conftest import Team
from tests.support.records import document, document_line

NAMES = ["Nguyễn Thị ĐÀO", "  Trần   Văn\tÁnh ", "Straße ÆŒ øł", "HOÀ hòa Hoa", "Ưỡng Ợ", "①½ Ａ", "", "Ngô-Quyền (2)"]


async def test_fields_say_what_may_be_asked(team: Team) -> None:
    """P4: names, operators and types in the reader's language."""
    answer = await team.binh.get("/api/v1/customers/fields", headers={"Accept-Language": "en"})
    fields = {item["field"]: item for item in answer.json()["items"]}
    assert fields["group_ids"]["label"] == "Customer Groups"
    assert fields["created_at"]["operators"] == ["eq", "ne", "gte", "lte", "between", "is_empty"]
    assert fields["text"]["operators"] == ["contains"]
    vietnamese = (await team.binh.get("/api/v1/customers/fields")).json()["items"]
    assert {item["field"]: item["label"] for item in vietnamese}["group_ids"] == "Nhóm khách hàng"


@pytest.mark.parametrize("text", NAMES)
async def test_the_database_folds_as_services_do(team: Team, text: str) -> None:
    """P4: comparing in SQL and in Python never disagree."""
    assert (await team.harness.sql("SELECT folded($1)", text))[0][0] == fold(text)


async def search(client: httpx.AsyncClient, node: Any = None, **more: Any) -> dict[str, Any]:
    """The answer to a search that is taken."""
    answer = await client.post("/api/v1/customers/search", json={"filter": node, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def found(client: httpx.AsyncClient, node: Any = None, **more: Any) -> list[str]:
    """Names of the customers on the first page."""
    return [item["name"] for item in (await search(client, node, **more))["items"]]


async def test_exactly_the_tones_that_were_typed_rank_first(team: Team) -> None:
    """P4: without a sort a text with tone marks ranks those first, over pages; with a sort it does not."""
    for name in ("Trần Hòa", "Lê Hoa", "Vũ Hoà", "Ngô Hòa", "Đỗ Hoa"):
        await team.create(team.binh, name=name)
    node = {"field": "text", "op": "contains", "value": "Hòa"}
    assert await found(team.binh, node) == ["Ngô Hòa", "Trần Hòa", "Đỗ Hoa", "Vũ Hoà", "Lê Hoa"]
    assert await found(team.binh, node, sort="created_at") == ["Trần Hòa", "Lê Hoa", "Vũ Hoà", "Ngô Hòa", "Đỗ Hoa"]
    seen, cursor = [], None
    while True:
        parameters = {"q": "hòa", "limit": 1} | ({"cursor": cursor} if cursor else {})
        page = (await team.binh.get("/api/v1/customers", params=parameters)).json()
        seen += [item["name"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == ["Ngô Hòa", "Trần Hòa", "Đỗ Hoa", "Vũ Hoà", "Lê Hoa"]
    assert len(await found(team.binh, {"field": "text", "op": "contains", "value": "hoa"})) == 5


async def test_names_sort_as_people_read_them(team: Team) -> None:
    """P5: folded, so that Đ stands beside D; two fields, either direction."""
    for name, occupation in (("Đào", "b"), ("Dung", "a"), ("an", None), ("Ân", "a"), ("Em", "b")):
        await team.create(team.binh, name=name, occupation=occupation)
    assert await found(team.binh, sort=["name"]) == ["an", "Ân", "Đào", "Dung", "Em"]
    assert await found(team.binh, sort=["-occupation", "name"]) == ["Đào", "Em", "Ân", "Dung", "an"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"filter": {"field": "nom", "op": "eq", "value": 1}}, "/filter/field"),
        ({"filter": {"and": [{"field": "name", "op": "near", "value": 1}]}}, "/filter/and/0/op"),
        ({"sort": "nom"}, "/sort"),
        ({"sort": ["name", "code", "type"]}, "/sort"),
        ({"sort": "name,-name"}, "/sort"),
        ({"limit": 0}, "/limit"),
        ({"total": "x"}, "/total"),
        ({"filters": {}}, "/filters"),
    ],
)
async def test_a_wrong_search_is_refused_with_a_pointer(team: Team, body: dict[str, Any], pointer: str) -> None:
    """P4, P5: 422, and where it is wrong."""
    answer = await team.binh.post("/api/v1/customers/search", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)


async def test_a_filter_that_is_too_large_is_refused(team: Team) -> None:
    """P4: filter_too_large."""
    leaf = {"field": "name", "op": "eq", "value": "An"}
    answer = await team.binh.post("/api/v1/customers/search", json={"filter": {"or": [leaf] * 50}})
    assert (answer.status_code, answer.json()["code"]) == (422, "filter_too_large")


async def test_a_moved_group_takes_its_customers_along_at_once(team: Team) -> None:
    """G1, P4: groups filter with their subtree, as the tree is now."""
    settings = team.as_("an", SETTINGS)
    ids: dict[str, str] = {}
    for name, parent in (("Cha", None), ("Con", "Cha"), ("Khác", None)):
        body = {"name": name, "parent_id": ids.get(parent or "")}
        answer = await settings.post("/api/v1/groups", json=body)
        assert answer.status_code == 201, answer.text
        ids[name] = answer.json()["id"]
    await team.create(team.binh, name="Lan", group_ids=[ids["Con"]])

    async def in_group(name: str) -> int:
        by_parameter = await team.binh.get("/api/v1/customers", params={"group": ids[name], "total": "true"})
        by_filter = await search(team.binh, {"field": "group_ids", "op": "in", "value": [ids[name]]}, total=True)
        assert by_parameter.json()["total"] == by_filter["total"] == len(by_filter["items"])
        return by_filter["total"]

    assert [await in_group(name) for name in ids] == [1, 1, 0]
    answer = await settings.patch(f"/api/v1/groups/{ids['Con']}", json={"parent_id": ids["Khác"]})
    assert answer.status_code == 200, answer.text
    assert [await in_group(name) for name in ids] == [0, 1, 1]


async def test_values_of_the_period_stand_beside_those_of_the_lifetime(team: Team) -> None:
    """P2, P3: the period's value, number and quantity; lifetime columns unchanged; returns subtract."""
    record = await team.create(team.binh, name="Lan")
    customer_id = UUID(str(record["id"]))
    await team.harness.deliver(
        document(customer_id, amount=5_000, ordered_at="2026-03-01T03:00:00Z", lines=(document_line(quantity=3),)),
        document(customer_id, amount=2_000, ordered_at="2026-03-09T03:00:00Z", return_of=new_id()),
        document(customer_id, amount=9_000, ordered_at="2025-03-09T03:00:00Z"),
    )
    node = {"purchases": {"ordered_from": "2026-01-01", "ordered_to": "2026-12-31", "total_value": {"gte": 3_000}}}
    (item,) = (await search(team.binh, node))["items"]
    assert item["period"] == {"total_value": {"amount": 3_000, "currency": "VND"}, "order_count": 1, "quantity": 2}
    assert (item["total_revenue"]["amount"], item["order_count"]) == (12_000, 2)
    node["purchases"]["total_value"] = {"gte": 3_001}
    assert await found(team.binh, node) == []
    assert await found(team.binh, {"purchases": {**node["purchases"], "status": "not_purchased"}}) == ["Lan"]
    assert "period" not in (await search(team.binh))["items"][0]


async def test_a_campaign_the_asker_may_not_read_matches_nothing(team: Team) -> None:
    """R3: neither as a parameter nor in a filter; the customers are visible, the campaign is not."""
    record = await team.create(team.binh, name="Lan")
    campaign_id, status_id = new_id(), new_id()
    state = CampaignState(
        id=campaign_id, code="C", name="Hè", state="active", starts_on=None, ends_on=None,
        manager_ids=(team.ids["an"],), relevant_ids=(), staff_ids=(), allow_repeat=False, statuses=(),
    )  # fmt: skip
    await team.harness.deliver(CampaignChanged(version=1, state=state, cause=Cause(kind="system")))
    await team.harness.sql(
        "INSERT INTO opportunity (id, campaign_id, customer_id, status_id, state, version)"
        " VALUES ($1, $2, $3::text::uuid, $4, 'open', 1)",
        new_id(),
        campaign_id,
        record["id"],
        status_id,
    )
    node = {"opportunity": {"campaign_id": str(campaign_id), "status_ids": [str(status_id)]}}
    parameters = {"campaign": str(campaign_id), "opportunity_status": str(status_id)}
    for who, names in (("an", ["Lan"]), ("binh", []), ("dung", [])):
        client = getattr(team, who)
        assert await found(client, node) == names
        listed = (await client.get("/api/v1/customers", params=parameters)).json()["items"]
        assert [item["name"] for item in listed] == names
    listed = (await team.an.get("/api/v1/customers/values", params={"field": "opportunity.campaign_id"})).json()
    assert [item["label"] for item in listed["items"]] == ["Hè"]
    hidden = (await team.binh.get("/api/v1/customers/values", params={"field": "opportunity.campaign_id"})).json()
    assert hidden["items"] == []


async def test_picklists_know_what_the_asker_may_know(team: Team) -> None:
    """A2, P4: texts and products of visible customers only; people and classification for everybody."""
    address = {"province": "Hà Nội"}
    record = await team.create(team.binh, name="Lan", address=address)
    await team.harness.deliver(document(UUID(str(record["id"])), lines=(document_line("XM-1"),)))

    async def values(client: httpx.AsyncClient, field: str, text: str = "") -> list[str]:
        answer = await client.get("/api/v1/customers/values", params={"field": field, "q": text})
        assert answer.status_code == 200, answer.text
        return [item["label"] for item in answer.json()["items"]]

    for client, sees in ((team.binh, True), (team.an, True), (team.dung, False), (team.as_("dung", VIEW_ALL), True)):
        assert await values(client, "address.province", "ha no") == (["Hà Nội"] if sees else [])
        assert await values(client, "purchases.product_codes", "hang xm") == (["Hàng XM-1"] if sees else [])
        assert await values(client, "purchases.product_group_codes", "xm") == (["Nhóm XM"] if sees else [])
    assert await values(team.dung, "manager_id", "binh") == ["Binh"]
    assert await values(team.dung, "relationship_id", "quen") == ["Đừng quên"]
    assert await values(team.dung, "type", "pers") == ["person"]
    refused = await team.dung.get("/api/v1/customers/values", params={"field": "phones"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "?field")


async def test_a_province_is_found_however_its_name_is_written(team: Team) -> None:
    """P4: a customer is in the province that it is in now, live or deleted."""
    keeper = team.as_("binh", DELETE)
    record = await team.create(team.binh, name="Lan", address={"province": "Hà Nội"})
    await team.create(team.binh, name="Hoa")
    path = f"/api/v1/customers/{record['id']}"

    def province(name: str, operator: str = "eq") -> dict[str, Any]:
        return {"field": "address.province", "op": operator, "value": name}

    assert await found(team.binh, province("ha noi")) == ["Lan"]
    assert await found(team.binh, province("HÀ NỘI", "ne")) == ["Hoa"]
    moved = await team.binh.patch(path, json={"address": {"province": "Huế"}}, headers={"If-Match": '"1"'})
    assert moved.status_code == 200, moved.text
    assert await found(team.binh, province("Hà Nội")) == []
    assert await found(team.binh, province("Hue")) == ["Lan"]
    assert (await keeper.delete(path, headers={"If-Match": '"2"'})).status_code in (200, 204)
    assert await found(team.binh, province("Huế")) == []
    assert (await keeper.post(f"{path}/restore", headers={"If-Match": '"3"'})).status_code == 200
    assert await found(team.binh, province("Huế")) == ["Lan"]


async def test_deleted_customers_are_filtered_like_others(team: Team) -> None:
    """C4, P4: `?state=deleted` with any parameter, for holders of the right."""
    keeper = team.as_("binh", DELETE)
    for name in ("Lan", "Hoa"):
        record = await team.create(team.binh, name=name)
        await keeper.delete(f"/api/v1/customers/{record['id']}")
    parameters = {"state": "deleted", "q": "lan", "relationship": str(record["relationship_id"]), "total": "true"}
    listed = (await keeper.get("/api/v1/customers", params=parameters)).json()
    assert ([item["name"] for item in listed["items"]], listed["total"]) == (["Lan"], 1)


async def test_keys_follow_every_change_of_a_customer(team: Team) -> None:
    """A2, P4: what lists walk by is what the customers have, after changes, deletion and restoring."""
    keeper = team.as_("binh", DELETE)
    record = await team.create(team.binh, name="Lan", viewer_ids=[str(team.ids["dung"])])
    path = f"/api/v1/customers/{record['id']}"
    keys = "SELECT key FROM customer_key WHERE customer_id = $1::text::uuid"

    async def held() -> set[Any]:
        return {row[0] for row in await team.harness.sql(keys, record["id"])}

    assert await held() == {team.ids["dung"]}
    await team.binh.put(f"{path}/viewers", json={"employee_ids": [str(team.ids["chi"])]})
    assert await held() == {team.ids["chi"]}
    await keeper.delete(path)
    assert await held() == set()
    assert await team.harness.sql("SELECT customer_id FROM customer_search") == []
    await keeper.post(f"{path}/restore")
    assert await held() == {team.ids["chi"]}
    await team.harness.sql("DELETE FROM customer WHERE id = $1::text::uuid", record["id"])
    assert await held() == set()


async def test_an_id_of_another_kind_finds_nobody(team: Team) -> None:
    """P4: a source's id asked of groups, or a group's of sources, is no group and no source of anybody."""
    source = (await team.admin.post("/api/v1/sources", json={"name": "Hội chợ"})).json()["id"]
    group = (await team.admin.post("/api/v1/groups", json={"name": "Thân thiết"})).json()["id"]
    await team.create(team.binh, group_ids=[group], source_ids=[source])
    found = {}
    for field in ("group_ids", "source_ids", "sector_ids", "viewer_ids"):
        for value in (group, source):
            body = {"filter": {"field": field, "op": "in", "value": [value]}}
            found[field, value] = len((await team.binh.post("/api/v1/customers/search", json=body)).json()["items"])
    assert {asked for asked, count in found.items() if count} == {("group_ids", group), ("source_ids", source)}


async def test_a_walk_for_buyers_begins_at_the_newest_who_can_have_bought(team: Team) -> None:
    """P2, P5: also an order before its customer was created, one heard of first, one whose day was changed."""
    new, moved = [UUID(str((await team.create(team.binh, name=name))["id"])) for name in ("Mới", "Dời")]
    early, order_id, may = new_id(), new_id(), datetime(2024, 5, 3, tzinfo=UTC)
    await team.harness.deliver(
        document(new, ordered_at=may + timedelta(days=92)),
        document(early, ordered_at=may - timedelta(days=92)),
        document(moved, order_id, ordered_at=datetime(2023, 1, 1, tzinfo=UTC)),
    )
    await team.harness.deliver(document(moved, order_id, version=2, ordered_at=may))
    async with team.harness.database.transaction() as session:
        at, cause = await clock(session), Cause(kind="system")
        values = {"name": "Sớm", "relationship_id": relationship_id("new")}
        draft = Draft.create(early, "SOM-1", values, Origin(kind="user", id="x"), "employee/x", at)
        draft.hand_over_at_creation(team.ids["binh"], None, (), at, cause)
        draft.tell_created(cause)
        await insert_customers(session, [draft])

    async def bought(first: str, last: str) -> set[UUID]:
        asked = parse_filter({"purchases": {"ordered_from": first, "ordered_to": last}})
        plan = newest(Search(SYSTEM, asked, limit=50), EVERYBODY)
        return {row.customer_id for row in await team.harness.sql(plan.sql, *plan.parameters)}

    assert await bought("2024-08-01", "2024-08-31") == {new}
    assert await bought("2024-05-01", "2024-05-31") == {moved}
    assert await bought("2024-02-01", "2024-02-29") == {early}
    assert await bought("2023-01-01", "2024-12-31") == {new, moved, early}
    assert await bought("2023-01-01", "2023-12-31") == set()
    assert await bought("2022-01-01", "2022-12-31") == set()
