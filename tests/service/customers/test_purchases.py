"""Orders of other services' making: what they add up to for a customer, and the tables that filters read."""

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from services.customers.commands.purchase_check import recount_purchases
from shared.contracts.events import Money
from shared.envelope import new_id
from tests.service.customers.conftest import Team
from tests.support.records import document, document_line


async def lifetime(team: Team, customer_id: UUID) -> tuple[int, int, int]:
    """Revenue, orders and value purchased of a customer."""
    [row] = await team.harness.sql(
        "SELECT total_revenue, order_count, purchased_value FROM customer_contact WHERE customer_id = $1", customer_id
    )
    return tuple(row)


async def test_lifetime_values_are_purchased_sales_minus_returns(team: Team):
    """P1, P3: a return subtracts and is no order; drafts, cancelled, purchase orders and quotations add nothing."""
    customer_id = UUID(str((await team.create(team.binh))["id"]))
    sold = document(customer_id, amount=5_000)
    await team.harness.deliver(
        sold,
        document(customer_id, amount=700, status="completed"),
        document(customer_id, amount=2_000, return_of=sold.state.id),
        document(customer_id, amount=10, status="draft"),
        document(customer_id, amount=20, status="cancelled"),
        document(customer_id, amount=40, order_type="purchase"),
        document(customer_id, amount=80, kind="quotation", order_type=None),
    )
    assert await lifetime(team, customer_id) == (3_700, 2, 5_740)


async def test_a_customer_shows_what_was_purchased_for_life(team: Team):
    """P3: in the record and in lists; the customer's version does not move."""
    created = await team.create(team.binh)
    await team.harness.deliver(document(UUID(str(created["id"])), amount=3_000))
    answer = await team.binh.get(f"/api/v1/customers/{created['id']}")
    listed = (await team.binh.get("/api/v1/customers")).json()["items"][0]
    for shown in (answer.json(), listed):
        assert (shown["total_revenue"], shown["order_count"]) == ({"amount": 3_000, "currency": "VND"}, 1)
        assert shown["version"] == created["version"]
    assert answer.headers["etag"] == f'"{created["version"]}"'


async def test_a_document_counts_once_whatever_is_told_again_or_late(team: Team):
    """P1: idempotent by version: repetitions, old versions behind new ones and versions left out move nothing."""
    customer_id, order_id = UUID(str((await team.create(team.binh))["id"])), new_id()
    first, second, last = (
        document(customer_id, order_id, version=version, amount=amount) for version, amount in ((1, 5), (2, 7), (4, 11))
    )
    for batch in ([first, first], [second], [first], [last], [second, last], [first, second]):
        await team.harness.deliver(*batch)
    assert await lifetime(team, customer_id) == (11, 1, 11)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"status": "cancelled"}, (0, 0, 0)),
        ({"state": "deleted"}, (0, 0, 0)),
        ({"order_type": "purchase"}, (0, 0, 1_000)),
        ({"return_of": new_id()}, (-1_000, 0, 0)),
        ({"total": Money(amount=1_000, currency="USD")}, (0, 1, 0)),
        ({"total": Money(amount=300)}, (300, 1, 300)),
    ],
)
async def test_a_changed_order_moves_the_values_by_the_difference(
    team: Team, values: dict[str, Any], expected: tuple[int, int, int]
):
    """P1, P3: what no longer counts is taken back; amounts of other currencies never add to those in dong."""
    customer_id, order_id = UUID(str((await team.create(team.binh))["id"])), new_id()
    await team.harness.deliver(document(customer_id, order_id))
    await team.harness.deliver(document(customer_id, order_id, version=2, **values))
    assert await lifetime(team, customer_id) == expected
    await team.harness.deliver(document(customer_id, order_id, version=3))
    assert await lifetime(team, customer_id) == (1_000, 1, 1_000)


async def test_an_order_heard_of_before_its_customer_waits_for_it(team: Team):
    """P1: topics are not ordered among themselves; nothing is lost, and the customer's first sight is right."""
    customer_id = new_id()
    await team.harness.deliver(document(customer_id, amount=9))
    columns = ", ".join(
        row[0]
        for row in await team.harness.sql(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'customer' AND column_name"
            " NOT IN ('id', 'code') AND is_generated = 'NEVER' AND table_schema = 'public' ORDER BY ordinal_position"
        )
    )
    known = UUID(str((await team.create(team.binh))["id"]))
    await team.harness.sql(
        f"INSERT INTO customer (id, code, {columns}) SELECT $1, 'LATER', {columns} FROM customer WHERE id = $2",
        customer_id,
        known,
    )
    assert await lifetime(team, customer_id) == (9, 1, 9)


async def test_orders_of_one_customer_may_arrive_at_once(team: Team):
    """P1: the topic is keyed by document, so several consumers move one customer's values."""
    customer_id = UUID(str((await team.create(team.binh))["id"]))
    await asyncio.gather(*(team.harness.deliver(document(customer_id, amount=n)) for n in range(1, 21)))
    assert await lifetime(team, customer_id) == (210, 20, 210)


async def test_values_that_drifted_are_added_up_anew(team: Team):
    """P3: whatever a fault has changed comes back from the documents; what is right is left alone."""
    first, second = [UUID(str((await team.create(team.binh))["id"])) for _ in range(2)]
    await team.harness.deliver(document(first, amount=5), document(first, amount=7), document(second, status="draft"))
    check = (team.harness.database, team.harness.settings, date(2026, 11, 2))
    assert await recount_purchases(*check) == {"checked": 1, "repaired": 0}
    await team.harness.sql("UPDATE customer_contact SET total_revenue = 1, order_count = 9, purchased_value = 0")
    assert await recount_purchases(*check) == {"checked": 2, "repaired": 2}
    assert [await lifetime(team, one) for one in (first, second)] == [(12, 2, 12), (0, 0, 0)]


async def test_lines_follow_their_order_and_name_the_products(team: Team):
    """P1: lines come, change and go with their order; products and their groups keep the name last heard."""
    customer_id, order_id = UUID(str((await team.create(team.binh))["id"])), new_id()
    lines = (document_line("XM-1"), document_line("XM-2", quantity="2.5"), document_line("THEP-1"))
    await team.harness.deliver(document(customer_id, order_id, lines=lines))
    renamed = (lines[1], document_line("THEP-1", product_name="Thép D10", product_group_code=None))
    await team.harness.deliver(document(customer_id, order_id, version=2, lines=renamed))
    kept = await team.harness.sql(
        "SELECT position, customer_id, product_code, product_name, quantity::text FROM document_line ORDER BY position"
    )
    assert kept == [(0, customer_id, "XM-2", "Hàng XM-2", "2.5"), (1, customer_id, "THEP-1", "Thép D10", "1")]
    products = await team.harness.sql("SELECT code, name_folded, group_code FROM product ORDER BY code")
    assert products == [("THEP-1", "thep d10", None), ("XM-1", "hang xm-1", "XM"), ("XM-2", "hang xm-2", "XM")]
    groups = await team.harness.sql("SELECT code, name_folded FROM product_group ORDER BY code")
    assert groups == [("THEP", "nhom thep"), ("XM", "nhom xm")]
    await team.harness.deliver(document(customer_id, order_id, version=3, lines=renamed, state="deleted"))
    assert await team.harness.sql("SELECT count(*) FROM document_line") == [(0,)]
