"""Writes to saved views (P4): their owner's alone. A view holds a question, never sight: readers see with their own."""

from typing import Any
from uuid import UUID

import msgspec

from services.customers.domain.filters import parse_filter, without_values
from services.customers.queries.views import read_view
from shared.database import Session, run, run_counting
from shared.envelope import new_id
from shared.erasing import Person
from shared.errors import Forbidden, Invalid, VersionConflict
from shared.folding import fold
from shared.identity import Actor

MAX_VIEWS = 200
"""That one employee may keep."""
BATCH = 500
"""Views that are looked through at a time for an erased person."""

_READ = """
SELECT id, filter::text AS filter FROM saved_view WHERE id > $1 AND filter IS NOT NULL ORDER BY id LIMIT $2
"""
_HOLD = """
SELECT id, filter::text AS filter FROM saved_view WHERE id = ANY($1::uuid[]) AND filter IS NOT NULL
ORDER BY id FOR UPDATE
"""
_REPLACE = """
UPDATE saved_view SET filter = $2::jsonb, updated_at = clock_timestamp(), version = version + 1 WHERE id = $1
"""


async def create_view(session: Session, actor: Actor, values: dict[str, Any]) -> dict[str, Any]:
    """Save a view. Raises Forbidden for services, Invalid with pointers or `too_many_items`."""
    if actor.employee_id is None:
        raise Forbidden
    parse_filter(values["filter"])
    await run(session, "SELECT FROM employee WHERE id = $1 FOR UPDATE", actor.employee_id)
    owned = await run(session, "SELECT count(*) FROM saved_view WHERE owner_id = $1", actor.employee_id)
    if owned.scalar_one() >= MAX_VIEWS:
        raise Invalid("too_many_items")
    view_id = new_id()
    await run(
        session,
        "INSERT INTO saved_view (id, owner_id, name, name_folded, shared, filter, sort, columns)"
        " VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8)",
        view_id,
        actor.employee_id,
        *_columns(values),
    )
    return await read_view(session, actor, view_id)


async def update_view(
    session: Session, actor: Actor, view_id: UUID, values: dict[str, Any], expected_version: int | None = None
) -> dict[str, Any]:
    """Change a view of one's own. Raises NotFound, Forbidden, VersionConflict, Invalid with pointers."""
    if "filter" in values:
        parse_filter(values["filter"])
    stored = await _lock(session, actor, view_id, expected_version)
    wanted = {name: stored[name] for name in ("name", "shared", "filter", "sort", "columns")}
    if wanted | values != wanted:
        await run(
            session,
            "UPDATE saved_view SET name = $2, name_folded = $3, shared = $4, filter = $5::jsonb, sort = $6,"
            " columns = $7, updated_at = clock_timestamp(), version = version + 1 WHERE id = $1",
            view_id,
            *_columns(wanted | values),
        )
    return await read_view(session, actor, view_id)


async def delete_view(session: Session, actor: Actor, view_id: UUID, expected_version: int | None = None) -> None:
    """Remove a view of one's own. Raises NotFound, Forbidden, VersionConflict."""
    await _lock(session, actor, view_id, expected_version)
    await run_counting(session, "DELETE FROM saved_view WHERE id = $1", view_id)


async def forget_in_views(session: Session, person: Person) -> None:
    """Take comparisons with an erased person's values out of all views (C8).

    Views that name them are locked one batch behind the other, by id; all others stay free.
    """
    last = UUID(int=0)
    while True:
        views = (await run(session, _READ, last, BATCH)).all()
        named = [row.id for row in views if person.is_named_in(msgspec.json.decode(row.filter))]
        for row in await run(session, _HOLD, named):
            wanted = msgspec.json.decode(row.filter)
            left = without_values(wanted, person.is_named_in)
            if left != wanted:
                await run(session, _REPLACE, row.id, _json(left))
        if len(views) < BATCH:
            return
        last = views[-1].id


async def _lock(session: Session, actor: Actor, view_id: UUID, expected_version: int | None) -> dict[str, Any]:
    await run(session, "SELECT FROM saved_view WHERE id = $1 FOR UPDATE", view_id)
    stored = await read_view(session, actor, view_id)
    if stored["owner_id"] != str(actor.employee_id):
        raise Forbidden
    if expected_version is not None and expected_version != stored["version"]:
        raise VersionConflict
    return stored


def _columns(values: dict[str, Any]) -> tuple[Any, ...]:
    return (
        values["name"],
        fold(values["name"]),
        values["shared"],
        _json(values["filter"]),
        list(values["sort"]),
        list(values["columns"]),
    )


def _json(wanted: Any) -> str | None:
    return None if wanted is None else msgspec.json.encode(wanted).decode()
