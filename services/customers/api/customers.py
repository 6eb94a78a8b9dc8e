"""`/customers`: one record and lists of them."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import Query, Response

from services.customers.api.list_filters import CustomerQuery
from services.customers.api.pages import list_answer, page_answer
from services.customers.api.revealing import RevealLimitsDep, revealing_router
from services.customers.api.schemas import (
    AccessAnswer,
    AuditList,
    CustomerList,
    CustomerRecord,
    ManagerAnswer,
    ManagerRequest,
    RestoreRequest,
    ViewersRequest,
)
from services.customers.commands.customers import (
    UNSET,
    change_viewer,
    create_customer,
    delete_customer,
    replace_viewers,
    restore_customer,
    transfer_customer,
    update_customer,
)
from services.customers.domain.customer import Customer
from services.customers.domain.values import CustomerChange, NewCustomer
from services.customers.queries.customers import list_customers
from services.customers.queries.ordering import Sort
from services.customers.queries.records import read_customer, shown
from services.customers.queries.trail import explain_access, read_audit
from shared.access import require_may_change
from shared.database import Session
from shared.fields import PageQuery
from shared.http import (
    ActorDep,
    IfMatch,
    SessionDep,
    WiringDep,
    created,
    customer_version,
    etag,
    json_text,
)
from shared.identity import Actor

customers = revealing_router("customers")

_BESIDE = {"code", "manager_id", "viewer_ids"}


@customers.post("/customers", status_code=201, response_model=CustomerRecord)
async def post_customer(
    request: NewCustomer, session: SessionDep, actor: ActorDep, limits: RevealLimitsDep, response: Response
) -> Response:
    """Create a customer (C1–C3, A1)."""
    values = {name: value for name, value in request.given().items() if name not in _BESIDE}
    manager_id = request.manager_id if "manager_id" in request.model_fields_set else UNSET
    customer = await create_customer(
        session, actor, values, request.code, manager_id, request.viewer_ids, limits.reveal_single_per_hour
    )
    created(response, f"/customers/{customer.id}")
    return await _answer(session, actor, customer, response)


@customers.get("/customers", response_model=CustomerList)
async def get_customers(
    query: Annotated[CustomerQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """A page of the customers you may see, newest first unless sorted (A2, P4, P5)."""
    asked = query.model_dump(mode="json", exclude={"cursor", "limit", "total"})
    sort = Sort.parse(query.sort, "?sort") if query.sort else None
    after = wiring.cursors.read(asked, query.cursor)
    deleted = query.state == "deleted"
    page = await list_customers(session, actor, query.node(), sort, query.limit, after, query.total, deleted)
    return page_answer(wiring, asked, page.items, page.last, page.total, page.uncounted)


@customers.get("/customers/{customer_id}", response_model=CustomerRecord)
async def get_customer(customer_id: UUID, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """One customer, with what you may do to it."""
    return _record(await read_customer(session, actor, customer_id), response)


@customers.patch("/customers/{customer_id}", response_model=CustomerRecord)
async def patch_customer(
    customer_id: UUID,
    request: CustomerChange,
    session: SessionDep,
    actor: ActorDep,
    limits: RevealLimitsDep,
    expected_version: IfMatch,
    response: Response,
) -> Response:
    """Change fields (JSON Merge Patch): null clears, a field left out stays."""
    customer = await update_customer(
        session, actor, customer_id, request.given(), expected_version, limits.reveal_single_per_hour
    )
    return await _answer(session, actor, customer, response)


@customers.delete("/customers/{customer_id}", status_code=204)
async def delete_one(customer_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch) -> None:
    """Delete softly (C4)."""
    await delete_customer(session, actor, customer_id, expected_version)


@customers.post("/customers/{customer_id}/restore", response_model=CustomerRecord)
async def post_restore(
    customer_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    limits: RevealLimitsDep,
    expected_version: IfMatch,
    response: Response,
    request: RestoreRequest | None = None,
) -> Response:
    """Bring a deleted customer back (C4)."""
    drop_phones = request.drop_phones if request is not None else False
    customer = await restore_customer(
        session, actor, customer_id, drop_phones, expected_version, limits.reveal_single_per_hour
    )
    return await _answer(session, actor, customer, response)


@customers.put("/customers/{customer_id}/manager")
async def put_manager(
    customer_id: UUID,
    request: ManagerRequest,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
) -> ManagerAnswer:
    """Transfer the customer; the previous responsible person loses sight unless kept as a viewer (A4)."""
    customer = await transfer_customer(
        session, actor, customer_id, request.employee_id, request.keep_previous_as_viewer, expected_version
    )
    _versions(response, customer)
    return ManagerAnswer(customer_id=customer.id, manager_id=customer.manager_id, version=customer.version)


@customers.put("/customers/{customer_id}/viewers", response_model=CustomerRecord)
async def put_viewers(
    customer_id: UUID,
    request: ViewersRequest,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
) -> Response:
    """Replace the viewers named by hand (A3)."""
    customer = await replace_viewers(session, actor, customer_id, request.employee_ids, expected_version)
    return await _answer(session, actor, customer, response)


@customers.put("/customers/{customer_id}/viewers/{employee_id}", response_model=CustomerRecord)
async def put_viewer(
    customer_id: UUID,
    employee_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
) -> Response:
    """Add one viewer by hand."""
    customer = await change_viewer(session, actor, customer_id, employee_id, True, expected_version)
    return await _answer(session, actor, customer, response)


@customers.delete("/customers/{customer_id}/viewers/{employee_id}", status_code=204)
async def delete_viewer(
    customer_id: UUID, employee_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch
) -> None:
    """Remove one viewer named by hand."""
    await change_viewer(session, actor, customer_id, employee_id, False, expected_version)


@customers.get("/customers/{customer_id}/access")
async def get_access(customer_id: UUID, employee_id: UUID, session: SessionDep, actor: ActorDep) -> AccessAnswer:
    """Why an employee can see this customer (A7): about others, for those who may change it."""
    if employee_id != actor.employee_id:
        await _require_trail(session, actor, customer_id)
    return AccessAnswer(**await explain_access(session, actor, customer_id, employee_id))


@customers.get("/customers/{customer_id}/audit", response_model=AuditList)
async def get_audit(
    customer_id: UUID,
    query: Annotated[PageQuery, Query()],
    session: SessionDep,
    actor: ActorDep,
    wiring: WiringDep,
) -> Response:
    """What was done to this customer, newest first; for those who may change it (A5, R1)."""
    await _require_trail(session, actor, customer_id)
    asked = {"audit": str(customer_id)}
    after = wiring.cursors.read(asked, query.cursor)
    page = await read_audit(session, "customer_id", customer_id, query.limit, after, query.total)
    return list_answer(wiring, asked, page)


async def _require_trail(session: Session, actor: Actor, customer_id: UUID) -> None:
    record = await read_customer(session, actor, customer_id)
    manager = UUID(record["manager_id"]) if record["manager_id"] else None
    require_may_change(actor, manager, map(UUID, record["viewer_ids"]))


async def _answer(session: Session, actor: Actor, customer: Customer, response: Response) -> Response:
    customer_version(response, customer.id, customer.version)
    return _record(await shown(session, actor, customer), response)


def _record(record: dict[str, Any], response: Response) -> Response:
    etag(response, record["version"])
    answer = json_text(msgspec.json.encode(record).decode(), response)
    answer.status_code = response.status_code or 200
    return answer


def _versions(response: Response, customer: Customer) -> None:
    etag(response, customer.version)
    customer_version(response, customer.id, customer.version)
