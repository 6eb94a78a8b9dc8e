"""Letting an employee go: they receive nothing any more, and a successor may take over (A6).

The first thousand customers change hands in the request; the rest is long work, done by the worker
on behalf of whoever deactivated the employee. Who was given to somebody else before is not taken away again.
"""

from uuid import UUID

from services.customers.commands.employees import employee_cause, lock_employee, require_active_employees
from services.customers.commands.hand_overs import hand_over
from services.customers.commands.long_work import CHUNK, begin_long_work, freeze_list
from services.customers.commands.publishing import publish
from services.customers.domain.employee import Employee
from services.customers.domain.long_work import LongWork
from shared.database import Session, run
from shared.errors import Invalid
from shared.identity import MANAGE_DIRECTORY, Actor

MAX_LEFT = 5_000_000
"""Customers that one employee may leave to a successor: nobody chose so many, so the limit of lists is not theirs."""

_THEIRS = "SELECT id FROM customer WHERE manager_id = $1 AND state = 'active' ORDER BY id LIMIT $2"


async def deactivate_employee(
    session: Session,
    actor: Actor,
    employee_id: UUID,
    transfer_to: UUID | None = None,
    expected_version: int | None = None,
) -> tuple[Employee, LongWork | None]:
    """Deactivate; their customers stay theirs unless `transfer_to` takes them over (A6).

    Answers the transfer that goes on after the request, too, if one does. Raises Forbidden, NotFound,
    InactiveEmployee, Invalid for a transfer to the employee themselves, VersionConflict.
    """
    actor.require(MANAGE_DIRECTORY)
    if transfer_to == employee_id:
        raise Invalid.at("/transfer_to", detail="the employee themselves")
    if transfer_to is not None:
        await require_active_employees(session, {transfer_to})
    employee = await lock_employee(session, employee_id)
    employee.require_version(expected_version)
    await publish(session, employee.deactivate(transfer_to, employee_cause(session)))
    await session.flush()
    if transfer_to is None:
        return employee, None
    theirs = list((await run(session, _THEIRS, employee_id, CHUNK + 1)).scalars())
    await hand_over(session, actor, theirs[:CHUNK], [transfer_to], False, left_by=employee_id)
    if len(theirs) <= CHUNK:
        return employee, None
    request = {"employee_ids": [str(transfer_to)], "keep_previous_as_viewer": False, "left_by": str(employee_id)}
    work = await begin_long_work(session, actor, "assignment", request)
    rest = "SELECT id AS customer_id FROM customer WHERE manager_id = $1 AND state = 'active'"
    await freeze_list(session, work, rest, [employee_id], MAX_LEFT)
    return employee, work
