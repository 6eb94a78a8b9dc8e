"""How classes of this service become rows."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Date, DateTime, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase


class Record(DeclarativeBase):
    """A class whose instances are rows of this service's database."""

    type_annotation_map = {
        datetime: DateTime(timezone=True),
        list[UUID]: ARRAY(Uuid),
        list[date]: ARRAY(Date),
        dict[str, Any]: JSONB(none_as_null=True),
        list[dict[str, Any]]: JSONB,
    }
