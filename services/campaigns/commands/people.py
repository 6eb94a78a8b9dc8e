"""Finding the employees that a request names, and refusing those who cannot be named (A6)."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from sqlalchemy import select

from services.campaigns.domain.people import Employee
from shared.database import Session
from shared.errors import FieldError, InactiveEmployee, Invalid


async def get_active_employee(session: Session, employee_id: UUID) -> Employee:
    """Somebody who may receive something. Raises InactiveEmployee, for unknown ones too (A6)."""
    employee = await session.get(Employee, employee_id)
    if employee is None or not employee.active:
        raise InactiveEmployee(employee_id)
    return employee


async def active_employees(session: Session, employee_ids: Iterable[UUID]) -> dict[UUID, Employee]:
    """The active ones of these employees, by id."""
    found = await session.scalars(select(Employee).where(Employee.id.in_(list(employee_ids)), Employee.active))
    return {employee.id: employee for employee in found}


async def require_active(session: Session, named: Mapping[str, Sequence[UUID]], known: Iterable[UUID] = ()) -> None:
    """Raises Invalid where a list of a request names somebody unknown or inactive.

    `named` are the lists by their pointer; those in `known` were there before and may stay.
    """
    wanted = {employee_id for ids in named.values() for employee_id in ids} - set(known)
    if not wanted:
        return
    missing = wanted - set(await active_employees(session, wanted))
    errors = tuple(
        FieldError(f"{pointer}/{index}", "inactive_employee", "unknown or no longer active")
        for pointer, ids in named.items()
        for index, employee_id in enumerate(ids)
        if employee_id in missing
    )
    if errors:
        raise Invalid(errors=errors)
