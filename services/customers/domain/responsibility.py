"""Who is responsible for a customer and who may look: by hand, by a transfer, by owning an opportunity (A3, A4, K3).

One set of rules for customers that the session follows and for `Held` ones (`record.py`).
"""

import builtins  # a customer has a `type` of its own
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from services.customers.domain.creation import BY_HAND, Creation
from services.customers.domain.errors import TooManyViewers
from services.customers.domain.search_text import search_text
from services.customers.domain.values import MAX_VIEWERS
from shared.contracts.campaigns import OpportunityState
from shared.contracts.customers import (
    CustomerEvent,
    CustomerManagerChanged,
    CustomerUpdated,
    CustomerViewersChanged,
)
from shared.contracts.events import Cause

BY_OPPORTUNITY = "campaign"

Outcome = Literal["applied", "superseded", "has_manager", "inactive_employee"]


@dataclass(frozen=True)
class Followed:
    """What an opportunity's owner did to the customer: `outcome` is None when there was nothing to decide."""

    events: list[CustomerEvent] = field(default_factory=list)
    outcome: Outcome | None = None


class Responsibility(Creation):
    """A customer's responsible person and viewers, whoever holds its attributes."""

    def set_manager(
        self, employee_id: UUID | None, keep_previous_as_viewer: bool, at: datetime, cause: Cause
    ) -> list[CustomerEvent]:
        """Make somebody else, or nobody, responsible. The previous one loses sight unless kept (A4).

        Raises TooManyViewers where they should be kept and there is no room (C3).
        """
        if employee_id == self.manager_id:
            return []
        if keep_previous_as_viewer and self.manager_id is not None and not self._has_room_for(self.manager_id):
            raise TooManyViewers
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

    def _has_room_for(self, employee_id: UUID) -> bool:
        return len({*self.viewers_by_hand(), employee_id}) <= MAX_VIEWERS

    def follow_opportunity_owner(
        self, opportunity: OpportunityState, owner_active: bool, at: datetime, cause: Cause
    ) -> Followed:
        """Make the owner of an opportunity this customer's manager (K3).

        An assignment that is not later than the current manager's is superseded and names no manager,
        so among those that replace, the latest wins in any order. An active owner who does not become
        manager becomes a viewer, for as long as they own the opportunity. Who was manager and is
        replaced is not one (A4): who looks, and whom `only_if_unassigned` finds, depends on what came first.
        A campaign that keeps them keeps as many as there is room for (C3): nobody is there to be refused.
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
            if keep_previous_as_viewer and self._has_room_for(previous):
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
