"""A customer and the rules of its own state: contact data, relationship, responsible person, viewers.

Methods change the object and return what there is to tell; they do no I/O and trust nobody's clock
but the database's (`at`). What needs other rows (phones, codes, choices) is checked by commands.
"""

import builtins  # a customer has a `type` of its own
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, ForeignKey, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped as Column
from sqlalchemy.orm import mapped_column, relationship

from services.customers.domain.creation import BY_HAND, Creation
from services.customers.domain.errors import ReferralLocked, TooManyViewers
from services.customers.domain.mapping import Mapped
from services.customers.domain.relationships import CLOSED, DONT_FORGET, NEW
from services.customers.domain.search_text import search_text
from services.customers.domain.values import MAX_VIEWERS
from shared.contracts.campaigns import OpportunityState
from shared.contracts.customers import (
    CustomerDeleted,
    CustomerEvent,
    CustomerManagerChanged,
    CustomerRelationshipChanged,
    CustomerRestored,
    CustomerUpdated,
    CustomerViewersChanged,
)
from shared.contracts.events import Cause
from shared.errors import Invalid

BY_OPPORTUNITY = "campaign"

Outcome = Literal["applied", "superseded", "has_manager", "inactive_employee"]

_instant = DateTime(timezone=True)
_ids = ARRAY(Uuid)


class Viewer(Mapped):
    """Why an employee may look at a customer; one employee may have several reasons."""

    __tablename__ = "customer_viewer"

    customer_id: Column[UUID] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    employee_id: Column[UUID] = mapped_column(primary_key=True)
    cause_kind: Column[str] = mapped_column(primary_key=True)
    cause_id: Column[str] = mapped_column(primary_key=True, default="")


@dataclass(frozen=True)
class Followed:
    """What an opportunity's owner did to the customer: `outcome` is None when there was nothing to decide."""

    events: list[CustomerEvent] = field(default_factory=list)
    outcome: Outcome | None = None


