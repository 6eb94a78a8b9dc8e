"""`/comments`: the discussion about a customer, and marking it as read."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from services.interactions.api.pages import page_json, read_position
from services.interactions.commands.comments import (
    HeldComment,
    delete_comment,
    edit_comment,
    mark_read,
    post_comment,
    require_employee,
)
from services.interactions.queries.comments import comment_json, comments_page, count_comments, held_comment_json
from services.interactions.queries.customers import find_customer
from services.interactions.queries.pages import CreatedSort
from services.interactions.queries.unread import unread_of_customer
from shared.database import Session
from shared.fields import LongText, Page, PageQuery, RequestModel
from shared.http import ActorDep, IfMatch, SessionDep, WiringDep, created, etag, json_text, router
from shared.identity import Actor

MAX_MENTIONS = 50

routes = router("comments")


def _distinct(people: list[UUID]) -> list[UUID]:
    if len(set(people)) < len(people):
        raise PydanticCustomError("validation_failed", "somebody is mentioned twice")
    return people


CommentText = Annotated[LongText, Field(min_length=1)]
Mentions = Annotated[list[UUID], AfterValidator(_distinct), Field(max_length=MAX_MENTIONS)]


class NewComment(RequestModel):
    """What somebody says about a customer: plain text, and whom they mention (U1)."""

    customer_id: UUID
    text: CommentText
    mention_ids: Mentions = []


class CommentChanges(RequestModel):
    """What to say instead (JSON Merge Patch). The defaults only mark what was left out."""

    text: CommentText = ""
    mention_ids: Mentions = []


class CommentResponse(BaseModel):
    """A comment. `unread`: posted by somebody else, and the asker has not read so far (U2)."""

    id: UUID
    customer_id: UUID
    author_id: UUID
    author_name: str | None
    text: str
    mention_ids: list[UUID]
    created_at: datetime
    edited_at: datetime | None
    unread: bool | None
    version: int
    allowed: list[str]


class CommentsQuery(PageQuery):
    """A page of one customer's discussion."""

    customer_id: UUID
    sort: CreatedSort = "-created_at"


class ReadRequest(RequestModel):
    """Up to which comment about a customer somebody has read (U3)."""

    customer_id: UUID
    up_to: UUID


class ReadResponse(BaseModel):
    """Up to which comment the asker has read in all, and how many about this customer they have not."""

    customer_id: UUID
    up_to: UUID
    unread: int


@routes.post("/comments", status_code=201, response_model=CommentResponse)
async def post_comments(request: NewComment, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """Comment on a customer you see; it counts as one interaction, whatever becomes of it (I8)."""
    held = await post_comment(session, actor, request.customer_id, request.text, request.mention_ids)
    created(response, f"/comments/{held.comment.id}")
    answer = await _answer(session, actor, held, response)
    answer.status_code = 201
    return answer


@routes.get("/comments", response_model=Page[CommentResponse])
async def list_comments(
    query: Annotated[CommentsQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """The discussion about a customer, newest first unless asked otherwise; deleted comments are left out."""
    customer = await find_customer(session, actor, query.customer_id)
    asked = ["comments", str(customer.id), query.sort]
    after = read_position(wiring.cursors, asked, query.cursor)
    page = await comments_page(session, actor, customer, query.sort, query.limit, after)
    total = await count_comments(session, customer.id) if query.total else None
    return json_text(page_json(wiring.cursors, asked, page, {"total": total}))


@routes.post("/comments/read", response_model=ReadResponse)
async def post_read(request: ReadRequest, session: SessionDep, actor: ActorDep) -> dict[str, Any]:
    """Mark a customer's comments as read up to one of them, in the order of their posting."""
    employee_id = require_employee(actor)
    up_to = await mark_read(session, actor, request.customer_id, request.up_to)
    unread = await unread_of_customer(session, employee_id, request.customer_id)
    return {"customer_id": request.customer_id, "up_to": up_to, "unread": unread}


@routes.get("/comments/{comment_id}", response_model=CommentResponse)
async def get_comment(comment_id: UUID, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """One comment."""
    body, version = await comment_json(session, actor, comment_id)
    etag(response, version)
    return json_text(body, response)


@routes.patch("/comments/{comment_id}", response_model=CommentResponse)
async def patch_comment(
    comment_id: UUID,
    request: CommentChanges,
    session: SessionDep,
    actor: ActorDep,
    response: Response,
    expected_version: IfMatch,
) -> Response:
    """Say it differently: the author alone, for two hours after posting."""
    changes = request.model_dump(exclude_unset=True)
    held = await edit_comment(session, actor, comment_id, **changes, expected_version=expected_version)
    return await _answer(session, actor, held, response)


@routes.delete("/comments/{comment_id}", status_code=204)
async def remove_comment(comment_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch) -> None:
    """Take a comment out of the discussion: its author, or who may change the customer. The count stays."""
    await delete_comment(session, actor, comment_id, expected_version)


async def _answer(session: Session, actor: Actor, held: HeldComment, response: Response) -> Response:
    await session.flush()
    body, version = await held_comment_json(session, actor, held.customer, held.comment.id)
    etag(response, version)
    return json_text(body, response)
