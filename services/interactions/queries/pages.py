"""A page of a list whose items PostgreSQL wrote as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

Position = tuple[datetime, UUID]
"""The moment and id of a row by which a list is sorted."""

CreatedSort = Literal["created_at", "-created_at"]

LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
"""Behind every id: where the first page of a list with the newest first begins."""


@dataclass(frozen=True)
class JsonPage:
    """Items as JSON texts, and the position of the last one if more follow."""

    items: Sequence[str]
    next_position: Position | None


def cut(rows: Sequence[Any], limit: int) -> JsonPage:
    """The page of `limit` items among rows (item, moment, id), of which one more was asked for."""
    page = rows[:limit]
    return JsonPage([row[0] for row in page], (page[-1][1], page[-1][2]) if len(rows) > limit else None)
