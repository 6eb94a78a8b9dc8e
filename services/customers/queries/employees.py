"""Lists of employees. Superior, e-mail and phone are for themselves and `directory:manage` only."""

from typing import Any
from uuid import UUID

from services.customers.queries.pages import ListPage, page_by_name, part_of_name
from shared.database import Session, run
from shared.errors import NotFound
from shared.identity import MANAGE_DIRECTORY, Actor

_PLAIN = "'id', id, 'code', code, 'name', name, 'department', department, 'active', active, 'version', version"
_FULL = (
    f"{_PLAIN}, 'email', email, 'phone', phone, 'superior_id', superior_id, 'successor_id', successor_id,"
    " 'created_at', instant(created_at), 'updated_at', instant(updated_at)"
)
_MANAGED = "json_build_array('change', CASE WHEN active THEN 'deactivate' ELSE 'activate' END, 'audit')"


async def list_employees(
    session: Session,
    actor: Actor,
    text: str | None,
    active: bool | None,
    limit: int,
    after: list[Any] | None,
    total: bool,
) -> ListPage:
    """A page of employees by name, or code."""
    record = f"json_build_object({_FULL if actor.may(MANAGE_DIRECTORY) else _PLAIN})"
    condition = (
        "($1::text IS NULL OR name_folded LIKE '%' || $1 || '%' OR lower(code) = $1)"
        " AND ($2::bool IS NULL OR active = $2)"
    )
    asked = [part_of_name(text), active]
    return await page_by_name(session, "employee", record, condition, asked, limit, after, total)


async def read_employee(session: Session, actor: Actor, employee_id: UUID) -> str:
    """One employee with what the actor may do, as JSON text. Raises NotFound."""
    manages, own = actor.may(MANAGE_DIRECTORY), actor.employee_id == employee_id
    fields = _FULL if manages or own else _PLAIN
    allowed = _MANAGED if manages else "json_build_array('audit')" if own else "json_build_array()"
    found = await run(
        session,
        f"SELECT json_build_object({fields}, 'allowed', {allowed})::text FROM employee WHERE id = $1",
        employee_id,
    )
    text = found.scalar_one_or_none()
    if text is None:
        raise NotFound
    return text
