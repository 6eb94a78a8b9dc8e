"""`/exports`: lists of customers as files (M14, K6)."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from services.customers.api.choosing import ChoosingRequest
from services.customers.commands.exports import audit_export, begin_export
from services.customers.commands.lists import Chosen
from services.customers.domain.limits import ExportLimits
from services.customers.domain.long_work import LongWork
from services.customers.queries.long_work import get_long_work, list_long_work
from shared.contracts.customer_fields import CUSTOMER_FIELDS
from shared.database import Database, run
from shared.errors import Conflict
from shared.fields import Page, PageQuery
from shared.http import ActorDep, SessionDep, WiringDep, accepted, router
from shared.identity import DOWNLOAD
from shared.long_work import LongWorkRecord
from shared.wording import language_of

exports = router("exports")

_MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


_SIZE = "SELECT coalesce(sum(octet_length(content)), 0), count(*) FROM export_part WHERE export_id = $1"


class FileGone(RuntimeError):
    """A file was thrown away while it was sent: the connection breaks off, or a part would pass for the whole."""


class ExportRequest(ChoosingRequest):
    """What to export: ids or a filter; with `campaign_id` only who is in the campaign, all of them if neither is given.

    All columns by default.
    """

    columns: Annotated[list[str], Field(min_length=1, max_length=100)] | None = None
    format: Annotated[
        Literal["xlsx", "csv"],
        Field(
            description="In an .xlsx every text is a text. A .csv has a ' before what a spreadsheet would take for a"
            " formula: at the beginning of a cell, and within one behind `;`, `|`, tab or line break, where a"
            " spreadsheet with another separator than `,` would split it. An upload takes it away again."
        ),
    ] = "xlsx"
    campaign_id: UUID | None = None


class ExportRecord(LongWorkRecord):
    """An export: `total` rows of the file, `left_out` customers that its maker does not see.

    With `campaign_id` these are given ids outside the campaign, too; without ids all of the campaign that its
    maker does not see.
    """

    left_out: int
    columns: list[str]
    format: Literal["xlsx", "csv"]
    expires_at: datetime | None


async def _limits(request: Request) -> object:
    return request.app.state.wiring.settings


async def _language(accept_language: Annotated[str | None, Header()] = None) -> str:
    return language_of(accept_language)


ExportLimitsDep = Annotated[ExportLimits, Depends(_limits)]
LanguageDep = Annotated[str, Depends(_language)]


@exports.get("/exports/columns")
async def get_columns(language: LanguageDep) -> Page[dict[str, Any]]:
    """The columns that an export may have, with their headings in your language."""
    return Page(items=[{"field": field.field, "label": field.label(language)} for field in CUSTOMER_FIELDS])


@exports.post("/exports", status_code=202)
async def post_export(
    request: ExportRequest,
    session: SessionDep,
    actor: ActorDep,
    limits: ExportLimitsDep,
    language: LanguageDep,
    response: Response,
) -> ExportRecord:
    """Have a file made of customers you see; needs `customers:download`."""
    actor.require(DOWNLOAD)
    chosen = Chosen()
    if request.campaign_id is None or request.filter is not None or request.customer_ids is not None:
        chosen = request.chosen(limits.export_max_rows, "selection_too_large")
    work = await begin_export(
        session, actor, chosen, request.columns, request.format, language, limits, request.campaign_id
    )
    accepted(response, f"/exports/{work.id}")
    return _record(work)


@exports.get("/exports")
async def get_exports(
    query: Annotated[PageQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Page[ExportRecord]:
    """Your exports whose files are still there, newest first."""
    works, cursor, count = await list_long_work(
        session, wiring.cursors, actor, "export", query.limit, query.cursor, query.total
    )
    return Page(items=[_record(work) for work in works], next_cursor=cursor, total=count)


@exports.get("/exports/{export_id}")
async def get_export(export_id: UUID, session: SessionDep, actor: ActorDep) -> ExportRecord:
    """An export of yours."""
    return _record(await get_long_work(session, actor, "export", export_id))


@exports.get("/exports/{export_id}/file", response_class=StreamingResponse)
async def get_file(export_id: UUID, session: SessionDep, actor: ActorDep, wiring: WiringDep) -> StreamingResponse:
    """The file; the right to download is asked again."""
    work = await get_long_work(session, actor, "export", export_id)
    actor.require(DOWNLOAD)
    if work.state != "finished":
        raise Conflict("wrong_state")
    length, parts = (await run(session, _SIZE, export_id)).one()
    if not parts:  # erased since its record was read
        raise Conflict("wrong_state")
    await audit_export(session, actor, "download", work)  # one statement, so it needs no transaction of this GET
    name = f"customers-{work.created_at:%Y%m%d-%H%M%S}.{work.request['format']}"
    return StreamingResponse(
        file_parts(wiring.database, export_id, parts),
        media_type=_MEDIA_TYPES[work.request["format"]],
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(length)},
    )


async def file_parts(database: Database, export_id: UUID, parts: int) -> AsyncIterator[bytes]:
    """The file part by part; a reader that is slow holds no connection meanwhile.

    Raises FileGone when an erasure or its end of life takes the file away before all of it is sent (C8).
    """
    for part in range(parts):
        async with database.reading() as session:
            found = await run(
                session, "SELECT content FROM export_part WHERE export_id = $1 AND part = $2", export_id, part
            )
        content = found.scalar_one_or_none()
        if content is None:
            raise FileGone(export_id)
        yield content


def _record(work: LongWork) -> ExportRecord:
    asked = work.request
    return ExportRecord.of(work, columns=asked["columns"], format=asked["format"])
