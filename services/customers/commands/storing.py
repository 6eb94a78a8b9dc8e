"""Inserting and changing customers in bulk: one statement however many, one way for one and for thousands."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import inspect

from services.customers.domain.creation import Draft
from services.customers.domain.customer import Customer, Viewer
from services.customers.domain.record import Held
from shared.database import Session, run

COLUMNS = tuple(column.key for column in inspect(Customer).column_attrs)
_VIEWER_COLUMNS = tuple(column.key for column in inspect(Viewer).column_attrs)
_FIXED = frozenset({"id", "code", "origin_kind", "origin_id", "created_at", "created_by"})
_CHANGING = tuple(name for name in COLUMNS if name not in _FIXED)

_UPDATE = f"""
UPDATE customer AS stored SET {", ".join(f"{name} = news.{name}" for name in _CHANGING)}
FROM jsonb_populate_recordset(NULL::customer, $1::jsonb) AS news WHERE stored.id = news.id
"""

_DROP_VIEWERS = "DELETE FROM customer_viewer WHERE customer_id = ANY($1::uuid[])"
_ADD_VIEWERS = """
INSERT INTO customer_viewer (customer_id, employee_id, cause_kind, cause_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[])
"""


async def insert_customers(session: Session, customers: Sequence[Customer | Draft]) -> None:
    """Store new customers and their viewers. Phones and codes are claimed before."""
    await _insert(session, "customer", [{name: getattr(customer, name) for name in COLUMNS} for customer in customers])
    viewers = [viewer for customer in customers for viewer in customer.viewers]
    if viewers:
        await _insert(
            session, "customer_viewer", [{name: getattr(v, name) for name in _VIEWER_COLUMNS} for v in viewers]
        )


async def update_customers(session: Session, customers: Iterable[Held]) -> None:
    """Write whatever has changed of held customers. Phones are claimed before."""
    touched = [customer for customer in customers if customer.changed]
    if touched:
        rows = [{name: getattr(customer, name) for name in ("id", *_CHANGING)} for customer in touched]
        await run(session, _UPDATE, msgspec.json.encode(rows).decode())
        await replace_viewers(session, touched)


async def replace_viewers(session: Session, customers: Iterable[Held]) -> None:
    """Write why people look at held customers, where that is not as it was."""
    touched = [customer for customer in customers if customer.viewers_changed]
    if not touched:
        return
    viewers = [(v.customer_id, v.employee_id, v.cause_kind, v.cause_id) for one in touched for v in one.viewers]
    await run(session, _DROP_VIEWERS, [customer.id for customer in touched])
    if viewers:
        await run(session, _ADD_VIEWERS, *map(list, zip(*viewers, strict=True)))


async def _insert(session: Session, table: str, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    columns = ", ".join(rows[0])  # PostgreSQL writes the others itself
    await run(
        session,
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, $1::jsonb)",
        msgspec.json.encode(rows).decode(),
    )
