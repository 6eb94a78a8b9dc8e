"""A customer as it is shown: JSON that PostgreSQL keeps beside the row, for one record and for a page of a list.

What depends on today (`days_left`) is added when it is asked for. Building fifty objects and models for
a page costs ten times what the page is worth.
"""

from typing import Any
from uuid import UUID

import msgspec

from services.customers.domain.customer import Customer
from services.customers.domain.purchase_filter import Purchases
from services.customers.queries.parameters import Parameters
from services.customers.queries.purchases import period
from shared.access import may_change, may_see
from shared.database import Session, run
from shared.errors import NotFound
from shared.identity import DELETE, ERASE, Actor

_FIELDS = """
c.record || n.record || ',"days_left":' || coalesce((
    r.forget_after_days - ((SELECT day_of(now())) - day_of(greatest(n.last_contact_at, c.clock_started_at)))
)::text, 'null')"""
RECORD = f"{_FIELDS} || '}}'"
"""One customer with the numbers that live beside it; `greatest` passes over a missing contact."""

JOINS = """
JOIN customer_contact n ON n.customer_id = c.id
JOIN relationship r ON r.id = c.relationship_id
"""

_ONE = f"SELECT {RECORD} FROM customer c {JOINS} WHERE c.id = $1"
_PAGE = """
WITH page AS MATERIALIZED (SELECT found.*, row_number() OVER (ORDER BY {order}) AS place FROM ({found}) found)
SELECT (SELECT count(*) FROM page) AS found, shown.customers, last.*
FROM (
    SELECT convert_to(string_agg({record}, ',' ORDER BY place), 'UTF8') AS customers, max(place) AS place
    FROM page JOIN customer c ON c.id = page.customer_id {joins} WHERE place <= {limit}
) shown LEFT JOIN page last USING (place)
"""


def page_of(found: str, order: str, limit: int, parameters: Parameters, purchases: Purchases | None = None) -> str:
    """A statement for the first `limit` customers that `found` (SQL) finds, in an `order` of its columns.

    Its one row has how many were `found`, the `customers` as the inside of a JSON array (null for none) and the
    columns of the last one shown: to look for customers and to read them apart would be two ways to the
    database and two moments. They are bytes, as they go out: decoding and encoding a page of Vietnamese names
    took longer than all else that is done to it. With `purchases` each has the values of the orders that it chooses as
    `period`, beside its lifetime's (P3).
    """
    record = RECORD
    if purchases is not None:
        record = f"{_FIELDS} || ',\"period\":' || {period(purchases, parameters)} || '}}'"
    return _PAGE.format(order=order, found=found, record=record, joins=JOINS, limit=limit)


async def read_customer(session: Session, actor: Actor, customer_id: UUID) -> dict[str, Any]:
    """One customer with what the actor may do to it. Raises NotFound (A2)."""
    found = await run(session, _ONE, customer_id)
    text = found.scalar_one_or_none()
    record: dict[str, Any] | None = msgspec.json.decode(text) if text is not None else None
    if record is None:
        raise NotFound
    manager_id, viewer_ids = _ids(record)
    if not may_see(actor, manager_id, viewer_ids) or (record["state"] == "deleted" and not actor.may(DELETE)):
        raise NotFound
    record["allowed"] = allowed(actor, manager_id, viewer_ids, record["state"])
    return record


async def shown(session: Session, actor: Actor, customer: Customer) -> dict[str, Any]:
    """A customer right after a write; to somebody who has lost sight by it, still once."""
    await session.flush()
    found = await run(session, _ONE, customer.id)
    record: dict[str, Any] = msgspec.json.decode(found.scalar_one())
    record["allowed"] = allowed(actor, customer.manager_id, customer.viewer_ids, customer.state)
    return record


def allowed(actor: Actor, manager_id: UUID | None, viewer_ids: list[UUID], state: str) -> list[str]:
    """What the actor may do to a customer, in the words of the API (A3)."""
    words: list[str] = []
    if may_change(actor, manager_id, viewer_ids):
        if state == "active":
            words += ["change", "transfer", "viewers", "last_contact"]
        if actor.may(DELETE):
            words.append("delete" if state == "active" else "restore")
        words.append("audit")
    if may_see(actor, manager_id, viewer_ids):
        if state == "active" and actor.employee_id is not None:
            words.append("comment")
        if actor.may(ERASE):
            words.append("erase")
    return words


def _ids(record: dict[str, Any]) -> tuple[UUID | None, list[UUID]]:
    manager = record["manager_id"]
    return (UUID(manager) if manager else None), [UUID(viewer) for viewer in record["viewer_ids"]]
