"""Pages of lists that PostgreSQL writes as JSON: what they hold, and lists by name (P5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.database import Session, run
from shared.folding import fold


@dataclass(frozen=True)
class ListPage:
    """One page as JSON text, and the sort values of its last row where another page may follow."""

    items: str
    last: list[Any] | None
    total: int | None = None


async def page_by_name(
    session: Session,
    table: str,
    record: str,
    condition: str,
    parameters: Sequence[Any],
    limit: int,
    after: list[Any] | None,
    total: bool,
) -> ListPage:
    """A page of the rows of a table with `name_folded` that meet a condition (SQL over `parameters`), by name."""
    count = None
    if total:
        count = (await run(session, f"SELECT count(*) FROM {table} WHERE {condition}", *parameters)).scalar_one()
    name, last_id = after or [None, None]
    key, identifier, size = (f"${len(parameters) + place}" for place in (1, 2, 3))
    found = await run(
        session,
        f"SELECT coalesce(json_agg({record} ORDER BY place) FILTER (WHERE place <= {size}), '[]')::text AS page,"
        f" max(place) AS places, max(name_folded) FILTER (WHERE place = {size}) AS key,"
        f" max(id::text) FILTER (WHERE place = {size}) AS last_id"
        f" FROM (SELECT *, row_number() OVER (ORDER BY name_folded, id) AS place FROM {table}"
        f"       WHERE {condition} AND ({key}::text IS NULL OR (name_folded, id) > ({key}, {identifier}::uuid))"
        f"       ORDER BY name_folded, id LIMIT {size} + 1) found",
        *parameters,
        name,
        UUID(last_id) if last_id else None,
        limit,
    )
    row = found.one()
    return ListPage(row.page, [row.key, row.last_id] if (row.places or 0) > limit else None, count)


def part_of_name(text: str | None) -> str | None:
    """A text as a part of a folded name, its wildcards meaning themselves."""
    if text is None:
        return None
    return fold(text).replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
