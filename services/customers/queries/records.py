"""A customer as it is shown: written as JSON by PostgreSQL, for one record and for a page of a list.

Building fifty objects and models for a page costs ten times what the page is worth.
"""

from typing import Any
from uuid import UUID

import msgspec

from services.customers.domain.customer import Customer
from shared.access import may_change, may_see
from shared.database import Session, run
from shared.errors import NotFound
from shared.identity import DELETE, ERASE, Actor

RECORD = """
json_build_object(
    'id', c.id, 'code', c.code, 'type', c.type, 'name', c.name, 'phones', c.phones, 'emails', c.emails,
    'gender', c.gender, 'birth_date', c.birth_date, 'occupation', c.occupation, 'income_band', c.income_band,
    'company_name', c.company_name, 'tax_code', c.tax_code, 'website', c.website, 'address', c.address,
    'description', c.description, 'group_ids', c.group_ids, 'source_ids', c.source_ids,
    'primary_source_id', c.primary_source_id, 'sector_ids', c.sector_ids, 'relationship_id', c.relationship_id,
    'remembered_relationship_id', c.remembered_relationship_id, 'referrer_customer_id', c.referrer_customer_id,
    'manager_id', c.manager_id, 'manager_set_at', instant(c.manager_set_at), 'viewer_ids', c.viewer_ids,
    'origin', json_build_object('kind', c.origin_kind, 'id', c.origin_id), 'state', c.state,
    'created_at', instant(c.created_at), 'created_by', c.created_by, 'updated_at', instant(c.updated_at),
    'deleted_at', instant(c.deleted_at), 'first_closed_at', instant(c.first_closed_at),
    'interaction_count', n.interaction_count, 'last_contact', n.last_contact,
    'last_two_way_contact', n.last_two_way_contact, 'as_of', instant(n.as_of),
    'days_left', r.forget_after_days - (day_of(now()) - day_of(greatest(n.last_contact_at, c.clock_started_at))),
    'total_revenue', json_build_object('amount', 0, 'currency', 'VND'), 'order_count', 0,
    'version', c.version)
"""
"""One customer with the numbers that live beside it; `greatest` passes over a missing contact."""

JOINS = """
JOIN customer_contact n ON n.customer_id = c.id
JOIN relationship r ON r.id = c.relationship_id
"""


async def read_customer(session: Session, actor: Actor, customer_id: UUID) -> dict[str, Any]:
    """One customer with what the actor may do to it. Raises NotFound (A2)."""
    found = await run(session, f"SELECT ({RECORD})::text FROM customer c {JOINS} WHERE c.id = $1", customer_id)
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
    found = await run(session, f"SELECT ({RECORD})::text FROM customer c {JOINS} WHERE c.id = $1", customer.id)
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
