"""How classes of this service become rows."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase


class Record(DeclarativeBase):
    """A class whose instances are rows of this service's database."""

    type_annotation_map = {
        int: BigInteger,
        datetime: DateTime(timezone=True),
        list[UUID]: ARRAY(Uuid),
        list[dict[str, Any]]: JSONB,
    }
