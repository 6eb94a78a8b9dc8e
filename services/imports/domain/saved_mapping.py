"""A mapping of headings to fields that an employee keeps for the next file of the same shape."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped as Column
from sqlalchemy.orm import mapped_column

from services.imports.domain.mapping import Mapped

MAX_SAVED = 100
"""How many one employee may keep."""


class SavedMapping(Mapped):
    """`columns` is a list of `{"header", "field"}`; one name per owner and kind."""

    __tablename__ = "import_mapping"

    id: Column[UUID] = mapped_column(primary_key=True)
    owner: Column[str]
    name: Column[str]
    name_folded: Column[str]
    kind: Column[str]
    columns: Column[list[dict[str, Any]]] = mapped_column(JSONB)
    created_at: Column[datetime] = mapped_column(DateTime(timezone=True))
