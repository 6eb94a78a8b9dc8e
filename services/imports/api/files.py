"""Files to take away: empty templates, and the uploaded rows with what became of each."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import Query, Response
from fastapi.responses import StreamingResponse

from services.imports.api.access import LanguageDep, LimitsDep
from services.imports.api.schemas import FileFormat, Kind
from services.imports.domain.errors import WrongState
from services.imports.domain.fields import catalogue_of
from services.imports.domain.job import CUSTOMERS, WITH_ROWS, Import
from services.imports.domain.wording import outcome_text, reason_text, undo_text
from services.imports.queries.before import before_columns, before_heading, before_records
from services.imports.queries.imports import get_import
from services.imports.queries.rows import ResultRow, result_rows
from services.imports.spreadsheets.annotations import Annotation
from services.imports.spreadsheets.limits import Limits
from services.imports.spreadsheets.writer import ResultFile, TableFile, begin_table, write_template
from shared.contracts.customer_fields import CustomerField
from shared.database import Database
from shared.http import ActorDep, SessionDep, WiringDep, router
from shared.identity import Actor

_MEDIA_TYPES = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILE: dict[int | str, dict[str, Any]] = {200: {"content": dict.fromkeys(_MEDIA_TYPES.values(), _BINARY)}}

ROWS_AT_ONCE = 1_000
"""Rows of a file that are in memory at a time; between two looks no connection is held."""

routes = router("imports")


@routes.get("/imports/template", response_class=Response, responses=_FILE)
async def get_template(
    actor: ActorDep,
    limits: LimitsDep,
    language: LanguageDep,
    kind: Annotated[Kind, Query()] = "customers",
    format: Annotated[FileFormat, Query()] = "xlsx",
) -> Response:
    """An empty file to fill in, headings in the request's language (M1)."""
    sheet = Limits.of(limits.import_max_file_bytes, limits.import_max_rows)
    content = await asyncio.to_thread(write_template, catalogue_of(kind), language, format, sheet)
    return _file(content, f"{kind}-template", format)


@routes.get("/imports/{import_id}/result-file", response_class=StreamingResponse, responses=_FILE)
async def get_result_file(
    import_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    wiring: WiringDep,
    language: LanguageDep,
    format: Annotated[FileFormat | None, Query(description="By default as it was uploaded")] = None,
) -> StreamingResponse:
    """The uploaded rows with outcome and reasons beside them, once there is a preview or a result (M2)."""
    job = await get_import(session, actor, import_id)
    if job.state not in WITH_ROWS or job.header is None or job.emptied_at is not None:
        raise WrongState
    chosen: FileFormat = format or ("csv" if job.file_format == "csv" else "xlsx")
    file = ResultFile(job.header, language, chosen)
    return _stream(_result(wiring.database, job, file, language), _stem(job, "result"), chosen)


@routes.get("/imports/{import_id}/before-file", response_class=StreamingResponse, responses=_FILE)
async def get_before_file(
    import_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    wiring: WiringDep,
    language: LanguageDep,
    format: Annotated[FileFormat | None, Query(description="By default as it was uploaded")] = None,
) -> StreamingResponse:
    """The old values of all cells that the import writes over, ready to be uploaded with `overwrite` (M10)."""
    job = await get_import(session, actor, import_id)
    if job.state not in WITH_ROWS or job.emptied_at is not None or job.kind != CUSTOMERS:
        raise WrongState
    chosen: FileFormat = format or ("csv" if job.file_format == "csv" else "xlsx")
    columns = await before_columns(session, job)
    file = begin_table(before_heading(columns, language), language, chosen)
    return _stream(_before(wiring.database, actor, job, file, columns), _stem(job, "before"), chosen)


async def _result(database: Database, job: Import, file: ResultFile, language: str) -> AsyncIterator[bytes]:
    last = 0
    with closing(file):
        while True:
            async with database.reading() as session:
                rows = await result_rows(session, job.id, last, ROWS_AT_ONCE)
            if not rows:
                break
            last = rows[-1].row
            annotated = [(row.cells, _annotation(row, job.kind, language)) for row in rows]
            yield await asyncio.to_thread(file.add, annotated)
        async for part in _rest(file.finish()):
            yield part


async def _before(
    database: Database, actor: Actor, job: Import, file: TableFile, columns: Sequence[CustomerField]
) -> AsyncIterator[bytes]:
    last = 0
    with closing(file):
        while True:
            async with database.reading() as session:
                records, last = await before_records(session, actor, job, columns, last, ROWS_AT_ONCE)
            if not records:
                break
            yield await asyncio.to_thread(file.add, records)
        async for part in _rest(file.finish()):
            yield part


async def _rest(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Parts made in a thread: completing an .xlsx takes as long as compressing it."""
    while part := await asyncio.to_thread(next, parts, b""):
        yield part


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
    return Response(content, media_type=_MEDIA_TYPES[file_format], headers=_disposition(stem, file_format))


def _stream(parts: AsyncIterator[bytes], stem: str, file_format: str) -> StreamingResponse:
    return StreamingResponse(parts, media_type=_MEDIA_TYPES[file_format], headers=_disposition(stem, file_format))


def _stem(job: Import, kind: str) -> str:
    return f"{job.file_name.rpartition('.')[0]}-{kind}"


def _disposition(stem: str, file_format: str) -> dict[str, str]:
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(f'{stem}.{file_format}', safe='')}"}
