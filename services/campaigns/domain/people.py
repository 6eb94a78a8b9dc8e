"""The employees of the directory, as this service's copy knows them."""

from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from services.campaigns.domain.mapping import Record


class Employee(Record):
    """Somebody who may own opportunities while they are active (A6)."""

    __tablename__ = "employee"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str]
    name: Mapped[str]
    active: Mapped[bool]
    successor_id: Mapped[UUID | None]
