"""Keyset pages whose items PostgreSQL writes as JSON: a page costs neither objects nor models.

The rows of a page are picked first, from an index that has them in order, and only they are joined
and written: joining before would touch every row of the list.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from shared.cursors import Cursors
from shared.database import Session, run
from shared.errors import Invalid

CreatedSort = Literal["created_at", "-created_at"]

Items = Callable[[int], tuple[str, list[Any]]]
"""The JSON of one row, and its parameters, numbered from the given one on."""


@dataclass(frozen=True)
class Driver:
    """Rows whose `column` is one of `values` (a parameter): each value has its own stretch of an index."""

    column: str
    values: str
    conditions: tuple[str, ...] = ()


@dataclass
class Listing:
    """A list to be paged: rows of `table` that meet the conditions, whose `$n` are the parameters.

    `query` is what was asked for: cursors are bound to it. With `drivers` rows of any of them belong to
    the list, and are picked from the stretches of an index, a page from each.
    """

    query: list[Any]
    table: str
    joins: str
    items: Items
    conditions: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)
    drivers: list[Driver] = field(default_factory=list)

    def parameter(self, value: Any) -> str:
        """Add a parameter; answers how the statement calls it."""
        self.parameters.append(value)
        return f"${len(self.parameters)}"

    def picked(self, conditions: list[str], order: str, limit: int) -> str:
        """The first rows of the list, as id and created_at."""
        if not self.drivers:
            return _first(self.table, conditions, order, limit)
        stretches = [
            f"SELECT found.* FROM unnest({driver.values}::uuid[]) AS driver(id) CROSS JOIN LATERAL"
            f" ({_first(self.table, [*self._within(driver, 'driver.id'), *conditions], order, limit)}) AS found"
            for driver in self.drivers
        ]
        return f"SELECT * FROM ({' UNION '.join(stretches)}) AS {self.table} ORDER BY {order} LIMIT {limit}"

    def all_of_it(self) -> str:
        """The condition that every row of the list meets."""
        stretches = [" AND ".join(self._within(driver, f"ANY({driver.values}::uuid[])")) for driver in self.drivers]
        within = [f"(({') OR ('.join(stretches)}))"] if stretches else []
        return " AND ".join([*self.conditions, *within])

    def _within(self, driver: Driver, value: str) -> list[str]:
        return [f"{self.table}.{driver.column} = {value}", *driver.conditions]


async def page(
    session: Session, cursors: Cursors, listing: Listing, sort: CreatedSort, limit: int, cursor: str | None, total: bool
) -> str:
    """One page as JSON text. Raises Invalid `bad_cursor`."""
    query = [listing.table, *listing.query, sort]
    position = _position(cursors.read(query, cursor))
    count = await _count(session, listing) if total else None
    direction, comparison = ("DESC", "<") if sort.startswith("-") else ("ASC", ">")
    order = f"{listing.table}.created_at {direction}, {listing.table}.id {direction}"
    conditions, parameters = list(listing.conditions), list(listing.parameters)
    if position is not None:
        first = len(parameters) + 1
        conditions.append(f"({listing.table}.created_at, {listing.table}.id) {comparison} (${first}, ${first + 1})")
        parameters += position
    items, item_parameters = listing.items(len(parameters) + 1)
    found = await run(
        session,
        f"SELECT {listing.table}.created_at, {listing.table}.id, {items}::text"
        f" FROM ({listing.picked(conditions, order, limit + 1)}) AS picked"
        f" JOIN {listing.table} ON {listing.table}.id = picked.id {listing.joins} ORDER BY {order}",
        *parameters,
        *item_parameters,
    )
    rows, next_cursor = found.all(), None
    if len(rows) > limit:
        created_at, row_id, _ = rows[limit - 1]
        next_cursor = cursors.make(query, [created_at.isoformat(), str(row_id)])
    end = msgspec.json.encode({"next_cursor": next_cursor, "total": count}).decode()
    return f'{{"items":[{",".join(row[2] for row in rows[:limit])}],{end[1:]}'


def _first(table: str, conditions: list[str], order: str, limit: int) -> str:
    return (
        f"SELECT {table}.id, {table}.created_at FROM {table}"
        f" WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT {limit}"
    )


def _position(values: list[Any] | None) -> tuple[datetime, UUID] | None:
    if values is None:
        return None
    try:
        return datetime.fromisoformat(values[0]), UUID(values[1])
    except (ValueError, TypeError, IndexError):
        raise Invalid("bad_cursor") from None


async def _count(session: Session, listing: Listing) -> int:
    statement = f"SELECT count(*) FROM {listing.table} WHERE {listing.all_of_it()}"
    return (await run(session, statement, *listing.parameters)).scalar_one()
