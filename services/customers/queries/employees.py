"""Lists of employees. Superior, e-mail and phone are for themselves and `directory:manage` only."""

from typing import Any
from uuid import UUID

from shared.database import Session, run
from shared.errors import NotFound
from shared.folding import fold
from shared.identity import MANAGE_DIRECTORY, Actor

_PLAIN = "'id', id, 'code', code, 'name', name, 'department', department, 'active', active, 'version', version"
_FULL = (
    f"{_PLAIN}, 'email', email, 'phone', phone, 'superior_id', superior_id, 'successor_id', successor_id,"
    " 'created_at', instant(created_at), 'updated_at', instant(updated_at)"
)


async def list_employees(
    session: Session, actor: Actor, text: str | None, active: bool | None, limit: int, after: list[Any] | None
) -> tuple[str, list[Any] | None]:
    """A page of employees by name as JSON text, and where the next one continues."""
    fields = _FULL if actor.may(MANAGE_DIRECTORY) else _PLAIN
    name, last_id = after or [None, None]
    found = await run(
        session,
        f"SELECT coalesce(json_agg(json_build_object({fields}) ORDER BY place) FILTER (WHERE place <= $5), '[]')::text,"
        " max(place), max(name_folded) FILTER (WHERE place = $5), max(id::text) FILTER (WHERE place = $5)"
        " FROM (SELECT *, row_number() OVER (ORDER BY name_folded, id) AS place FROM employee"
        "       WHERE ($1::text IS NULL OR name_folded LIKE '%' || $1 || '%' OR lower(code) = $1)"
        "         AND ($2::bool IS NULL OR active = $2)"
        "         AND ($3::text IS NULL OR (name_folded, id) > ($3, $4::uuid))"
        "       ORDER BY name_folded, id LIMIT $5 + 1) found",
        fold(text).replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") if text else None,
        active,
        name,
        UUID(last_id) if last_id else None,
        limit,
    )
    items, places, key, key_id = found.one()
    return items, [key, key_id] if places is not None and places > limit else None


async def read_employee(session: Session, actor: Actor, employee_id: UUID) -> str:
    """One employee as JSON text. Raises NotFound."""
    fields = _FULL if actor.may(MANAGE_DIRECTORY) or actor.employee_id == employee_id else _PLAIN
    found = await run(session, f"SELECT json_build_object({fields})::text FROM employee WHERE id = $1", employee_id)
    text = found.scalar_one_or_none()
    if text is None:
        raise NotFound
    return text
