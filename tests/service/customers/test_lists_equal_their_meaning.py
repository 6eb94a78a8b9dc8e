"""Every list has exactly the visible customers for which its filter holds, in order, whichever way it is found."""

from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.customers.domain.customer import Customer
from services.customers.domain.filter_fields import FIELDS
from services.customers.queries import plans, starts, statistics
from shared.database import driver_url
from shared.folding import fold
from shared.identity import VIEW_ALL
from tests.service.customers.filter_reference import chosen_orders, holds, sees, sums, value_of
from tests.service.customers.filter_shapes import meant, shape
from tests.service.customers.filter_world import Known
from tests.service.customers.test_filters_equal_their_meaning import World, world

__all__ = ["world"]

SORTABLE = [field.name for field in FIELDS if field.sortable]
PAGE = 7


@pytest.fixture
async def measured_world(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The same, with statistics, and with limits so low that every way of finding a page is taken."""
    owner = await asyncpg.connect(driver_url(world.team.harness.settings.owner_url))
    await owner.execute("ANALYZE customer_search, customer_key, customer, customer_contact, document")
    await owner.close()
    statistics.forget_statistics()
    monkeypatch.setattr(starts, "SMALL", 1)
    monkeypatch.setattr(plans, "SMALL", 1)
    monkeypatch.setattr(starts, "READS_PER_LOOK", 1)
    for name, value in {"WALK_ROWS": 20, "MAX_WALK_ROWS": 200, "FAIRNESS": 0.5, "SPARE_ROWS": 1}.items():
        monkeypatch.setattr(plans, name, value)
    return world


def ordered(known: Known, customers: list[Customer], sort: list[str]) -> list[str]:
    """Ids in order: nulls last in either direction, the id in the direction of the first field."""
    rows = sorted(customers, key=lambda customer: str(customer.id), reverse=sort[0].startswith("-"))
    for field in reversed(sort):
        name, down = field.removeprefix("-"), field.startswith("-")
        valued = [(_first(value_of(known, name, customer)), customer) for customer in rows]
        there = [(_key(known, name, value), customer) for value, customer in valued if value is not None]
        there.sort(key=lambda pair: pair[0], reverse=down)
        # reverse keeps equal ones in their order
        rows = [customer for _, customer in there] + [customer for value, customer in valued if value is None]
    return [str(customer.id) for customer in rows]


def _first(value: Any) -> Any:
    return next(iter(value), None) if isinstance(value, list) else value


def _key(known: Known, name: str, value: Any) -> Any:
    if name in ("relationship_id", "remembered_relationship_id"):
        return list(known.forget_after_days).index(value)
    if name == "manager_id":
        return next(person for person, employee_id in known.people.items() if employee_id == value)
    if name == "primary_source_id":
        return known.sources.index(value)
    return fold(value) if isinstance(value, str) and name not in ("code", "origin.id", "created_by") else value


def period_of(known: Known, node: dict[str, Any], customer_id: str) -> dict[str, Any]:
    """What stands beside an item of a list by purchases (P3)."""
    customer = next(one for one in known.customers if str(one.id) == customer_id)
    total, count, quantity = sums(node, chosen_orders(known, node, customer))
    return {"total_value": {"amount": total, "currency": "VND"}, "order_count": count, "quantity": quantity}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    drawn=shape(),
    who=st.integers(0, 3),
    sort=st.lists(st.sampled_from(SORTABLE), min_size=0, max_size=2, unique=True),
    down=st.tuples(st.booleans(), st.booleans()),
)
async def test_pages_hold_what_the_filter_means_in_order(
    measured_world: World, drawn: dict[str, Any], who: int, sort: list[str], down: tuple[bool, bool]
) -> None:
    """A2, P2–P5, R3: any filter, asker and order: page after page without gap, the total, nothing invisible."""
    world, actor = measured_world, measured_world.actors[who]
    node = meant(world.known, drawn)
    keys = [f"-{name}" if turned else name for name, turned in zip(sort, down, strict=False)]
    expected = [c for c in world.known.customers if sees(actor, c) and holds(world.known, actor, node, c)]
    client = world.team.harness.client(actor.id, sorted(actor.permissions))
    seen: list[str] = []
    cursor, total = None, None
    while True:
        body = {"filter": node, "sort": keys, "limit": PAGE, "cursor": cursor, "total": cursor is None}
        answer = await client.post("/api/v1/customers/search", json=body)
        assert answer.status_code == 200, (answer.text, node)
        page = answer.json()
        assert len(page["items"]) <= PAGE
        seen += [item["id"] for item in page["items"]]
        if set(node) == {"purchases"}:
            for item in page["items"]:
                assert item["period"] == period_of(world.known, node["purchases"], item["id"]), node
        cursor, total = page["next_cursor"], page.get("total", total)
        if cursor is None:
            break
    assert total == len(expected), node
    if keys:
        assert seen == ordered(world.known, expected, keys), (node, keys)
    else:
        assert sorted(seen) == sorted(str(customer.id) for customer in expected), node


@pytest.mark.parametrize("status", ["purchased", "not_purchased"])
async def test_a_period_may_end_with_the_last_day_there_is(measured_world: World, status: str) -> None:
    """P2: an open end written as a far day asks for the same as no end, also where statistics are asked first."""
    client = measured_world.team.harness.client(measured_world.actors[0].id, [VIEW_ALL])
    totals: list[int] = []
    for period in ({}, {"ordered_from": "0001-01-01", "ordered_to": "9999-12-31"}):
        body = {"filter": {"purchases": {"status": status, **period}}, "limit": PAGE, "total": True}
        answer = await client.post("/api/v1/customers/search", json=body)
        assert answer.status_code == 200, answer.text
        totals.append(answer.json()["total"])
    assert totals[0] == totals[1] > 0
