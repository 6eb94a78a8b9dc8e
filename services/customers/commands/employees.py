"""Writes to employees, and the checks that others make of them (A2, A6)."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import select

from services.customers.commands.publishing import publish
from services.customers.domain.employee import Employee
from shared import outbox
from shared.access import MAX_SUPERIOR_DEPTH
from shared.contracts.directory import EmployeeChanged
from shared.contracts.events import Cause
from shared.database import Session, advisory_lock, clock, run
from shared.envelope import new_id
from shared.errors import Conflict, InactiveEmployee, Invalid, NotFound
from shared.folding import fold
from shared.identity import MANAGE_DIRECTORY, Actor

DIRECTORY_LOCK = "directory"
"""One writer at a time: two moves at once could close a cycle, two creations take one code, unseen by either."""

_AROUND = """
WITH RECURSIVE above(id, superior_id, depth) AS (
    SELECT id, superior_id, 1 FROM employee WHERE id = $1
    UNION ALL
    SELECT e.id, e.superior_id, above.depth + 1 FROM employee e JOIN above ON e.id = above.superior_id
    WHERE above.depth <= $3
), below(id, depth) AS (
    SELECT id, 0 FROM employee WHERE id = $2
    UNION ALL
    SELECT e.id, below.depth + 1 FROM employee e JOIN below ON e.superior_id = below.id WHERE below.depth <= $3
)
SELECT (SELECT max(depth) FROM above), (SELECT coalesce(bool_or(id = $2), false) FROM above),
       (SELECT coalesce(max(depth), 0) FROM below)
"""
"""Levels above a superior with themselves, whether an employee is among them, and levels below the employee."""


async def create_employee(session: Session, actor: Actor, values: dict[str, Any]) -> Employee:
    """Add an employee; an id may be given (the token's `sub`). Raises Forbidden, Conflict, Invalid."""
    actor.require(MANAGE_DIRECTORY)
    await advisory_lock(session, DIRECTORY_LOCK)
    employee_id = values.get("id") or new_id()
    await _require_superior(session, employee_id, values.get("superior_id"))
    code = values.get("code") or await _new_code(session)
    taken = await run(session, "SELECT 1 FROM employee WHERE id = $1 OR code = $2", employee_id, code)
    if taken.first() is not None:
        raise Conflict("code_taken")
    at = await clock(session)
    employee = Employee(
        id=employee_id,
        code=code,
        name=values["name"],
        name_folded=fold(values["name"]),
        department=values.get("department"),
        email=values.get("email"),
        phone=values.get("phone"),
        superior_id=values.get("superior_id"),
        active=True,
        successor_id=None,
        created_at=at,
        updated_at=at,
        version=0,
    )
    event = employee.tell(EmployeeChanged, employee_cause(session))
    session.add(employee)
    await session.flush()
    await publish(session, [event])
    return employee


async def update_employee(
    session: Session, actor: Actor, employee_id: UUID, values: dict[str, Any], expected_version: int | None = None
) -> Employee:
    """Edit or move an employee; a superior below them would be a cycle. Raises Conflict `cycle`."""
    actor.require(MANAGE_DIRECTORY)
    await advisory_lock(session, DIRECTORY_LOCK)
    if "superior_id" in values:
        await _require_superior(session, employee_id, values["superior_id"])
    employee = await lock_employee(session, employee_id)
    employee.require_version(expected_version)
    code = values.get("code")
    if code is not None and code != employee.code:
        taken = await run(session, "SELECT 1 FROM employee WHERE code = $1", code)
        if taken.first() is not None:
            raise Conflict("code_taken")
    also = {"updated_at": await clock(session), "name_folded": fold(values.get("name", employee.name))}
    await publish(session, employee.change(EmployeeChanged, employee_cause(session), also, **values))
    return employee


async def activate_employee(
    session: Session, actor: Actor, employee_id: UUID, expected_version: int | None = None
) -> Employee:
    """Let an employee work again."""
    actor.require(MANAGE_DIRECTORY)
    employee = await lock_employee(session, employee_id)
    employee.require_version(expected_version)
    await publish(session, employee.activate(employee_cause(session)))
    return employee


async def require_active_employees(session: Session, employee_ids: Iterable[UUID]) -> None:
    """Raises InactiveEmployee for the first that is unknown or inactive (A6)."""
    wanted = set(employee_ids)
    missing = wanted - await active_employees(session, wanted)
    if missing:
        raise InactiveEmployee(min(missing))


async def active_employees(session: Session, employee_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the employees that exist and are active. Their rows are share-locked: a deactivation waits."""
    wanted = list(employee_ids)
    if not wanted:
        return set()
    found = await run(
        session, "SELECT id FROM employee WHERE id = ANY($1::uuid[]) AND active ORDER BY id FOR SHARE", sorted(wanted)
    )
    return set(found.scalars())


async def bootstrap_administrator(session: Session, employee_id: UUID, name: str, code: str) -> bool:
    """Make the first employee of a fresh system; False when there is anybody already."""
    await advisory_lock(session, DIRECTORY_LOCK)
    if (await run(session, "SELECT 1 FROM employee LIMIT 1")).first() is not None:
        return False
    administrator = Actor("system", "bootstrap", frozenset({MANAGE_DIRECTORY}))
    await create_employee(session, administrator, {"id": employee_id, "name": name, "code": code})
    return True


async def lock_employee(session: Session, employee_id: UUID) -> Employee:
    """The employee's row, locked. Raises NotFound."""
    found = await session.execute(select(Employee).where(Employee.id == employee_id).with_for_update())
    employee = found.scalar_one_or_none()
    if employee is None:
        raise NotFound
    return employee


async def _require_superior(session: Session, employee_id: UUID, superior_id: UUID | None) -> None:
    """The superior exists, is not below the employee, and nobody gets too many levels above them (A2)."""
    if superior_id is None:
        return
    found = await run(session, _AROUND, superior_id, employee_id, MAX_SUPERIOR_DEPTH)
    levels_above, cycle, levels_below = found.one()
    if cycle or superior_id == employee_id:
        raise Conflict("cycle")
    if levels_above is None:
        raise Invalid.at("/superior_id", detail="unknown employee")
    if levels_above + levels_below > MAX_SUPERIOR_DEPTH:
        raise Invalid.at("/superior_id", detail=f"more than {MAX_SUPERIOR_DEPTH} levels of superiors")


async def _new_code(session: Session) -> str:
    number = (await run(session, "SELECT nextval('employee_number')")).scalar_one()
    return f"NV{number:04d}"


def employee_cause(session: Session) -> Cause:
    """The cause of a change of the directory: a request, or the system at its start."""
    origin = outbox.origin(session)
    return Cause(kind="user" if origin.actor.kind != "system" else "system", id=origin.correlation_id)
