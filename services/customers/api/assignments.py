"""`/customers/assign` and `/assignments/{id}`: many customers handed over at once (A1, A4)."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import AfterValidator, BaseModel, Field

from services.customers.api.choosing import ChoosingRequest
from services.customers.commands.assignments import assign_customers, begin_assignment, item_of
from services.customers.commands.long_work import MAX_LISTED
from services.customers.queries.assignments import preview_assignment
from services.customers.queries.filters import matching_ids
from services.customers.queries.long_work import get_long_work
from shared.errors import Invalid
from shared.fields import MAX_BULK_ITEMS, BulkResult, ItemResult, Page, PageQuery, bulk
from shared.http import ActorDep, SessionDep, WiringDep, accepted, json_text, reads, router
from shared.long_work import LongWorkRecord
from shared.working import items_page

assignments = router("assignments")

MAX_EMPLOYEES = 200
"""Employees that one assignment shares customers among."""


def _once(values: list[UUID]) -> list[UUID]:
    return list(dict.fromkeys(values))


class AssignmentRequest(ChoosingRequest):
    """Customers, and who becomes responsible for them: evenly where several are named."""

    employee_ids: Annotated[list[UUID], Field(min_length=1, max_length=MAX_EMPLOYEES), AfterValidator(_once)]
    keep_previous_as_viewer: bool = False


class AssignedItem(ItemResult):
    """What became of one customer: who is responsible now, and the record's version."""

    employee_id: UUID | None = None
    version: int | None = None


class SightItem(BaseModel):
    """Who would gain or lose sight of how many customers, and of which."""

    employee_id: UUID
    gains: int
    loses: int
    customer_ids: list[UUID]


class AssignmentPreview(BaseModel):
    """What an assignment would do to people's sight (A4)."""

    items: list[SightItem]


@assignments.post("/customers/assign", responses={202: {"model": LongWorkRecord}})
async def post_assign(
    request: AssignmentRequest, session: SessionDep, actor: ActorDep, response: Response
) -> BulkResult[AssignedItem] | LongWorkRecord:
    """Hand customers over: ids at once, an outcome for each in their order; a filter as long work (202)."""
    chosen = request.chosen(MAX_BULK_ITEMS, "too_many_items")
    people, keep = request.employee_ids, request.keep_previous_as_viewer
    if chosen.filter is not None:
        work = await begin_assignment(session, actor, chosen, people, keep)
        accepted(response, f"/assignments/{work.id}")
        return LongWorkRecord.of(work)
    outcomes = await assign_customers(session, actor, chosen.customer_ids, people, keep)
    return bulk([AssignedItem.model_validate(item_of(index, outcome)) for index, outcome in enumerate(outcomes)])


@assignments.post("/customers/assign/preview")
@reads
async def post_preview(request: AssignmentRequest, session: SessionDep, actor: ActorDep) -> AssignmentPreview:
    """Who would gain and who would lose sight, writing nothing (A4)."""
    chosen = request.chosen(MAX_BULK_ITEMS, "too_many_items")
    ids = chosen.customer_ids
    if chosen.filter is not None:
        ids = await matching_ids(session, actor, chosen.filter, MAX_LISTED + 1)
        if len(ids) > MAX_LISTED:
            raise Invalid("selection_too_large")
    changes = await preview_assignment(session, actor, ids, request.employee_ids, request.keep_previous_as_viewer)
    items = [SightItem(employee_id=employee_id, **vars(change)) for employee_id, change in sorted(changes.items())]
    return AssignmentPreview(items=items)


@assignments.get("/assignments/{assignment_id}")
async def get_assignment(assignment_id: UUID, session: SessionDep, actor: ActorDep) -> LongWorkRecord:
    """How far an assignment of yours is."""
    return LongWorkRecord.of(await get_long_work(session, actor, "assignment", assignment_id))


@assignments.get("/assignments/{assignment_id}/items", response_model=Page[AssignedItem])
async def get_assignment_items(
    assignment_id: UUID, query: Annotated[PageQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """What became of the customers so far, in the order of their ids."""
    work = await get_long_work(session, actor, "assignment", assignment_id)
    return json_text(await items_page(session, wiring.cursors, work, query.limit, query.cursor))
