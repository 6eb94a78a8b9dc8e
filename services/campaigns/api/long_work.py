"""`/distributions/{id}`, `/opportunity-batches/{id}` and `/campaign-removals/{id}`: how work that takes longer than a
request goes.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel

from services.campaigns.domain.long_work import LongWork
from services.campaigns.queries.long_work import get_long_work
from shared.fields import ItemResult, Page, PageQuery
from shared.http import ActorDep, SessionDep, WiringDep, json_text, router
from shared.long_work import LongWorkRecord
from shared.working import items_page

routes = router("long work")


class LongWorkResponse(LongWorkRecord):
    """How far the work is, for which campaign, of which selection."""

    campaign_id: UUID
    selection_id: UUID | None


class AddedItem(ItemResult):
    """What became of one customer of a selection."""

    customer_id: UUID


class AssignedItem(BaseModel):
    """Who got one opportunity, and why; without an employee it waits in the queue."""

    opportunity_id: UUID
    customer_id: UUID
    employee_id: UUID | None
    reason: dict[str, Any]


def left_to_the_worker(response: Response, work: LongWork) -> Response:
    """Long work as the answer of a route that has another one, too; `response` says where it can be followed."""
    return Response(LongWorkResponse.of(work).model_dump_json(), 202, response.headers, "application/json")


@routes.get("/distributions/{work_id}")
async def read_distribution_work(work_id: UUID, session: SessionDep, actor: ActorDep) -> LongWorkResponse:
    """A distribution of more opportunities than one request takes."""
    return LongWorkResponse.of(await get_long_work(session, actor, "distribution", work_id))


@routes.get("/distributions/{work_id}/items", response_model=Page[AssignedItem])
async def list_assigned(
    work_id: UUID, query: Annotated[PageQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """What a distribution did so far, the oldest opportunity first."""
    work = await get_long_work(session, actor, "distribution", work_id)
    return json_text(await items_page(session, wiring.cursors, work, query.limit, query.cursor))


@routes.get("/opportunity-batches/{work_id}")
async def read_opportunity_batch(work_id: UUID, session: SessionDep, actor: ActorDep) -> LongWorkResponse:
    """The adding of a selection's customers to a campaign."""
    return LongWorkResponse.of(await get_long_work(session, actor, "opportunity_batch", work_id))


@routes.get("/opportunity-batches/{work_id}/items", response_model=Page[AddedItem])
async def list_added(
    work_id: UUID, query: Annotated[PageQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """What became of the selection's customers so far."""
    work = await get_long_work(session, actor, "opportunity_batch", work_id)
    return json_text(await items_page(session, wiring.cursors, work, query.limit, query.cursor))


@routes.get("/campaign-removals/{work_id}")
async def read_campaign_removal(work_id: UUID, session: SessionDep, actor: ActorDep) -> LongWorkResponse:
    """The removal of what a large campaign left when it ended; its managers follow it."""
    return LongWorkResponse.of(await get_long_work(session, actor, "removal", work_id))
