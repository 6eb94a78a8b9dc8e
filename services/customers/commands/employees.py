"""Writes to employees, and the checks that others make of them (A2, A6)."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import select

from services.customers.commands.publishing import publish
from services.customers.domain.customer import Customer
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

TRANSFER_BATCH = 500
TREE_LOCK = "employee tree"


async def create_employee(session: Session, actor: Actor, values: dict[str, Any]) -> Employee:
    """Add an employee; an id may be given (the token's `sub`). Raises Forbidden, Conflict, Invalid."""
    actor.require(MANAGE_DIRECTORY)
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
    event = employee.tell(EmployeeChanged, _by_hand(session))
    session.add(employee)
    await session.flush()
    await publish(session, [event])
    return employee


async def update_employee(
    session: Session, actor: Actor, employee_id: UUID, values: dict[str, Any], expected_version: int | None = None
) -> Employee:
    """Edit or move an employee; a superior below them would be a cycle. Raises Conflict `cycle`."""
    actor.require(MANAGE_DIRECTORY)
    if "superior_id" in values:
        await advisory_lock(session, TREE_LOCK)  # two moves at once could close a cycle that neither sees
        await _require_superior(session, employee_id, values["superior_id"])
    employee = await _lock(session, employee_id)
    employee.require_version(expected_version)
    code = values.get("code")
    if code is not None and code != employee.code:
        taken = await run(session, "SELECT 1 FROM employee WHERE code = $1", code)
        if taken.first() is not None:
            raise Conflict("code_taken")
    also = {"updated_at": await clock(session), "name_folded": fold(values.get("name", employee.name))}
    await publish(session, employee.change(EmployeeChanged, _by_hand(session), also, **values))
    return employee


async def deactivate_employee(
    session: Session,
    actor: Actor,
    employee_id: UUID,
    transfer_to: UUID | None = None,
    expected_version: int | None = None,
) -> Employee:
    """Deactivate; their customers stay theirs unless `transfer_to` takes them over (A6)."""
    actor.require(MANAGE_DIRECTORY)
    if transfer_to is not None:
        await require_active_employees(session, {transfer_to})
        if transfer_to == employee_id:
            raise Invalid.at("/transfer_to", detail="the employee themselves")
    employee = await _lock(session, employee_id)
    employee.require_version(expected_version)
    await publish(session, employee.deactivate(transfer_to, _by_hand(session)))
    if transfer_to is not None:
        await session.flush()
        await _transfer_all(session, employee_id, transfer_to)
    return employee


async def activate_employee(
    session: Session, actor: Actor, employee_id: UUID, expected_version: int | None = None
) -> Employee:
    """Let an employee work again."""
    actor.require(MANAGE_DIRECTORY)
    employee = await _lock(session, employee_id)
    employee.require_version(expected_version)
    await publish(session, employee.activate(_by_hand(session)))
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
    await advisory_lock(session, TREE_LOCK)
    if (await run(session, "SELECT 1 FROM employee LIMIT 1")).first() is not None:
        return False
    administrator = Actor("system", "bootstrap", frozenset({MANAGE_DIRECTORY}))
    await create_employee(session, administrator, {"id": employee_id, "name": name, "code": code})
    return True


async def _transfer_all(session: Session, employee_id: UUID, successor_id: UUID) -> None:
    while True:
        batch = (
            await session.execute(
                select(Customer)
                .where(Customer.manager_id == employee_id, Customer.state == "active")
                .order_by(Customer.id)
                .limit(TRANSFER_BATCH)
                .with_for_update()
            )
        ).scalars()
        at, cause = await clock(session), _by_hand(session)
        events = [event for customer in batch for event in customer.set_manager(successor_id, False, at, cause)]
        if not events:
            return
        await session.flush()
        await publish(session, events)


async def _lock(session: Session, employee_id: UUID) -> Employee:
    found = await session.execute(select(Employee).where(Employee.id == employee_id).with_for_update())
    employee = found.scalar_one_or_none()
    if employee is None:
        raise NotFound
    return employee


async def _require_superior(session: Session, employee_id: UUID, superior_id: UUID | None) -> None:
    """The superior exists, and is not below the employee (A2: no cycles, depth ≤ 20)."""
    if superior_id is None:
        return
    found = await run(
        session,
        "WITH RECURSIVE above(id, superior_id, depth) AS ("
        " SELECT id, superior_id, 1 FROM employee WHERE id = $1"
        " UNION ALL SELECT e.id, e.superior_id, above.depth + 1 FROM employee e JOIN above ON e.id = above.superior_id"
        " WHERE above.depth <= 2 * $3) SELECT count(*), coalesce(bool_or(id = $2), false), max(depth) FROM above",
        superior_id,
        employee_id,
        MAX_SUPERIOR_DEPTH,
    )
    count, cycle, depth = found.one()
    if cycle or superior_id == employee_id:
        raise Conflict("cycle")
    if not count:
        raise Invalid.at("/superior_id", detail="unknown employee")
    if depth > MAX_SUPERIOR_DEPTH:
        raise Invalid.at("/superior_id", detail=f"more than {MAX_SUPERIOR_DEPTH} levels of superiors")


async def _new_code(session: Session) -> str:
    number = (await run(session, "SELECT nextval('employee_number')")).scalar_one()
    return f"NV{number:04d}"


def _by_hand(session: Session) -> Cause:
    origin = outbox.origin(session)
    return Cause(kind="user" if origin.actor.kind != "system" else "system", id=origin.correlation_id)
