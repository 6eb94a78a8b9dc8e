"""`/views`: saved filters with their order and columns, private or shared, each seen with the reader's own sight."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import Query, Response

from services.customers.api.pages import list_answer
from services.customers.api.view_schemas import ViewChange, ViewCreate, ViewList, ViewQuery, ViewRecord
from services.customers.commands.views import create_view, delete_view, update_view
from services.customers.queries.views import list_views, read_view
from shared.http import ActorDep, IfMatch, SessionDep, WiringDep, created, etag, json_text, router

views = router("views")


@views.post("/views", status_code=201, response_model=ViewRecord)
async def post_view(request: ViewCreate, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """Save a filter with its order and columns, for yourself or for everybody (P4)."""
    record = await create_view(session, actor, request.model_dump())
    created(response, f"/views/{record['id']}")
    return _answer(record, response)


@views.get("/views", response_model=ViewList)
async def get_views(
    query: Annotated[ViewQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """Your views and the shared ones, by name."""
    asked = query.model_dump(mode="json", include={"shared"})
    after = wiring.cursors.read(asked, query.cursor)
    page = await list_views(session, actor, query.shared, query.limit, after, query.total)
    return list_answer(wiring, asked, page)


@views.get("/views/{view_id}", response_model=ViewRecord)
async def get_view(view_id: UUID, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """One view; search with its filter and sort to see its customers."""
    return _answer(await read_view(session, actor, view_id), response)


@views.patch("/views/{view_id}", response_model=ViewRecord)
async def patch_view(
    view_id: UUID,
    request: ViewChange,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
) -> Response:
    """Change a view of your own (JSON Merge Patch, a filter as a whole)."""
    values = request.model_dump(include=request.model_fields_set)
    return _answer(await update_view(session, actor, view_id, values, expected_version), response)


@views.delete("/views/{view_id}", status_code=204)
async def remove_view(view_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch) -> None:
    """Remove a view of your own."""
    await delete_view(session, actor, view_id, expected_version)


def _answer(record: dict[str, Any], response: Response) -> Response:
    etag(response, record["version"])
    answer = json_text(msgspec.json.encode(record).decode(), response)
    answer.status_code = response.status_code or 200
    return answer
