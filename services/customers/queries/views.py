"""Saved views as the asker may know them: their own, and those that are shared (P4)."""

from typing import Any
from uuid import UUID

import msgspec

from shared.database import Session, run
from shared.errors import NotFound
from shared.identity import Actor

_RECORD = """
json_build_object('id', id, 'owner_id', owner_id, 'name', name, 'shared', shared, 'filter', filter, 'sort', sort,
    'columns', columns, 'created_at', instant(created_at), 'updated_at', instant(updated_at), 'version', version,
    'allowed', CASE WHEN owner_id = $1 THEN '["change", "delete"]'::json ELSE '[]'::json END)
"""


async def read_view(session: Session, actor: Actor, view_id: UUID) -> dict[str, Any]:
    """One view. Raises NotFound for unknown ones and for others' private ones alike."""
    found = await run(
        session,
        f"SELECT {_RECORD}::text FROM saved_view WHERE id = $2 AND (owner_id = $1 OR shared)",
        actor.employee_id,
        view_id,
    )
    text = found.scalar_one_or_none()
    if text is None:
        raise NotFound
    return msgspec.json.decode(text)


async def list_views(
    session: Session, actor: Actor, shared: bool | None, limit: int, after: list[Any] | None
) -> tuple[str, list[Any] | None]:
    """A page of views by name as JSON text, and where the next one continues."""
    name, last_id = after or [None, None]
    found = await run(
        session,
        f"SELECT coalesce(json_agg({_RECORD} ORDER BY place) FILTER (WHERE place <= $5), '[]')::text,"
        " max(place), max(name_folded) FILTER (WHERE place = $5), max(id::text) FILTER (WHERE place = $5)"
        " FROM (SELECT *, row_number() OVER (ORDER BY name_folded, id) AS place FROM saved_view"
        "       WHERE (owner_id = $1 OR shared) AND ($2::bool IS NULL OR shared = $2)"
        "         AND ($3::text IS NULL OR (name_folded, id) > ($3, $4::uuid))"
        "       ORDER BY name_folded, id LIMIT $5 + 1) found",
        actor.employee_id,
        shared,
        name,
        UUID(last_id) if last_id else None,
        limit,
    )
    items, places, key, key_id = found.one()
    return items, [key, key_id] if places is not None and places > limit else None
