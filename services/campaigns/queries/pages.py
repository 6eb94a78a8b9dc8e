"""Keyset pages whose items PostgreSQL writes as JSON: a page costs neither objects nor models."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from shared.cursors import Cursors
from shared.database import Session, run
from shared.errors import Invalid

CreatedSort = Literal["created_at", "-created_at"]


@dataclass
class Listing:
    """A query to be paged: `items` selects created_at, id and one JSON document per row.

    `name` and `query` (what was asked for) bind its cursors; conditions hold `$n` parameters.
    """

    name: str
    query: dict[str, Any]
    items: str
    tables: str
    alias: str
    conditions: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def parameter(self, value: Any) -> str:
        """Add a parameter; answers how the statement calls it."""
        self.parameters.append(value)
        return f"${len(self.parameters)}"

    @property
    def next_parameter(self) -> int:
        """The number of the next parameter."""
        return len(self.parameters) + 1


async def page(
    session: Session, cursors: Cursors, listing: Listing, sort: CreatedSort, limit: int, cursor: str | None, total: bool
) -> str:
    """One page as JSON text. Raises Invalid `bad_cursor`."""
    query = [listing.name, listing.query, sort]
    position = _position(cursors.read(query, cursor))
    count = await _count(session, listing) if total else None
    conditions, parameters = list(listing.conditions), list(listing.parameters)
    if position is not None:
        first = len(parameters) + 1
        comparison = "<" if sort.startswith("-") else ">"
        conditions.append(f"({listing.alias}.created_at, {listing.alias}.id) {comparison} (${first}, ${first + 1})")
        parameters += position
    direction = "DESC" if sort.startswith("-") else "ASC"
    rows = (
        await run(
            session,
            f"SELECT {listing.alias}.created_at, {listing.alias}.id, {listing.items}::text FROM {listing.tables}"
            f" WHERE {' AND '.join(conditions)}"
            f" ORDER BY {listing.alias}.created_at {direction}, {listing.alias}.id {direction}"
            f" LIMIT {limit + 1}",
            *parameters,
        )
    ).all()
    next_cursor = None
    if len(rows) > limit:
        created_at, row_id, _ = rows[limit - 1]
        next_cursor = cursors.make(query, [created_at.isoformat(), str(row_id)])
    end = msgspec.json.encode({"next_cursor": next_cursor, "total": count}).decode()
    return f'{{"items":[{",".join(row[2] for row in rows[:limit])}],{end[1:]}'


def _position(values: list[Any] | None) -> tuple[datetime, UUID] | None:
    if values is None:
        return None
    try:
        return datetime.fromisoformat(values[0]), UUID(values[1])
    except (ValueError, TypeError, IndexError):
        raise Invalid("bad_cursor") from None


async def _count(session: Session, listing: Listing) -> int:
    # The items are named, though never made, because PostgreSQL refuses parameters that nothing uses.
    result = await run(
        session,
        f"SELECT count(*) FROM (SELECT {listing.items} FROM {listing.tables}"
        f" WHERE {' AND '.join(listing.conditions)}) AS counted",
        *listing.parameters,
    )
    return result.scalar_one()
