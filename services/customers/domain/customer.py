"""A customer as the session follows it: the columns of its row and the reasons of its viewers.

What may happen to it stands in `record.py`, `responsibility.py` and `creation.py`, for every way of holding it.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, ForeignKey, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped as Column
from sqlalchemy.orm import mapped_column, relationship

from services.customers.domain.mapping import Mapped
from services.customers.domain.record import Record

_instant = DateTime(timezone=True)
_ids = ARRAY(Uuid)


class Viewer(Mapped):
    """Why an employee may look at a customer; one employee may have several reasons."""

    __tablename__ = "customer_viewer"

    customer_id: Column[UUID] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    employee_id: Column[UUID] = mapped_column(primary_key=True)
    cause_kind: Column[str] = mapped_column(primary_key=True)
    cause_id: Column[str] = mapped_column(primary_key=True, default="")


class Customer(Record, Mapped):
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

    def _viewer(self, employee_id: UUID, kind: str, cause_id: str = "") -> Viewer:
        return Viewer(customer_id=self.id, employee_id=employee_id, cause_kind=kind, cause_id=cause_id)
