"""Care schedules: what is done for a customer over time, by people. Each activity is a contact (L1).

Activities belong to their schedule: its version is the ETag of both. That the actor sees the customer is
asked before.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from services.interactions.domain.facts import CARE, LedgerFact, own_fact
from services.interactions.domain.mapping import Record
from shared.envelope import new_id
from shared.errors import Forbidden
from shared.identity import Actor
from shared.versioned import Versioned


class CareSchedule(Versioned, Record):
    """A plan of care for one customer."""

    __tablename__ = "care_schedule"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID]
    title: Mapped[str]
    starts_on: Mapped[date | None]
    creator_id: Mapped[UUID]
    created_at: Mapped[datetime]

    def require_can_change(self, actor: Actor, changes_customer: bool) -> None:
        """Raises Forbidden for all but its creator and who may change the customer (R1)."""
        if actor.employee_id != self.creator_id and not changes_customer:
            raise Forbidden

    def revise(self, values: dict[str, Any]) -> None:
        """Call it otherwise or let it start on another day; equal values change nothing."""
        changed = {name: value for name, value in values.items() if getattr(self, name) != value}
        for name, value in changed.items():
            setattr(self, name, value)
        self.version += bool(changed)

    def add(self, text: str, occurred_at: datetime, employee_id: UUID, at: datetime) -> "CareActivity":
        """Somebody has cared for the customer."""
        self.version += 1
        return CareActivity(
            id=new_id(),
            schedule_id=self.id,
            text=text,
            occurred_at=occurred_at,
            employee_id=employee_id,
            created_at=at,
        )


class CareActivity(Record):
    """One thing that was done for the customer. It is never edited: what was wrong is removed and said anew."""

    __tablename__ = "care_activity"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    schedule_id: Mapped[UUID]
    text: Mapped[str]
    occurred_at: Mapped[datetime]
    employee_id: Mapped[UUID]
    created_at: Mapped[datetime]

    def done(self, customer_id: UUID) -> LedgerFact:
        """The contact that it was, when it occurred (L1)."""
        return own_fact(customer_id, CARE, str(self.id), "created", self.occurred_at, self.employee_id)

    def taken_back(self, customer_id: UUID, at: datetime) -> LedgerFact:
        """It was no contact after all (L4)."""
        return own_fact(customer_id, CARE, str(self.id), "deleted", at, self.employee_id)
