"""`/tasks`: what is to be done about customers; a MEETING that is completed is a contact (I4, L1)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from services.interactions.api.pages import page_json, read_position
from services.interactions.commands.tasks import NewTask, create_task, delete_task, move_task, revise_task
from services.interactions.domain.facts import EARLIEST
from services.interactions.domain.task import Task
from services.interactions.queries.tasks import TaskFilter, TaskSort, TaskState, count_tasks, task_json, tasks_page
from shared.database import Session
from shared.fields import Code, Moment, Name, Page, PageQuery, RequestModel
from shared.http import ActorDep, IfMatch, SessionDep, WiringDep, created, etag, json_text, router
from shared.identity import Actor

MAX_CUSTOMERS = 200
MAX_TYPES = 50
LATEST_YEAR = 2200

routes = router("tasks")


def _distinct(ids: list[UUID]) -> list[UUID]:
    if len(set(ids)) < len(ids):
        raise PydanticCustomError("validation_failed", "a customer is named twice")
    return ids


def _plausible(at: datetime) -> datetime:
    """Near the ends of the calendar a time in another zone has none in UTC."""
    if not EARLIEST.year <= at.year <= LATEST_YEAR:
        raise PydanticCustomError("validation_failed", "a year between 1900 and 2200")
    return at


Customers = Annotated[list[UUID], AfterValidator(_distinct), Field(min_length=1, max_length=MAX_CUSTOMERS)]
DueTime = Annotated[Moment, AfterValidator(_plausible)]


class TaskRequest(RequestModel):
    """A task about customers. `type` is any code; MEETING is the one that rules know."""

    title: Name
    type: Code
    customer_ids: Customers
    assignee_id: UUID | None = None
    due_at: DueTime | None = None


class TaskChanges(RequestModel):
    """What to change of a task (JSON Merge Patch). The defaults only mark what was left out."""

    title: Name = ""
    type: Code = ""
    customer_ids: Customers = []
    assignee_id: UUID | None = None
    due_at: DueTime | None = None


class TaskResponse(BaseModel):
    """A task, with those of its customers that the asker sees."""

    id: UUID
    title: str
    type: str
    state: TaskState
    customer_ids: list[UUID]
    assignee_id: UUID | None
    due_at: datetime | None
    creator_id: UUID | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    completed_by: UUID | None
    cancelled_at: datetime | None
    version: int
    allowed: list[str]


class TasksQuery(PageQuery):
    """Which tasks; `state` and `type` may be repeated. Tasks without a due time are due last."""

    customer_id: UUID | None = None
    assignee_id: UUID | None = None
    creator_id: UUID | None = None
    state: Annotated[list[TaskState], Field(max_length=3)] = []
    type: Annotated[list[Code], Field(max_length=MAX_TYPES)] = []
    due_from: DueTime | None = None
    due_to: DueTime | None = None
    sort: TaskSort = "-created_at"


@routes.post("/tasks", status_code=201, response_model=TaskResponse)
async def post_task(request: TaskRequest, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """Begin a task about customers you see; an assignee must see each of them. It counts 1 for each customer (I4)."""
    asked = NewTask(request.title, request.type, request.customer_ids, request.assignee_id, request.due_at)
    task = await create_task(session, actor, asked)
    created(response, f"/tasks/{task.id}")
    answer = await _answer(session, actor, task, response)
    answer.status_code = 201
    return answer


@routes.get("/tasks", response_model=Page[TaskResponse])
async def list_tasks(
    query: Annotated[TasksQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """Tasks about customers you see, newest first unless asked otherwise."""
    wanted = TaskFilter(
        query.customer_id,
        query.assignee_id,
        query.creator_id,
        tuple(query.state),
        tuple(query.type),
        query.due_from,
        query.due_to,
    )
    asked = ["tasks", query.model_dump_json(exclude={"cursor", "limit", "total"})]
    after = read_position(wiring.cursors, asked, query.cursor)
    page = await tasks_page(session, actor, wanted, query.sort, query.limit, after)
    total = await count_tasks(session, actor, wanted) if query.total else None
    return json_text(page_json(wiring.cursors, asked, page, {"total": total}))


@routes.get("/tasks/{task_id}", response_model=TaskResponse)
async def get_task(task_id: UUID, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """One task."""
    body, version = await task_json(session, actor, task_id)
    etag(response, version)
    return json_text(body, response)


@routes.patch("/tasks/{task_id}", response_model=TaskResponse)
async def patch_task(
    task_id: UUID,
    request: TaskChanges,
    session: SessionDep,
    actor: ActorDep,
    response: Response,
    expected_version: IfMatch,
) -> Response:
    """Change a task: its creator, its assignee, and who may change a customer of it."""
    values = {name: getattr(request, name) for name in request.model_fields_set}
    task = await revise_task(session, actor, task_id, values, expected_version)
    return await _answer(session, actor, task, response)


@routes.delete("/tasks/{task_id}", status_code=204)
async def remove_task(task_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch) -> None:
    """Remove a task; it counts no more, and a meeting is no contact any longer (I4, L4)."""
    await delete_task(session, actor, task_id, expected_version)


@routes.post("/tasks/{task_id}/complete", response_model=TaskResponse)
async def complete_task(
    task_id: UUID, session: SessionDep, actor: ActorDep, response: Response, expected_version: IfMatch
) -> Response:
    """Done, as of now: a meeting is a contact at this moment (L1)."""
    task = await move_task(session, actor, task_id, lambda task, at: task.complete(actor, at), expected_version)
    return await _answer(session, actor, task, response)


@routes.post("/tasks/{task_id}/reopen", response_model=TaskResponse)
async def reopen_task(
    task_id: UUID, session: SessionDep, actor: ActorDep, response: Response, expected_version: IfMatch
) -> Response:
    """Not done after all; a meeting is no contact any longer (L4)."""
    return await _answer(
        session, actor, await move_task(session, actor, task_id, Task.reopen, expected_version), response
    )


@routes.post("/tasks/{task_id}/cancel", response_model=TaskResponse)
async def cancel_task(
    task_id: UUID, session: SessionDep, actor: ActorDep, response: Response, expected_version: IfMatch
) -> Response:
    """Call a task off; it counts no more (I4, L4)."""
    return await _answer(
        session, actor, await move_task(session, actor, task_id, Task.cancel, expected_version), response
    )


@routes.post("/tasks/{task_id}/uncancel", response_model=TaskResponse)
async def uncancel_task(
    task_id: UUID, session: SessionDep, actor: ActorDep, response: Response, expected_version: IfMatch
) -> Response:
    """Take the cancelling back: the task is open or completed as it was, and counts again."""
    return await _answer(
        session, actor, await move_task(session, actor, task_id, Task.uncancel, expected_version), response
    )


async def _answer(session: Session, actor: Actor, task: Task, response: Response) -> Response:
    await session.flush()
    body, version = await task_json(session, actor, task.id)
    etag(response, version)
    return json_text(body, response)
