"""A customer and the rules of its own state: contact data, relationship, responsible person, viewers.

Methods change the object and return what there is to tell; they do no I/O and trust nobody's clock
but the database's (`at`). What needs other rows (phones, codes, choices) is checked by commands.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, ForeignKey, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped as Column
from sqlalchemy.orm import mapped_column, relationship

from services.customers.domain.errors import ReferralLocked
from services.customers.domain.mapping import Mapped
from services.customers.domain.relationships import CLOSED, DONT_FORGET, NEW
from services.customers.domain.responsibility import Responsibility
from shared.contracts.customers import (
    CustomerDeleted,
    CustomerEvent,
    CustomerRelationshipChanged,
    CustomerRestored,
    CustomerUpdated,
)
from shared.contracts.events import Cause
from shared.errors import Invalid

_instant = DateTime(timezone=True)
_ids = ARRAY(Uuid)


class Viewer(Mapped):
    """Why an employee may look at a customer; one employee may have several reasons."""

    __tablename__ = "customer_viewer"

    customer_id: Column[UUID] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    employee_id: Column[UUID] = mapped_column(primary_key=True)
    cause_kind: Column[str] = mapped_column(primary_key=True)
    cause_id: Column[str] = mapped_column(primary_key=True, default="")


class Customer(Responsibility, Mapped):
    """One customer record (C7). At most one responsible person, exactly one relationship (C3)."""

    __tablename__ = "customer"

    id: Column[UUID] = mapped_column(primary_key=True)
    code: Column[str]
    type: Column[str]
    name: Column[str]
    phones: Column[list[str]] = mapped_column(ARRAY(Text))
    emails: Column[list[str]] = mapped_column(ARRAY(Text))
    gender: Column[str | None]
    birth_date: Column[date | None]
    occupation: Column[str | None]
    income_band: Column[str | None]
    company_name: Column[str | None]
    tax_code: Column[str | None]
    website: Column[str | None]
    address: Column[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    description: Column[str | None]
    group_ids: Column[list[UUID]] = mapped_column(_ids)
    source_ids: Column[list[UUID]] = mapped_column(_ids)
    primary_source_id: Column[UUID | None]
    sector_ids: Column[list[UUID]] = mapped_column(_ids)
    relationship_id: Column[UUID]
    remembered_relationship_id: Column[UUID | None]
    referrer_customer_id: Column[UUID | None]
    manager_id: Column[UUID | None]
    manager_set_at: Column[datetime | None] = mapped_column(_instant)
    manager_cause_kind: Column[str | None]
    manager_cause_id: Column[str | None]
    viewer_ids: Column[list[UUID]] = mapped_column(_ids)
    origin_kind: Column[str]
    origin_id: Column[str | None]
    state: Column[str]
    created_at: Column[datetime] = mapped_column(_instant)
    created_by: Column[str]
    updated_at: Column[datetime] = mapped_column(_instant)
    deleted_at: Column[datetime | None] = mapped_column(_instant)
    first_closed_at: Column[datetime | None] = mapped_column(_instant)
    clock_started_at: Column[datetime] = mapped_column(_instant)
    search_text: Column[str]
    version: Column[int]

    viewers: Column[list[Viewer]] = relationship(lazy="selectin", cascade="all, delete-orphan")

    def update(self, values: dict[str, Any], at: datetime, cause: Cause) -> list[CustomerEvent]:
        """Change fields of the record; equal values change nothing. Raises ReferralLocked (C5)."""
        self.require_updatable(values)
        values = dict(values)
        new_relationship = values.pop("relationship_id", None)
        if "source_ids" in values or "primary_source_id" in values:
            values["primary_source_id"] = self._primary_source(values)
        events: list[CustomerEvent] = list(self._change(CustomerUpdated, cause, at, **values))
        if new_relationship is not None:
            events += self.set_relationship(new_relationship, at, cause)
        return events

    def require_updatable(self, values: dict[str, Any]) -> None:
        """Raises what `update` would refuse: ReferralLocked (C5), Invalid for a foreign primary source (C3)."""
        if "referrer_customer_id" in values and values["referrer_customer_id"] != self.referrer_customer_id:
            self._require_referral_open(values["referrer_customer_id"])
        self._primary_source(values)

    def set_relationship(self, relationship_id: UUID, at: datetime, cause: Cause) -> list[CustomerEvent]:
        """Another relationship by hand, file or automation: ends Don't Forget, restarts its clock (G5)."""
        if relationship_id == self.relationship_id:
            return []
        closed = at if relationship_id == CLOSED and self.first_closed_at is None else self.first_closed_at
        self.clock_started_at = at
        return list(
            self._change(
                CustomerRelationshipChanged,
                cause,
                at,
                relationship_id=relationship_id,
                remembered_relationship_id=None,
                first_closed_at=closed,
            )
        )

    def take_back(self, old: dict[str, Any], at: datetime, cause: Cause) -> list[CustomerEvent]:
        """Values as they were before an import wrote over them (M10).

        What was allowed then needs no rule now: no lock of the referral, no check of disabled choices.
        """
        values = dict(old)
        relationship_id = values.pop("relationship_id", None)
        closed = values.pop("first_closed_at", self.first_closed_at)
        if "source_ids" in values:
            named = values.pop("primary_source_id", None)
            values["primary_source_id"] = self._primary_source(
                values | ({"primary_source_id": named} if named in values["source_ids"] else {})
            )
        events: list[CustomerEvent] = list(self._change(CustomerUpdated, cause, at, **values))
        if relationship_id is not None and relationship_id != self.relationship_id:
            self.clock_started_at = at
            again = {"relationship_id": relationship_id, "remembered_relationship_id": None, "first_closed_at": closed}
            events += self._change(CustomerRelationshipChanged, cause, at, **again)
        return events

    def delete(self, at: datetime, cause: Cause) -> list[CustomerEvent]:
        """Soft deletion (C4)."""
        if self.state == "deleted":
            return []
        return list(self._change(CustomerDeleted, cause, at, state="deleted", deleted_at=at))

    def restore(self, at: datetime, cause: Cause, phones: list[str]) -> list[CustomerEvent]:
        """Bring a deleted customer back with those of its phones that are still free (C4).

        Its clock starts again, so who was forgotten is not any more (G5).
        """
        if self.state == "active":
            return []
        self.clock_started_at = at
        return list(
            self._change(
                CustomerRestored,
                cause,
                at,
                state="active",
                deleted_at=None,
                phones=phones,
                relationship_id=self.remembered_relationship_id or self.relationship_id,
                remembered_relationship_id=None,
            )
        )

    def _require_referral_open(self, referrer_id: UUID | None) -> None:
        if referrer_id == self.id:
            raise Invalid.at("/referrer_customer_id", detail="a customer cannot refer itself")
        new = NEW in (
            self.relationship_id,
            self.remembered_relationship_id if self.relationship_id == DONT_FORGET else None,
        )
        if not new and self.manager_id is not None:
            raise ReferralLocked

    def _viewer(self, employee_id: UUID, kind: str, cause_id: str = "") -> Viewer:
        return Viewer(customer_id=self.id, employee_id=employee_id, cause_kind=kind, cause_id=cause_id)
