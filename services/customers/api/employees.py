"""`/employees`: the directory. Reading is for every active employee, writing for `directory:manage`."""

import json
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from services.customers.api.pages import list_answer
from services.customers.api.schemas import (
    AuditList,
    DeactivateRequest,
    EmployeeChange,
    EmployeeCreate,
    EmployeeList,
    EmployeeQuery,
    EmployeeRecord,
)
from services.customers.commands.employees import (
    activate_employee,
    create_employee,
    update_employee,
)
from services.customers.commands.successions import deactivate_employee
from services.customers.domain.employee import Employee
from services.customers.queries.employees import list_employees, read_employee
from services.customers.queries.trail import read_audit
from shared.database import Session
from shared.errors import Forbidden
from shared.fields import PageQuery
from shared.http import PREFIX, ActorDep, IfMatch, SessionDep, WiringDep, created, etag, json_text, router
from shared.identity import MANAGE_DIRECTORY, Actor

employees = router("employees")


@employees.post("/employees", status_code=201, response_model=EmployeeRecord)
async def post_employee(request: EmployeeCreate, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """Add an employee; give the id that the identity provider's tokens carry as `sub`."""
    employee = await create_employee(session, actor, request.model_dump())
    created(response, f"/employees/{employee.id}")
    return await _answer(session, actor, employee, response)


@employees.get("/employees", response_model=EmployeeList)
async def get_employees(
    query: Annotated[EmployeeQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """A page of employees by name."""
    asked = query.model_dump(mode="json", include={"q", "active"})
    after = wiring.cursors.read(asked, query.cursor)
    page = await list_employees(session, actor, query.q, query.active, query.limit, after, query.total)
    return list_answer(wiring, asked, page)


@employees.get("/employees/{employee_id}", response_model=EmployeeRecord)
async def get_employee(employee_id: UUID, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """One employee."""
    record = await read_employee(session, actor, employee_id)
    etag(response, json.loads(record)["version"])
    return json_text(record, response)


@employees.patch("/employees/{employee_id}", response_model=EmployeeRecord)
async def patch_employee(
    employee_id: UUID,
    request: EmployeeChange,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
) -> Response:
    """Edit or move an employee (JSON Merge Patch)."""
    values = request.model_dump(include=request.model_fields_set)
    employee = await update_employee(session, actor, employee_id, values, expected_version)
    return await _answer(session, actor, employee, response)


@employees.post("/employees/{employee_id}/deactivate", response_model=EmployeeRecord)
async def post_deactivate(
    employee_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
    request: DeactivateRequest | None = None,
) -> Response:
    """Let an employee go; customers stay theirs or are transferred (A6).

    `Location` names the assignment by which the transfer goes on, if there are too many for one request.
    """
    transfer_to = request.transfer_to if request is not None else None
    employee, rest = await deactivate_employee(session, actor, employee_id, transfer_to, expected_version)
    if rest is not None:
        response.headers["Location"] = f"{PREFIX}/assignments/{rest.id}"
    return await _answer(session, actor, employee, response)


@employees.post("/employees/{employee_id}/activate", response_model=EmployeeRecord)
async def post_activate(
    employee_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch, response: Response
) -> Response:
    """Let an employee work again."""
    return await _answer(
        session, actor, await activate_employee(session, actor, employee_id, expected_version), response
    )


@employees.get("/employees/{employee_id}/audit", response_model=AuditList)
async def get_employee_audit(
    employee_id: UUID, query: Annotated[PageQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """What was done to an employee's entry, newest first."""
    await read_employee(session, actor, employee_id)
    if actor.employee_id != employee_id and not actor.may(MANAGE_DIRECTORY):
        raise Forbidden
    asked = {"audit": str(employee_id)}
    after = wiring.cursors.read(asked, query.cursor)
    page = await read_audit(session, "employee_id", employee_id, query.limit, after, query.total)
    return list_answer(wiring, asked, page)


async def _answer(session: Session, actor: Actor, employee: Employee, response: Response) -> Response:
    await session.flush()
    etag(response, employee.version)
    answer = json_text(await read_employee(session, actor, employee.id), response)
    answer.status_code = response.status_code or 200
    return answer
