"""An opportunity: one customer's way through one campaign, with at most one owner (K2)."""

from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from services.campaigns.domain.campaign import Campaign, Status
from services.campaigns.domain.errors import CustomerAway, OpportunityClosed
from services.campaigns.domain.mapping import Record
from services.campaigns.domain.people import Employee
from services.campaigns.domain.reason import Reason
from shared.contracts.campaigns import (
    ManagerPolicy,
    OpportunityCreated,
    OpportunityEvent,
    OpportunityOwnerAssigned,
    OpportunityRemoved,
    OpportunityState,
    OpportunityStatusChanged,
)
from shared.contracts.events import Cause, Event, Money
from shared.envelope import new_id
from shared.errors import InactiveEmployee
from shared.versioned import Versioned

CLOCK_STEP = timedelta(microseconds=1)


class Opportunity(Versioned, Record):
    """One opportunity. `queued_at` tells since when it has waited for somebody to be free."""

    __tablename__ = "opportunity"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"))
    customer_id: Mapped[UUID]
    status_id: Mapped[UUID]
    owner_id: Mapped[UUID | None]
    owner_assigned_at: Mapped[datetime | None]
    manager_policy: Mapped[ManagerPolicy]
    keep_previous_as_viewer: Mapped[bool]
    value_amount: Mapped[int | None]
    value_currency: Mapped[str | None]
    probability: Mapped[int | None]
    reason: Mapped[dict[str, Any] | None]
    queued_at: Mapped[datetime | None]
    state: Mapped[Literal["open", "suspended", "removed"]]
    created_at: Mapped[datetime]

    # The campaign is always locked, and so loaded, before its opportunities.
    campaign: Mapped[Campaign] = relationship(lazy="raise_on_sql")

    @classmethod
    def begin(cls, campaign: Campaign, customer_id: UUID, at: datetime) -> "Opportunity":
        """A customer's opportunity in a campaign, at its start and owned by nobody; `created` tells it."""
        return cls(
            id=new_id(),
            campaign=campaign,
            campaign_id=campaign.id,
            customer_id=customer_id,
            status_id=campaign.start_status.id,
            manager_policy=campaign.manager_policy,
            keep_previous_as_viewer=campaign.keep_previous_as_viewer,
            state="open",
            created_at=at,
        )

    @property
    def status(self) -> Status:
        """Where it stands."""
        status = self.campaign.status(self.status_id)
        assert status is not None, "a status in use cannot go"
        return status

    @property
    def value(self) -> Money | None:
        """What it may be worth."""
        if self.value_amount is None or self.value_currency is None:
            return None
        return Money(amount=self.value_amount, currency=self.value_currency)

    @value.setter
    def value(self, value: Money | None) -> None:
        self.value_amount = value.amount if value else None
        self.value_currency = value.currency if value else None

    def created(self, cause: Cause) -> Event:
        """Tell that it exists."""
        return self.tell(OpportunityCreated, cause)

    def assign_owner(
        self, employee: Employee, at: datetime, reason: Reason, cause: Cause
    ) -> list[OpportunityOwnerAssigned]:
        """Hand it to `employee`; nothing happens if they own it already.

        The campaign's policy is settled with the assignment: changing it later decides nothing anew (K3).
        Raises InactiveEmployee (A6), OpportunityClosed, CustomerAway (K7).
        """
        if self.owner_id == employee.id:
            return []
        if not employee.active:
            raise InactiveEmployee(employee.id)
        if self.status.closes:
            raise OpportunityClosed(self.id)
        if self.state == "suspended":
            raise CustomerAway(self.id)
        self.manager_policy = self.campaign.manager_policy
        self.keep_previous_as_viewer = self.campaign.keep_previous_as_viewer
        self.queued_at = None
        # `customers` compares the times of assignments: each is later than the one before (K3).
        earliest = self.owner_assigned_at + CLOCK_STEP if self.owner_assigned_at else at
        return self.change(
            OpportunityOwnerAssigned,
            cause,
            {"reason": reason},
            owner_id=employee.id,
            owner_assigned_at=max(at, earliest),
        )

    def revise(self, cause: Cause, values: dict[str, Any]) -> list[OpportunityStatusChanged]:
        """Change status, value or probability. Raises CustomerAway (K7)."""
        if self.state == "suspended":
            raise CustomerAway(self.id)
        events = self.change(OpportunityStatusChanged, cause, **values)
        if self.status.closes:
            self.queued_at = None
        return events

    def move(self, status: Status, cause: Cause) -> list[OpportunityStatusChanged]:
        """Go on in another status because its own goes (K1), also while the customer is away."""
        return self.change(OpportunityStatusChanged, cause, status_id=status.id)

    def suspend(self, cause: Cause) -> list[OpportunityStatusChanged]:
        """Rest while the customer is deleted (K7)."""
        return self.change(OpportunityStatusChanged, cause, state="suspended")

    def resume(self, cause: Cause) -> list[OpportunityStatusChanged]:
        """Go on, the customer is back (K7)."""
        return self.change(OpportunityStatusChanged, cause, state="open")

    def remove(self, cause: Cause) -> list[OpportunityRemoved]:
        """Take the customer out of the campaign; the row stays until an erasure."""
        self.queued_at = None
        return self.change(OpportunityRemoved, cause, state="removed")

    def public_state(self) -> OpportunityState:
        """What others may know of it."""
        return OpportunityState(
            id=self.id,
            campaign_id=self.campaign_id,
            customer_id=self.customer_id,
            status_id=self.status_id,
            owner_id=self.owner_id,
            owner_assigned_at=self.owner_assigned_at,
            manager_policy=self.manager_policy,
            keep_previous_as_viewer=self.keep_previous_as_viewer,
            value=self.value,
            probability=self.probability,
            state=self.state,
            created_at=self.created_at,
        )

    def told_again(self) -> OpportunityEvent:
        """The current state, version unchanged, for a republish."""
        kind = OpportunityCreated if self.owner_assigned_at is None else OpportunityOwnerAssigned
        return self.state_event(OpportunityRemoved if self.state == "removed" else kind, Cause(kind="system"))
