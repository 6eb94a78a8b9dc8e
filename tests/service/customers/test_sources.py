"""What sources cost and what they bring, by period."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from services.customers.domain.relationships import CLOSED
from shared.contracts.documents import DocumentChanged, DocumentState
from shared.contracts.events import Cause, Money
from shared.envelope import new_id
from shared.identity import DELETE, SETTINGS, VIEW_ALL
from tests.service.customers.conftest import Team

API = "/api/v1/sources"


async def source(team: Team, name: str) -> dict[str, Any]:
    """A source."""
    return (await team.admin.post(API, json={"name": name})).json()


def cost(kind: str, amount: int, first: str, last: str | None = None, **more: Any) -> dict[str, Any]:
    """An entry as a request has it."""
    period = {"from": first} | ({"to": last} if last is not None else {})
    return {"kind": kind, "amount": {"amount": amount, "currency": "VND"}, **period, **more}


async def test_costs_are_booked_corrected_and_taken_back(team: Team) -> None:
    """G3: planned or spent, amount, period, note; versioned like everything."""
    web = await source(team, "Web")
    path = f"{API}/{web['id']}/costs"
    body = cost("planned", 5_000_000, "2026-03-01", "2026-03-31", note="Quảng cáo")
    added = await team.admin.post(path, json=body)
    record = added.json()
    assert (added.status_code, added.headers["etag"]) == (201, '"1"')
    assert added.headers["location"] == f"{path}/{record['id']}"
    assert {name: record[name] for name in body} == body
    assert record["source_id"] == web["id"]
    one = f"{path}/{record['id']}"
    changed = await team.admin.patch(one, json={"amount": {"amount": 1}, "kind": "spent"}, headers={"If-Match": '"1"'})
    assert (changed.headers["etag"], changed.json()["amount"]["amount"], changed.json()["kind"]) == ('"2"', 1, "spent")
    assert (await team.admin.patch(one, json={"kind": "spent"})).headers["etag"] == '"2"'
    assert (await team.admin.patch(one, json={"to": "2026-02-01"})).status_code == 422
    assert (await team.admin.patch(one, json={"note": None}, headers={"If-Match": '"1"'})).status_code == 412
    day = (await team.admin.post(path, json=cost("spent", 3, "2026-04-02"))).json()
    assert (day["from"], day["to"], day["note"]) == ("2026-04-02", "2026-04-02", None)
    page = (await team.admin.get(path, params={"limit": 1, "total": "true"})).json()
    assert ([i["id"] for i in page["items"]], page["total"]) == ([day["id"]], 2)
    rest = (await team.admin.get(path, params={"limit": 1, "cursor": page["next_cursor"]})).json()
    assert [i["id"] for i in rest["items"]] == [record["id"]]
    assert (await team.admin.delete(one, headers={"If-Match": '"1"'})).status_code == 412
    assert (await team.admin.delete(one)).status_code == 204
    assert (await team.admin.delete(one)).status_code == 404
    kept = await team.harness.sql("SELECT changes FROM audit WHERE item_id = $1 AND event_id IS NULL", UUID(web["id"]))
    assert len(kept) == 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "other"},
        {"amount": {"amount": -1}},
        {"amount": 5},
        {"amount": {"amount": 1, "currency": "vnd"}},
        {"from": "2026-13-01"},
        {"from": 20260101},
        {"to": "2025-12-31"},
        {"note": "x" * 501},
        {"first_day": "2026-01-01"},
    ],
)
async def test_wrong_costs_are_refused(team: Team, wrong: dict[str, Any]) -> None:
    """G3: no kind of money but planned and spent, no negative amounts, no period that ends before it begins."""
    web = await source(team, "Web")
    answer = await team.admin.post(f"{API}/{web['id']}/costs", json=cost("spent", 1, "2026-01-01") | wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_money_is_for_settings_and_for_who_sees_everything(team: Team) -> None:
    """R1: crm:settings or customers:view_all read money, crm:settings alone writes it."""
    web = await source(team, "Web")
    period = {"from": "2026-01-01", "to": "2026-12-31"}
    costs = f"{API}/{web['id']}/costs"
    for reader, status in ((team.binh, 403), (team.as_("binh", VIEW_ALL), 200), (team.as_("binh", SETTINGS), 200)):
        assert (await reader.get(costs)).status_code == status
        assert (await reader.get(f"{API}/effectiveness", params=period)).status_code == status
    viewer = team.as_("binh", VIEW_ALL)
    assert (await viewer.post(costs, json=cost("spent", 1, "2026-01-01"))).status_code == 403
    for missing in ({"from": "2026-01-01"}, {"to": "2026-01-01"}, {"from": "2026-02-01", "to": "2026-01-01"}):
        assert (await viewer.get(f"{API}/effectiveness", params=missing)).status_code == 422
    unknown = f"{API}/{team.ids['an']}/costs"
    assert (await team.admin.get(unknown)).status_code == 404
    assert (await team.admin.post(unknown, json=cost("spent", 1, "2026-01-01"))).status_code == 404


async def test_effectiveness_is_of_the_cohort_that_was_created_in_the_period(team: Team) -> None:
    """G3: by primary source and any; ever Closed; revenue up to today; costs where `from` lies; ratios or null."""
    web, fair, idle = [await source(team, name) for name in ("Web", "Hội chợ", "Không ai")]
    both = [web["id"], fair["id"]]
    first = await team.create(team.binh, source_ids=both, relationship_id=str(CLOSED))
    await team.binh.patch(f"/api/v1/customers/{first['id']}", json={"relationship_id": await _relationship(team)})
    second = await team.create(team.binh, source_ids=both)
    await team.create(team.binh, source_ids=[fair["id"]])
    old = await team.create(team.binh, source_ids=[web["id"]])
    gone = await team.create(team.binh, source_ids=[web["id"]])
    await team.as_("binh", DELETE).delete(f"/api/v1/customers/{gone['id']}")
    await team.harness.sql(
        "UPDATE customer SET created_at = created_at - interval '40 days' WHERE id = $1", UUID(str(old["id"]))
    )
    await team.harness.sql(
        "UPDATE customer_search s SET created_at = c.created_at FROM customer c WHERE c.id = s.customer_id"
    )
    sale = order(first, 900_000)
    await team.harness.deliver(
        sale,
        order(second, 200_000, status="draft"),
        order(first, 100_000, return_of=sale.state.id),
        order(old, 5_000_000),
        order(second, 50, currency="USD"),
        order(second, 70_000, ordered_at=datetime.now(UTC) + timedelta(days=2)),
    )
    today = date.today()
    for kind, amount, day in (
        ("planned", 1_000_000, today),
        ("spent", 400_001, today),
        ("spent", 7, today - timedelta(days=40)),
    ):
        entry = cost(kind, amount, str(day), str(day + timedelta(days=90)))
        assert (await team.admin.post(f"{API}/{web['id']}/costs", json=entry)).status_code == 201
    period = {"from": str(today - timedelta(days=1)), "to": str(today + timedelta(days=1))}
    items = (await team.admin.get(f"{API}/effectiveness", params=period)).json()["items"]
    figures = {item["source_id"]: item for item in items}
    assert figures[web["id"]] == {
        "source_id": web["id"],
        "code": "WEB",
        "name": "Web",
        "state": "active",
        "customers": 2,
        "any_customers": 2,
        "closed": 1,
        "conversion": 0.5,
        "revenue": {"amount": 800_000, "currency": "VND"},
        "planned": {"amount": 1_000_000, "currency": "VND"},
        "spent": {"amount": 400_001, "currency": "VND"},
        "cost_per_customer": {"amount": 200_001, "currency": "VND"},
        "return_on_cost": 1.999995,
    }
    counted = [figures[fair["id"]][name] for name in ("customers", "any_customers", "closed", "conversion")]
    assert counted == [1, 3, 0, 0]
    empty = figures[idle["id"]]
    assert [empty[n] for n in ("customers", "conversion", "cost_per_customer", "return_on_cost")] == [
        0,
        None,
        None,
        None,
    ]
    dollars = (await team.admin.get(f"{API}/effectiveness", params=period | {"currency": "USD"})).json()["items"]
    assert {i["source_id"]: i["revenue"]["amount"] for i in dollars}[web["id"]] == 50
    await team.admin.delete(f"{API}/{idle['id']}")
    await team.admin.delete(f"{API}/{web['id']}")
    items = (await team.admin.get(f"{API}/effectiveness", params=period)).json()["items"]
    assert {item["source_id"]: item["state"] for item in items} == {web["id"]: "disabled", fair["id"]: "active"}


async def _relationship(team: Team) -> str:
    items = (await team.binh.get("/api/v1/relationships")).json()["items"]
    return next(one["id"] for one in items if one["key"] == "lost")


def order(customer: dict[str, Any], amount: int, currency: str = "VND", **more: Any) -> DocumentChanged:
    """An order as `interactions` tells it; a confirmed sale unless said otherwise."""
    values: dict[str, Any] = {
        "customer_id": UUID(str(customer["id"])),
        "kind": "order",
        "status": "confirmed",
        "order_type": "sales",
        "ordered_at": datetime.now(UTC),
        "total": Money(amount=amount, currency=currency),
        "lines": (
            {
                "product_code": "SP",
                "product_name": "Sản phẩm",
                "quantity": Decimal(1),
                "unit_price": Money(amount=amount, currency=currency),
                "total": Money(amount=amount, currency=currency),
            },
        ),
    } | more
    state = DocumentState(id=new_id(), state="active", source_system="erp", created_at=datetime.now(UTC), **values)
    return DocumentChanged(version=1, state=state, cause=Cause(kind="system"))
