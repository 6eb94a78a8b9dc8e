"""Inserting customers in bulk: one statement however many, one way for one and for thousands."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import inspect

from services.customers.domain.creation import Draft
from services.customers.domain.customer import Customer, Viewer
from shared.database import Session, run

COLUMNS = tuple(column.key for column in inspect(Customer).column_attrs)
_VIEWER_COLUMNS = tuple(column.key for column in inspect(Viewer).column_attrs)


async def insert_customers(session: Session, customers: Sequence[Customer | Draft]) -> None:
    """Store new customers and their viewers. Phones and codes are claimed before."""
    await _insert(session, "customer", [{name: getattr(customer, name) for name in COLUMNS} for customer in customers])
    viewers = [viewer for customer in customers for viewer in customer.viewers]
    if viewers:
        await _insert(
            session, "customer_viewer", [{name: getattr(v, name) for name in _VIEWER_COLUMNS} for v in viewers]
        )


async def _insert(session: Session, table: str, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    columns = ", ".join(rows[0])  # PostgreSQL writes the others itself
    await run(
        session,
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, $1::jsonb)",
        msgspec.json.encode(rows).decode(),
    )
