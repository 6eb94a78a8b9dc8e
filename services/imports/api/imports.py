"""`/imports`: upload, list, read, cancel, confirm. The preview between is in `preparation.py`, `rows.py`."""

from typing import Annotated
from uuid import UUID

from fastapi import Form, Query, Response

from services.imports.api.access import ImporterDep, LanguageDep, LimitsDep
from services.imports.api.schemas import ConfirmRequest, ImportResponse, ImportsQuery, Kind
from services.imports.api.uploads import UploadDep
from services.imports.commands.imports import cancel_import, confirm_import, create_import
from services.imports.commands.undo import undo_import
from services.imports.queries.imports import count_imports, get_import, list_imports
from shared.fields import Page
from shared.http import ActorDep, IfMatch, SessionDep, WiringDep, accepted, created, etag, router

routes = router("imports")


@routes.post("/imports", status_code=201)
async def post_import(
    response: Response,
    session: SessionDep,
    actor: ImporterDep,
    limits: LimitsDep,
    language: LanguageDep,
    upload: UploadDep,
    kind: Annotated[Kind, Form()] = "customers",
    repeat: Annotated[bool, Form(description="Take a file again that was imported before (M9)")] = False,
) -> ImportResponse:
    """Upload a file. It is read afterwards: follow `state`."""
    job = await create_import(session, actor, kind, upload, repeat, limits)
    created(response, f"/imports/{job.id}")
    etag(response, job.version)
    return ImportResponse.of(job, language)


@routes.get("/imports")
async def get_imports(
    session: SessionDep,
    actor: ActorDep,
    wiring: WiringDep,
    language: LanguageDep,
    query: Annotated[ImportsQuery, Query()],
) -> Page[ImportResponse]:
    """One's own imports, newest first."""
    bound = ["imports", actor.kind, actor.id, query.sort]
    position = wiring.cursors.read(bound, query.cursor)
    after = UUID(position[0]) if position else None
    jobs = await list_imports(session, actor, query.limit + 1, after, query.sort == "created_at")
    page = jobs[: query.limit]
    return Page(
        items=[ImportResponse.of(job, language) for job in page],
        next_cursor=wiring.cursors.make(bound, [str(page[-1].id)]) if len(jobs) > query.limit else None,
        total=await count_imports(session, actor) if query.total else None,
    )


@routes.get("/imports/{import_id}")
async def get_one_import(
    import_id: UUID, response: Response, session: SessionDep, actor: ActorDep, language: LanguageDep
) -> ImportResponse:
    """One import with its mapping, counts and warnings."""
    job = await get_import(session, actor, import_id)
    etag(response, job.version)
    return ImportResponse.of(job, language)


@routes.delete("/imports/{import_id}", status_code=204)
async def delete_import(import_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch) -> None:
    """Cancel before confirm; the file is forgotten at once."""
    await cancel_import(session, actor, import_id, expected_version)


@routes.post("/imports/{import_id}/confirm", status_code=202)
async def post_confirm(
    import_id: UUID,
    request: ConfirmRequest,
    response: Response,
    session: SessionDep,
    actor: ImporterDep,
    limits: LimitsDep,
    language: LanguageDep,
    expected_version: IfMatch,
) -> ImportResponse:
    """Send the rows of the preview to the customers' records; follow `state` and `counts`."""
    job = await confirm_import(
        session, actor, import_id, request.skip_errors, request.all_or_nothing, expected_version, limits
    )
    accepted(response, f"/imports/{job.id}")
    etag(response, job.version)
    return ImportResponse.of(job, language)


@routes.post("/imports/{import_id}/undo", status_code=202)
async def post_undo(
    import_id: UUID,
    response: Response,
    session: SessionDep,
    actor: ImporterDep,
    limits: LimitsDep,
    language: LanguageDep,
    expected_version: IfMatch,
) -> ImportResponse:
    """Take back what a finished import wrote; follow `state` and `counts` (M10)."""
    job = await undo_import(session, actor, import_id, expected_version, limits)
    accepted(response, f"/imports/{job.id}")
    etag(response, job.version)
    return ImportResponse.of(job, language)
