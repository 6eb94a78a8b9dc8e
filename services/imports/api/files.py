"""Files to take away: empty templates, and the uploaded rows with what became of each."""

import asyncio
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import Query, Response

from services.imports.api.access import LanguageDep
from services.imports.api.schemas import FileFormat, Kind
from services.imports.domain.errors import WrongState
from services.imports.domain.fields import catalogue_of
from services.imports.domain.job import CUSTOMERS, WITH_ROWS
from services.imports.domain.wording import outcome_text, reason_text, undo_text
from services.imports.queries.before import before_records
from services.imports.queries.imports import get_import
from services.imports.queries.rows import ResultRow, result_rows
from services.imports.spreadsheets.annotations import Annotation
from services.imports.spreadsheets.writer import write_records, write_result, write_template
from shared.http import ActorDep, SessionDep, router

_MEDIA_TYPES = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILE: dict[int | str, dict[str, Any]] = {200: {"content": dict.fromkeys(_MEDIA_TYPES.values(), _BINARY)}}

routes = router("imports")


@routes.get("/imports/template", response_class=Response, responses=_FILE)
async def get_template(
    actor: ActorDep,
    language: LanguageDep,
    kind: Annotated[Kind, Query()] = "customers",
    format: Annotated[FileFormat, Query()] = "xlsx",
) -> Response:
    """An empty file to fill in, headings in the request's language (M1)."""
    content = await asyncio.to_thread(write_template, catalogue_of(kind), language, format)
    return _file(content, f"{kind}-template", format)


@routes.get("/imports/{import_id}/result-file", response_class=Response, responses=_FILE)
async def get_result_file(
    import_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    language: LanguageDep,
    format: Annotated[FileFormat | None, Query(description="By default as it was uploaded")] = None,
) -> Response:
    """The uploaded rows with outcome and reasons beside them, once there is a preview or a result (M2)."""
    job = await get_import(session, actor, import_id)
    if job.state not in WITH_ROWS or job.header is None or job.emptied_at is not None:
        raise WrongState
    rows = [(row.cells, _annotation(row, job.kind, language)) for row in await result_rows(session, job.id)]
    chosen: FileFormat = format or ("csv" if job.file_format == "csv" else "xlsx")
    content = await asyncio.to_thread(write_result, job.header, rows, language, chosen)
    return _file(content, f"{job.file_name.rpartition('.')[0]}-result", chosen)


@routes.get("/imports/{import_id}/before-file", response_class=Response, responses=_FILE)
async def get_before_file(
    import_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    language: LanguageDep,
    format: Annotated[FileFormat | None, Query(description="By default as it was uploaded")] = None,
) -> Response:
    """The old values of all cells that the import writes over, ready to be uploaded with `overwrite` (M10)."""
    job = await get_import(session, actor, import_id)
    if job.state not in WITH_ROWS or job.emptied_at is not None or job.kind != CUSTOMERS:
        raise WrongState
    records = await before_records(session, job, language)
    chosen: FileFormat = format or ("csv" if job.file_format == "csv" else "xlsx")
    content = await asyncio.to_thread(write_records, records, language, chosen)
    return _file(content, f"{job.file_name.rpartition('.')[0]}-before", chosen)


def _annotation(row: ResultRow, kind: str, language: str) -> Annotation:
    why = (
        undo_text(row.reason, row.kept_fields, language)
        if row.reason
        else reason_text(row.outcome, row.errors, kind, language)
    )
    return Annotation(
        outcome=outcome_text(row.outcome, language),
        reason=why,
        customer_id=str(row.customer_id) if row.customer_id else "",
        code=row.code or "",
    )


def _file(content: bytes, stem: str, file_format: str) -> Response:
    disposition = f"attachment; filename*=UTF-8''{quote(f'{stem}.{file_format}', safe='')}"
    return Response(content, media_type=_MEDIA_TYPES[file_format], headers={"Content-Disposition": disposition})
