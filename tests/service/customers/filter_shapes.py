"""Filters of every shape for property tests: drawn without ids, which differ from run to run, then filled in."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from services.customers.domain.filter_fields import FIELD_BY_NAME, FIELDS
from shared.contracts.classification import relationship_id
from tests.service.customers.filter_world import NAMES, NOW, PROVINCES, Known

PLACES = 8
NOBODY = "00000000-0000-0000-0000-000000000000"
"""Values are named by their place in a list."""

_DAYS = st.sampled_from([str((NOW - timedelta(days=days)).date()) for days in (0, 10, 30, 50)])


def _span(*values: int) -> Any:
    return st.dictionaries(st.sampled_from(["gte", "lte"]), st.sampled_from(values), max_size=2)


_PURCHASES = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["purchased", "not_purchased"]),
        "ordered_from": _DAYS,
        "ordered_to": _DAYS,
        "order_type": st.sampled_from(["sales", "purchase"]),
        "product_codes": st.lists(st.sampled_from(["XM-1", "SON-1", "XX"]), max_size=2),
        "product_group_codes": st.lists(st.sampled_from(["XM", "GACH"]), max_size=2),
        "order_value": _span(0, 2_000, 5_000),
        "total_value": _span(-1_000, 1_000, 4_000, 9_000),
        "order_count": _span(0, 1, 2),
        "quantity": _span(-1, 1, 3, 6),
        "currency": st.just("VND"),
    },
)


def pool(known: Known, name: str) -> list[Any]:
    """Values worth asking a field for: some that customers have, some that they have in another field, some nobody."""
    absent = "00000000-0000-7000-8000-00000000dead"
    people, first = [*map(str, known.people.values()), absent], known.customers[0]
    days = [str((NOW - timedelta(days=days)).date()) for days in (0, 1, 20, 40, 70)]
    moments = [*days, NOW.isoformat(), (NOW - timedelta(days=20)).isoformat()]
    by_name: dict[str, list[Any]] = {
        "text": ["hoa", "Hòa", "nguyen an", "0912", "9", "3456", "@", "vidu", " ", "ha noi"],
        "id": [str(customer.id) for customer in known.customers[:3]] + [absent],
        "code": ["T0001", "t0002", "T00", "không"],
        "name": [*NAMES[:3], "hoa", "HOÀ", "công ty"],
        "phones": [*(phone for customer in known.customers[:9] for phone in customer.phones), "0912345678"],
        "emails": ["HOA@vidu.vn", "an@congty.com.vn", "vidu"],
        "birth_date": ["1990-01-01", "1985-06-30", "2000-01-01"],
        "occupation": ["giao vien", "Kỹ sư", "x"],
        "address.province": [province for province in PROVINCES if province],
        "group_ids": [str(known.sources[0]), people[0], *map(str, known.groups), absent],
        "sector_ids": [str(known.groups[0]), *map(str, known.sectors), absent],
        "source_ids": [str(known.groups[0]), *map(str, known.sources), absent],
        "viewer_ids": [str(known.sources[0]), NOBODY, *people],
        "relationship_id": [str(relationship_id(key)) for key in ("new", "hot", "closed", "dont_forget")],
        "origin.id": ["i-1", "i-2", "I-1"],
        "interaction_count": [1, 3, 8, 99],
        "days_left": [-10, 0, 1, 25, 30],
        "total_revenue": [0, 1, {"amount": 0, "currency": "VND"}],
        "order_count": [0, 1],
        "referrer_customer_id": [str(first.id), absent],
    }
    field = FIELD_BY_NAME[name]
    if name in by_name:
        return by_name[name]
    if field.choices:
        return list(field.choices)
    if field.kind in ("reference", "tree"):
        return [*map(str, known.sources), absent] if "source" in name else people
    return {"instant": moments, "boolean": [True, False]}.get(field.kind, ["x", "employee/x"])


@st.composite
def shape(draw: st.DrawFn, depth: int = 4) -> Any:
    """A filter whose values are places in their field's pool."""
    kinds = ["field"] * 4 + ["opportunity", "purchases"] + (["and", "or", "not"] if depth > 1 else [])
    kind = draw(st.sampled_from(kinds))
    if kind in ("and", "or"):
        return {kind: draw(st.lists(shape(depth - 1), max_size=3))}
    if kind == "not":
        return {"not": draw(shape(depth - 1))}
    if kind == "purchases":
        return {"purchases": draw(_PURCHASES)}
    places = [draw(st.integers(0, PLACES)) for _ in range(3)]
    if kind == "opportunity":
        return {
            "opportunity": places,
            "given": draw(st.sets(st.sampled_from(["campaign_id", "status_ids", "owner_id"]))),
        }
    field = draw(st.sampled_from(FIELDS))
    operator = draw(st.sampled_from(field.operators))
    return {"field": field.name, "op": operator, "places": places, "count": draw(st.integers(0, 3))}


def meant(known: Known, drawn: dict[str, Any]) -> dict[str, Any]:
    """The filter of a shape."""
    for kind in ("and", "or"):
        if kind in drawn:
            return {kind: [meant(known, part) for part in drawn[kind]]}
    if "purchases" in drawn:
        return drawn
    if "not" in drawn:
        return {"not": meant(known, drawn["not"])}
    places: list[int] = drawn["opportunity" if "opportunity" in drawn else "places"]
    if "opportunity" in drawn:
        campaign = known.campaigns[places[0] % len(known.campaigns)]
        people = list(known.people.values())
        values = {
            "campaign_id": str(campaign["id"]),
            "status_ids": [str(campaign["statuses"][places[1] % 2])],
            "owner_id": str(people[places[2] % len(people)]),
        }
        return {"opportunity": {name: values[name] for name in drawn["given"]}}
    values = pool(known, drawn["field"])
    chosen = [values[place % len(values)] for place in places]
    operator = drawn["op"]
    value: Any = chosen[0]
    if operator in ("in", "not_in"):
        value = chosen[: drawn["count"]]
    elif operator == "between":
        value = chosen[:2]
    elif operator == "is_empty":
        value = drawn["count"] != 0
    return {"field": drawn["field"], "op": operator, "value": value}
