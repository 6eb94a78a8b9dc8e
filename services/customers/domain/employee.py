"""Employees: to whom customers are handed, and the tree of superiors by which they are seen (A2, A6)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime
from sqlalchemy.orm import Mapped as Column
from sqlalchemy.orm import mapped_column

from services.customers.domain.mapping import Mapped
from shared.contracts.directory import EmployeeChanged, EmployeeState
from shared.contracts.events import Cause
from shared.versioned import Versioned

FIRST_EMPLOYEE_ID = UUID("01900000-0000-7000-8000-000000000001")
"""The administrator of a fresh system."""


class Employee(Versioned, Mapped):
    """Somebody who works with customers. Inactive ones keep their customers and receive none (A6)."""

    __tablename__ = "employee"

    id: Column[UUID] = mapped_column(primary_key=True)
    code: Column[str]
    name: Column[str]
    name_folded: Column[str]
    department: Column[str | None]
    email: Column[str | None]
    phone: Column[str | None]
    superior_id: Column[UUID | None]
    active: Column[bool]
    successor_id: Column[UUID | None]
    created_at: Column[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Column[datetime] = mapped_column(DateTime(timezone=True))
    version: Column[int]

    def public_state(self) -> EmployeeState:
        """What other services know of the employee."""
        return EmployeeState(
            id=self.id,
            code=self.code,
            name=self.name,
            department=self.department,
            email=self.email,
            phone=self.phone,
            superior_id=self.superior_id,
            active=self.active,
            successor_id=self.successor_id,
            created_at=self.created_at,
        )

    def deactivate(self, successor_id: UUID | None, cause: Cause) -> list[EmployeeChanged]:
        """The employee receives nothing any more; `successor_id` takes over what they have (A6)."""
        return self.change(EmployeeChanged, cause, active=False, successor_id=successor_id)

    def activate(self, cause: Cause) -> list[EmployeeChanged]:
        """The employee works again."""
        return self.change(EmployeeChanged, cause, active=True, successor_id=None)
