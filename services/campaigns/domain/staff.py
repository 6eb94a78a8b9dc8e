"""A campaign's staff: who may be given its opportunities, how many, and when (K4)."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.campaigns.domain.mapping import Record

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

WorkingHours = Mapping[str, Sequence[Sequence[str]]]
"""For each day of the week its spans of work, from and to as `HH:MM` in the tenant's zone."""


class StaffMember(Record):
    """One person on a campaign's staff.

    `weight` counts when the campaign distributes by weight; `daily_capacity` (None: any number) is how
    many opportunities distribution gives them in one day; without `working_hours` they always work.
    """

    __tablename__ = "campaign_staff"

    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    employee_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int]
    weight: Mapped[int]
    daily_capacity: Mapped[int | None]
    working_hours: Mapped[dict[str, Any] | None]
    days_off: Mapped[list[date]]

    def works_at(self, moment: datetime) -> bool:
        """Whether they work at a moment, given in the tenant's zone."""
        if moment.date() in self.days_off:
            return False
        if self.working_hours is None:
            return True
        now = moment.time()
        return any(clock_time(start) <= now < clock_time(end) for start, end in self._spans(moment.date()))

    def room(self, given_today: int) -> int | None:
        """How many more they may be given today; None for any number."""
        return None if self.daily_capacity is None else max(self.daily_capacity - given_today, 0)

    def plan(self) -> tuple[object, ...]:
        """Everything that was settled about them, to be compared."""
        return self.position, self.weight, self.daily_capacity, self.working_hours, list(self.days_off)

    def _spans(self, day: date) -> Sequence[Sequence[str]]:
        return (self.working_hours or {}).get(DAYS[day.weekday()], ())


def clock_time(text: str) -> time:
    """`HH:MM` as a time of day; `24:00`, the end of the day, as its last moment. Raises ValueError."""
    return time.max if text == "24:00" else time.fromisoformat(text)
