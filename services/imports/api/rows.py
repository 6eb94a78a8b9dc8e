"""`/imports/{id}/rows`: the preview and the outcomes, row by row."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import Query, Response

from services.imports.api.access import LanguageDep
from services.imports.api.schemas import RowResponse, RowsQuery
from services.imports.queries.imports import get_import
from services.imports.queries.rows import count_rows, list_rows
from shared.fields import Page
from shared.http import ActorDep, SessionDep, WiringDep, json_text, router

routes = router("imports")


@routes.get("/imports/{import_id}/rows", response_model=Page[RowResponse])
async def get_rows(
    import_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    wiring: WiringDep,
    language: LanguageDep,
    query: Annotated[RowsQuery, Query()],
) -> Response:
    """Rows in the file's order; empty before the preview exists."""
    job = await get_import(session, actor, import_id)
    bound = ["import-rows", str(job.id), sorted(query.outcome)]
    position = wiring.cursors.read(bound, query.cursor)
    rows = await list_rows(session, job, query.outcome, query.limit + 1, position[0] if position else 0, language)
    page = rows[: query.limit]
    answer: dict[str, Any] = {
        "items": page,
        "next_cursor": wiring.cursors.make(bound, [page[-1]["row"]]) if len(rows) > query.limit else None,
        "total": await count_rows(session, job.id, query.outcome) if query.total else None,
    }
    return json_text(msgspec.json.encode(answer).decode())
