"""Where the fields of filters and sorts stand in SQL, over the aliases `s c n r` of `queries/filters.py`."""

import re
from dataclasses import dataclass
from hashlib import md5
from uuid import UUID

from shared.folding import fold

DAYS_LEFT = "(r.forget_after_days - (day_of(now()) - day_of(greatest(n.last_contact_at, c.clock_started_at))))"
"""Days until Don't Forget (G5); `greatest` passes over a missing contact, null stands for never."""


LISTS = {name: f"c.{name}" for name in ("group_ids", "source_ids", "sector_ids")}
"""A customer's values of one kind; `s.class_ids` has those of all kinds, so that ids are asked by `of_kind`."""


KINDS = {"group_ids": "group", "source_ids": "source", "sector_ids": "sector", "viewer_ids": "employee"}
"""What the ids of a field are of: an id of another kind means nothing there, though an index may know it."""


@dataclass(frozen=True)
class Column:
    """An expression and its PostgreSQL type. `exact` texts are compared as they are, others folded."""

    sql: str
    type: str = "text"
    exact: bool = False


COLUMNS: dict[str, Column] = {
    "id": Column("s.customer_id", "uuid"),
    "code": Column("c.code", exact=True),
    "type": Column("c.type"),
    "phones": Column("c.phones"),
    "emails": Column("c.emails"),
    "gender": Column("c.gender"),
    "birth_date": Column("c.birth_date", "date"),
    "address.line": Column("c.address->>'line'"),
    "address.ward": Column("c.address->>'ward'"),
    "address.district": Column("c.address->>'district'"),
    "address.province": Column("c.address->>'province'"),
    "address.country": Column("c.address->>'country'"),
    **{
        name: Column(f"c.{name}")
        for name in ("name", "occupation", "income_band", "company_name", "tax_code", "website", "description")
    },
    **{name: Column("s.class_ids", "uuid") for name in ("group_ids", "source_ids", "sector_ids")},
    "viewer_ids": Column("c.viewer_ids", "uuid"),
    "relationship_id": Column("s.relationship_id", "uuid"),
    **{
        name: Column(f"c.{name}", "uuid")
        for name in ("primary_source_id", "remembered_relationship_id", "referrer_customer_id")
    },
    "manager_id": Column("s.manager_id", "uuid"),
    "manager_set_at": Column("c.manager_set_at", "timestamptz"),
    "origin.kind": Column("c.origin_kind"),
    "origin.id": Column("c.origin_id", exact=True),
    "created_at": Column("s.created_at", "timestamptz"),
    "created_by": Column("c.created_by", exact=True),
    "updated_at": Column("c.updated_at", "timestamptz"),
    "first_closed_at": Column("c.first_closed_at", "timestamptz"),
    "interaction_count": Column("n.interaction_count", "bigint"),
    "last_contact_at": Column("n.last_contact_at", "timestamptz"),
    "last_two_way_contact_at": Column("(n.last_two_way_contact->>'at')::timestamptz", "timestamptz"),
    "days_left": Column(DAYS_LEFT, "bigint"),
    "total_revenue": Column("n.total_revenue", "bigint"),
    "order_count": Column("n.order_count", "bigint"),
}  # fmt: skip

NEVER_NULL = frozenset(
    {
        "id", "code", "type", "name", "phones", "emails", "group_ids", "source_ids", "sector_ids", "viewer_ids",
        "relationship_id", "origin.kind", "created_at", "created_by", "updated_at", "interaction_count",
        "total_revenue", "order_count", "text", "unassigned", "manager_inactive",
    }
)  # fmt: skip
"""Fields that every customer has: their comparison is never unknown."""

JOINS = {
    "c": "JOIN customer c ON c.id = s.customer_id",
    "n": "JOIN customer_contact n ON n.customer_id = s.customer_id",
    "r": "JOIN relationship r ON r.id = c.relationship_id",
}
"""What stands beside `customer_search s`, by alias, in the order in which it is joined."""

_ALIAS = re.compile(r"\b([cnr])\.")


def joins(sql: str) -> str:
    """The joins that a piece of SQL needs beside `customer_search s`."""
    needed = set(_ALIAS.findall(sql))
    if "r" in needed:
        needed.add("c")
    return " ".join(join for alias, join in JOINS.items() if alias in needed)


def of_kind(kind: str, ids: str) -> str:
    """Those of some ids (SQL of an array) that are of a kind, as SQL."""
    return f"(SELECT of_kind({ids}, '{kind}'))"


def province_key(name: str) -> UUID:
    """The key of the customers of a province, as PostgreSQL's function of that name makes it."""
    return UUID(md5(f"province:{fold(name)}".encode(), usedforsecurity=False).hexdigest())