class Customer(Creation, Mapped):
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

    def set_manager(
        self, employee_id: UUID | None, keep_previous_as_viewer: bool, at: datetime, cause: Cause
    ) -> list[CustomerEvent]:
        """Make somebody else, or nobody, responsible. The previous one loses sight unless kept (A4)."""
        if employee_id == self.manager_id:
            return []
        self.manager_cause_kind, self.manager_cause_id = cause.kind, cause.id
        return self._hand_over(employee_id, keep_previous_as_viewer, self._later_than_last(at), at, cause)

    def set_viewers(self, employee_ids: Iterable[UUID], at: datetime, cause: Cause) -> list[CustomerEvent]:
        """Replace the viewers that were named by hand; those caused by opportunities stay (A3, C3)."""
        wanted = list(dict.fromkeys(employee_ids))
        if len(wanted) > MAX_VIEWERS:
            raise TooManyViewers
        kept = [v for v in self.viewers if v.cause_kind != BY_HAND or v.employee_id in wanted]
        there = {v.employee_id for v in kept if v.cause_kind == BY_HAND}
        self.viewers = kept + [self._viewer(e, BY_HAND) for e in wanted if e not in there]
        return list(self._change(CustomerViewersChanged, cause, at, viewer_ids=self._all_viewers()))

    def viewers_by_hand(self) -> list[UUID]:
        """Who was named as a viewer by a person (C3 counts these)."""
        return [viewer.employee_id for viewer in self.viewers if viewer.cause_kind == BY_HAND]

    def follow_opportunity_owner(
        self, opportunity: OpportunityState, owner_active: bool, at: datetime, cause: Cause
    ) -> Followed:
        """Make the owner of an opportunity this customer's manager (K3).

        An assignment that is not later than the current manager's is superseded and changes nothing,
        so arrival order does not matter. An active owner who does not become manager becomes a
        viewer, for as long as they own the opportunity.
        """
        owner_id, assigned_at = opportunity.owner_id, opportunity.owner_assigned_at
        gone = opportunity.state == "removed"
        if gone or owner_id is None or assigned_at is None:
            return Followed(self._look_for_opportunity(opportunity.id, None, at, cause))
        if self._order(opportunity) == self._current_order():
            return Followed(self._look_for_opportunity(opportunity.id, None, at, cause))
        outcome = self._decide(opportunity, owner_active)
        if outcome != "applied":
            looker = owner_id if owner_active and owner_id != self.manager_id else None
            return Followed(self._look_for_opportunity(opportunity.id, looker, at, cause), outcome)
        self._drop_opportunity_viewers(opportunity.id)
        events = self._follow(opportunity, owner_id, assigned_at, at, cause)
        return Followed(events, outcome)

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

    def _follow(
        self, opportunity: OpportunityState, owner_id: UUID, assigned_at: datetime, at: datetime, cause: Cause
    ) -> list[CustomerEvent]:
        self.manager_cause_kind, self.manager_cause_id = BY_OPPORTUNITY, str(opportunity.id)
        if owner_id != self.manager_id:
            return self._hand_over(owner_id, opportunity.keep_previous_as_viewer, assigned_at, at, cause)
        return self._change(CustomerUpdated, cause, at, manager_set_at=assigned_at, viewer_ids=self._all_viewers())

    def _hand_over(
        self, employee_id: UUID | None, keep_previous_as_viewer: bool, set_at: datetime, at: datetime, cause: Cause
    ) -> list[CustomerEvent]:
        previous = self.manager_id
        if previous is not None:
            self.viewers = [v for v in self.viewers if v.employee_id != previous or v.cause_kind == BY_OPPORTUNITY]
            if keep_previous_as_viewer:
                self.viewers.append(self._viewer(previous, BY_HAND))
        return self._change(
            CustomerManagerChanged,
            cause,
            at,
            manager_id=employee_id,
            manager_set_at=set_at,
            viewer_ids=self._all_viewers(),
        )

    def _decide(self, opportunity: OpportunityState, owner_active: bool) -> Outcome:
        if not owner_active:
            return "inactive_employee"
        current = self._current_order()
        if current is not None and self._order(opportunity) <= current:
            return "superseded"
        if opportunity.manager_policy == "only_if_unassigned" and self.manager_id not in (None, opportunity.owner_id):
            return "has_manager"
        return "applied"

    @staticmethod
    def _order(opportunity: OpportunityState) -> tuple[datetime, str]:
        """Later wins; at the same moment the greater opportunity id (K3)."""
        assert opportunity.owner_assigned_at is not None
        return opportunity.owner_assigned_at, str(opportunity.id)

    def _current_order(self) -> tuple[datetime, str] | None:
        if self.manager_set_at is None:
            return None
        by_opportunity = self.manager_cause_kind == BY_OPPORTUNITY
        return self.manager_set_at, (self.manager_cause_id or "") if by_opportunity else ""

    def _look_for_opportunity(
        self, opportunity_id: UUID, employee_id: UUID | None, at: datetime, cause: Cause
    ) -> list[CustomerEvent]:
        """Exactly `employee_id` (or nobody) looks because of this opportunity."""
        self._drop_opportunity_viewers(opportunity_id, keep=employee_id)
        reasons = {(v.employee_id, v.cause_id) for v in self.viewers if v.cause_kind == BY_OPPORTUNITY}
        if employee_id is not None and (employee_id, str(opportunity_id)) not in reasons:
            self.viewers.append(self._viewer(employee_id, BY_OPPORTUNITY, str(opportunity_id)))
        return list(self._change(CustomerViewersChanged, cause, at, viewer_ids=self._all_viewers()))

    def _drop_opportunity_viewers(self, opportunity_id: UUID, keep: UUID | None = None) -> None:
        reason = (BY_OPPORTUNITY, str(opportunity_id))
        self.viewers = [v for v in self.viewers if (v.cause_kind, v.cause_id) != reason or v.employee_id == keep]

    def _later_than_last(self, at: datetime) -> datetime:
        """The campaigns database's clock may run ahead of ours; what is set now must still be later (K3)."""
        last = self.manager_set_at
        return at if last is None or at > last else last + timedelta(microseconds=1)

    def _change(self, event: builtins.type[Any], cause: Cause, at: datetime, **values: Any) -> list[Any]:
        events = self.change(event, cause, {"updated_at": at}, **values)
        if events:
            self.search_text = search_text(self)
        return events

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
