"""Saved views as the asker may know them: their own, and those that are shared (P4)."""

from typing import Any
from uuid import UUID

import msgspec

from services.customers.queries.pages import ListPage, page_by_name
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
    session: Session, actor: Actor, shared: bool | None, limit: int, after: list[Any] | None, total: bool
) -> ListPage:
    """A page of views by name."""
    condition = "(owner_id = $1 OR shared) AND ($2::bool IS NULL OR shared = $2)"
    asked = [actor.employee_id, shared]
    return await page_by_name(session, "saved_view", _RECORD, condition, asked, limit, after, total)
