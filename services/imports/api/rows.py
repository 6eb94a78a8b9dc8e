"""`/imports/{id}/rows`: the preview and the outcomes row by row, and cells fixed in place."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import Query, Response

from services.imports.api.access import ImporterDep, LanguageDep, LimitsDep
from services.imports.api.schemas import ImportResponse, RowResponse, RowsChange, RowsChanged, RowsQuery
from services.imports.commands.edits import edit_rows
from services.imports.queries.imports import get_import
from services.imports.queries.rows import count_rows, list_rows
from shared.fields import MAX_PAGE, Page
from shared.http import ActorDep, IfMatch, SessionDep, WiringDep, etag, json_text, router

routes = router("imports")


@routes.get("/imports/{import_id}/rows", response_model=Page[RowResponse])
async def get_rows(
    import_id: UUID,
    response: Response,
    session: SessionDep,
    actor: ActorDep,
    wiring: WiringDep,
    language: LanguageDep,
    query: Annotated[RowsQuery, Query()],
) -> Response:
    """Rows in the file's order, under the import's version; empty before the preview exists."""
    job = await get_import(session, actor, import_id)
    bound = ["import-rows", str(job.id), sorted(query.outcome)]
    position = wiring.cursors.read(bound, query.cursor)
    after = position[0] if position else 0
    rows = await list_rows(session, actor, job, query.outcome, query.limit + 1, after, language)
    page = rows[: query.limit]
    answer: dict[str, Any] = {
        "items": page,
        "next_cursor": wiring.cursors.make(bound, [page[-1]["row"]]) if len(rows) > query.limit else None,
        "total": await count_rows(session, job.id, query.outcome) if query.total else None,
    }
    etag(response, job.version)
    return json_text(msgspec.json.encode(answer).decode(), response)


@routes.patch("/imports/{import_id}/rows")
async def patch_rows(
    import_id: UUID,
    request: RowsChange,
    response: Response,
    session: SessionDep,
    actor: ImporterDep,
    limits: LimitsDep,
    language: LanguageDep,
    expected_version: IfMatch,
) -> RowsChanged:
    """Fix cells of some rows, of a column, or name who is responsible; the rows touched are judged again."""
    job, changed = await edit_rows(session, actor, import_id, request.chosen(), expected_version, limits)
    numbers = [item.row for item in request.items] if request.items else None
    rows = await list_rows(session, actor, job, (), MAX_PAGE, 0, language, numbers) if numbers else []
    etag(response, job.version)
    return RowsChanged.model_validate({"changed": changed, "items": rows, "import": ImportResponse.of(job, language)})
