"""`/care-schedules`: plans of care for customers, and what was done, each time a contact (L1, L4)."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from services.interactions.api.pages import page_json, read_position
from services.interactions.commands.care import (
    HeldSchedule,
    add_activity,
    create_schedule,
    delete_activity,
    delete_schedule,
    revise_schedule,
)
from services.interactions.queries.care import (
    count_schedules,
    held_activity_json,
    held_schedule_json,
    schedule_json,
    schedules_page,
)
from services.interactions.queries.customers import find_customer
from services.interactions.queries.pages import CreatedSort
from shared.database import Session
from shared.fields import Day, LongText, Moment, Name, Page, PageQuery, RequestModel
from shared.http import ActorDep, IfMatch, SessionDep, WiringDep, created, etag, json_text, router
from shared.identity import Actor

routes = router("care-schedules")


class ScheduleRequest(RequestModel):
    """A plan of care for a customer."""

    customer_id: UUID
    title: Name
    starts_on: Day | None = None


class ScheduleChanges(RequestModel):
    """What to change of a schedule (JSON Merge Patch). The defaults only mark what was left out."""

    title: Name = ""
    starts_on: Day | None = None


class ActivityRequest(RequestModel):
    """What was done for the customer; now, unless a time is given."""

    text: Annotated[LongText, Field(min_length=1)]
    occurred_at: Moment | None = None


class ActivityResponse(BaseModel):
    """Something that was done for the customer; its ETag is the schedule's."""

    id: UUID
    schedule_id: UUID
    customer_id: UUID
    text: str
    occurred_at: datetime
    employee_id: UUID
    created_at: datetime
    allowed: list[str]


class ScheduleResponse(BaseModel):
    """A care schedule with its latest activities, up to 200."""

    id: UUID
    customer_id: UUID
    title: str
    starts_on: date | None
    creator_id: UUID
    created_at: datetime
    activity_count: int
    activities: list[ActivityResponse]
    version: int
    allowed: list[str]


class SchedulesQuery(PageQuery):
    """A page of one customer's care schedules."""

    customer_id: UUID
    sort: CreatedSort = "-created_at"


@routes.post("/care-schedules", status_code=201, response_model=ScheduleResponse)
async def post_schedule(request: ScheduleRequest, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """Plan care for a customer you see."""
    held = await create_schedule(session, actor, request.customer_id, request.title, request.starts_on)
    created(response, f"/care-schedules/{held.schedule.id}")
    answer = await _answer(session, actor, held, response)
    answer.status_code = 201
    return answer


@routes.get("/care-schedules", response_model=Page[ScheduleResponse])
async def list_schedules(
    query: Annotated[SchedulesQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """The care schedules of a customer, newest first unless asked otherwise."""
    customer = await find_customer(session, actor, query.customer_id)
    asked = ["care-schedules", str(customer.id), query.sort]
    after = read_position(wiring.cursors, asked, query.cursor)
    page = await schedules_page(session, actor, customer, query.sort, query.limit, after)
    total = await count_schedules(session, customer.id) if query.total else None
    return json_text(page_json(wiring.cursors, asked, page, {"total": total}))


@routes.get("/care-schedules/{schedule_id}", response_model=ScheduleResponse)
async def get_schedule(schedule_id: UUID, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """One care schedule."""
    body, version = await schedule_json(session, actor, schedule_id)
    etag(response, version)
    return json_text(body, response)


@routes.patch("/care-schedules/{schedule_id}", response_model=ScheduleResponse)
async def patch_schedule(
    schedule_id: UUID,
    request: ScheduleChanges,
    session: SessionDep,
    actor: ActorDep,
    response: Response,
    expected_version: IfMatch,
) -> Response:
    """Change a care schedule: its creator, and who may change the customer."""
    values = request.model_dump(exclude_unset=True)
    return await _answer(
        session, actor, await revise_schedule(session, actor, schedule_id, values, expected_version), response
    )


@routes.delete("/care-schedules/{schedule_id}", status_code=204)
async def remove_schedule(schedule_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch) -> None:
    """Remove a care schedule; its activities are contacts no longer (L4)."""
    await delete_schedule(session, actor, schedule_id, expected_version)


@routes.post("/care-schedules/{schedule_id}/activities", status_code=201, response_model=ActivityResponse)
async def post_activity(
    schedule_id: UUID,
    request: ActivityRequest,
    session: SessionDep,
    actor: ActorDep,
    response: Response,
    expected_version: IfMatch,
) -> Response:
    """Say what was done for the customer: a contact when it occurred (L1)."""
    held, activity = await add_activity(
        session, actor, schedule_id, request.text, request.occurred_at, expected_version
    )
    await session.flush()
    created(response, f"/care-schedules/{schedule_id}/activities/{activity.id}")
    etag(response, held.schedule.version)
    answer = json_text(await held_activity_json(session, actor, held.customer, activity.id), response)
    answer.status_code = 201
    return answer


@routes.delete("/care-schedules/{schedule_id}/activities/{activity_id}", status_code=204)
async def remove_activity(
    schedule_id: UUID, activity_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch
) -> None:
    """Take back what was said to have been done; it is a contact no longer (L4)."""
    await delete_activity(session, actor, schedule_id, activity_id, expected_version)


async def _answer(session: Session, actor: Actor, held: HeldSchedule, response: Response) -> Response:
    await session.flush()
    body, version = await held_schedule_json(session, actor, held.customer, held.schedule.id)
    etag(response, version)
    return json_text(body, response)
