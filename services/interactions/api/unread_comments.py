"""`/unread-comments`: New Updated, the customers with comments somebody has not read, and the badge."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from services.interactions.api.pages import page_json, read_position
from services.interactions.commands.comments import require_employee
from services.interactions.queries.pages import JsonPage
from services.interactions.queries.unread import Unread, unread_badge, unread_comments
from shared.fields import DEFAULT_PAGE, MAX_PAGE, Page, PageQuery
from shared.http import ActorDep, SessionDep, WiringDep, json_text, router

routes = router("comments")


class DiscussedCustomer(BaseModel):
    """A customer with unread comments."""

    id: UUID
    code: str
    name: str
    created_at: datetime


class UnreadItem(BaseModel):
    """How many comments about a customer are unread, and the first of them."""

    customer: DiscussedCustomer
    unread: int
    first_unread_id: UUID


class UnreadPage(Page[UnreadItem]):
    """Customers with unread comments; `badge` is the number of unread comments about all of them."""

    badge: int


class UnreadQuery(PageQuery):
    """Which page; a limit of 0 asks for the badge alone."""

    limit: Annotated[int, Field(ge=0, le=MAX_PAGE)] = DEFAULT_PAGE


@routes.get("/unread-comments", response_model=UnreadPage)
async def list_unread(
    query: Annotated[UnreadQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """Customers you see with comments you have not read, the customer created last first (U2)."""
    asked = ["unread-comments", str(require_employee(actor))]
    after = read_position(wiring.cursors, asked, query.cursor)
    if query.limit == 0 and not query.total:
        unread = Unread(JsonPage([], None), await unread_badge(session, actor), 0)
    else:
        unread = await unread_comments(session, actor, query.limit, after)
    more = {"badge": unread.badge, "total": unread.total if query.total else None}
    return json_text(page_json(wiring.cursors, asked, unread.page, more))
