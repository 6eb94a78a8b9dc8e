"""What a source costs: money planned or spent, dated by the first day of its period (G3)."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime
from sqlalchemy.orm import Mapped as Column
from sqlalchemy.orm import mapped_column

from services.customers.domain.mapping import Mapped
from shared.errors import Invalid, VersionConflict


class SourceCost(Mapped):
    """One entry of a source's budget or spending. Not told to others: only reports look at it."""

    __tablename__ = "source_cost"

    id: Column[UUID] = mapped_column(primary_key=True)
    source_id: Column[UUID]
    kind: Column[str]
    amount: Column[int]
    currency: Column[str]
    first_day: Column[date]
    last_day: Column[date]
    note: Column[str | None]
    created_at: Column[datetime] = mapped_column(DateTime(timezone=True))
    version: Column[int]

    @classmethod
    def create(cls, cost_id: UUID, source_id: UUID, values: dict[str, Any], at: datetime) -> "SourceCost":
        """A new entry. Raises Invalid for a period that ends before it begins."""
        cost = cls(id=cost_id, source_id=source_id, created_at=at, version=1, **values)
        cost.require_period()
        return cost

    def change(self, values: dict[str, Any], expected_version: int | None) -> dict[str, Any]:
        """Set what differs; answers old and new value of it. Raises VersionConflict, Invalid."""
        if expected_version is not None and expected_version != self.version:
            raise VersionConflict
        changes = {
            name: {"old": getattr(self, name), "new": value}
            for name, value in values.items()
            if getattr(self, name) != value
        }
        for name in changes:
            setattr(self, name, values[name])
        self.require_period()
        self.version += 1 if changes else 0
        return changes

    def require_period(self) -> None:
        """Raises Invalid for a period that ends before it begins."""
        if self.last_day < self.first_day:
            raise Invalid.at("/to", detail="before `from`")
