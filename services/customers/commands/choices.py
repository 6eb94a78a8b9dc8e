"""Checking what a customer is classified by: the value exists and may be newly chosen (G2, G4).

What many rows name is found by three statements, however many they are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.customers.domain.errors import AutomaticRelationship, DisabledChoice
from services.customers.domain.record import Record
from services.customers.domain.relationships import DONT_FORGET
from shared.access import visible_customers
from shared.database import Session, run
from shared.errors import Invalid
from shared.identity import Actor

_LISTS = {"group_ids": "group", "source_ids": "source", "sector_ids": "sector"}


@dataclass(frozen=True)
class Choices:
    """What is there to choose from, of all that some values name."""

    items: Mapping[UUID, tuple[str, str]]
    relationships: Mapping[UUID, tuple[str, str]]
    referrers: frozenset[UUID]

    def require(self, values: Mapping[str, Any], customer: Record | None = None) -> None:
        """Raises Invalid for unknown values, DisabledChoice for newly chosen disabled ones.

        A value that the customer already has may stay, also when it was disabled, deleted or hidden since.
        """
        for field, kind in _LISTS.items():
            there = getattr(customer, field) if customer is not None else ()
            for value in values.get(field) or ():
                if value not in there:
                    _require(self.items.get(value), kind, field)
        relationship_id = values.get("relationship_id")
        if relationship_id is not None and (customer is None or relationship_id != customer.relationship_id):
            if relationship_id == DONT_FORGET:
                raise AutomaticRelationship
            _require(self.relationships.get(relationship_id), "relationship", "relationship_id")
        referrer_id = values.get("referrer_customer_id")
        own = customer.referrer_customer_id if customer is not None else None
        if referrer_id is not None and referrer_id != own and referrer_id not in self.referrers:
            raise Invalid.at("/referrer_customer_id", detail="unknown customer")


async def find_choices(session: Session, actor: Actor, many: Iterable[Mapping[str, Any]]) -> Choices:
    """Look up everything that these values name."""
    listed = list(many)
    items = {item for values in listed for field in _LISTS for item in values.get(field) or ()}
    relationships = {one for values in listed if (one := values.get("relationship_id")) is not None}
    referrers = {one for values in listed if (one := values.get("referrer_customer_id")) is not None}
    states: dict[UUID, tuple[str, str]] = {}
    if items:
        found = await run(
            session, "SELECT id, kind, state FROM classification_item WHERE id = ANY($1::uuid[])", list(items)
        )
        states = {row.id: (row.kind, row.state) for row in found}
    of_relationships: dict[UUID, tuple[str, str]] = {}
    if relationships:
        found = await run(session, "SELECT id, state FROM relationship WHERE id = ANY($1::uuid[])", list(relationships))
        of_relationships = {row.id: ("relationship", row.state) for row in found}
    seen = await visible_customers(session, actor, referrers) if referrers else set[UUID]()
    return Choices(states, of_relationships, frozenset(seen))


async def require_choices(
    session: Session, actor: Actor, values: dict[str, Any], customer: Record | None = None
) -> None:
    """Check what one customer's values name: see `Choices.require`."""
    (await find_choices(session, actor, [values])).require(values, customer)


def _require(found: tuple[str, str] | None, kind: str, field: str) -> None:
    if found is None or found[0] != kind:
        raise Invalid.at(f"/{field}", detail=f"unknown {kind}")
    if found[1] != "active":
        raise DisabledChoice
