"""Checking what a customer is classified by: the value exists and may be newly chosen (G2, G4)."""

from typing import Any
from uuid import UUID

from services.customers.domain.customer import Customer
from services.customers.domain.errors import AutomaticRelationship, DisabledChoice
from services.customers.domain.relationships import DONT_FORGET
from shared.access import visible_customers
from shared.database import Session, run
from shared.errors import Invalid
from shared.identity import Actor

_LISTS = {"group_ids": "group", "source_ids": "source", "sector_ids": "sector"}


async def require_choices(
    session: Session, actor: Actor, values: dict[str, Any], customer: Customer | None = None
) -> None:
    """Raises Invalid for unknown values, DisabledChoice for newly chosen disabled ones.

    A value that the customer already has may stay, also when it was disabled since.
    """
    wanted: dict[UUID, tuple[str, str]] = {}
    for field, kind in _LISTS.items():
        there = set(getattr(customer, field)) if customer is not None else set()
        wanted |= {value: (field, kind) for value in values.get(field) or () if value not in there}
    if wanted:
        found = await run(
            session, "SELECT id, kind, state FROM classification_item WHERE id = ANY($1::uuid[])", list(wanted)
        )
        states = {row.id: (row.kind, row.state) for row in found}
        for value, (field, kind) in wanted.items():
            _require(states.get(value), kind, field)
    relationship_id = values.get("relationship_id")
    if relationship_id is not None and (customer is None or relationship_id != customer.relationship_id):
        if relationship_id == DONT_FORGET:
            raise AutomaticRelationship
        found = await run(session, "SELECT state FROM relationship WHERE id = $1", relationship_id)
        state = found.scalar_one_or_none()
        _require(None if state is None else ("relationship", state), "relationship", "relationship_id")
    referrer_id = values.get("referrer_customer_id")
    if referrer_id is not None and not await visible_customers(session, actor, [referrer_id]):
        raise Invalid.at("/referrer_customer_id", detail="unknown customer")


def _require(found: tuple[str, str] | None, kind: str, field: str) -> None:
    if found is None or found[0] != kind:
        raise Invalid.at(f"/{field}", detail=f"unknown {kind}")
    if found[1] != "active":
        raise DisabledChoice
