"""Cells of a preview are fixed in place; only rows that were touched are judged again (M2).

The uploader's own cells change, so that a result file shows what was written. A responsible person
set for rows stands beside the cells and wins over them. No cell and no import grows by it beyond what
a file may hold: an edit that would is refused before anything is replaced.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from services.imports.commands.blanking import keep_erasures_off
from services.imports.commands.imports import lock_import, require_right, tell_worker
from services.imports.commands.validation import PORTION_ROWS, count_preview, judge_portion, store_portion
from services.imports.domain.columns import column_of
from services.imports.domain.job import Import
from services.imports.domain.limits import ImportLimits
from services.imports.queries.known import active_employee
from services.imports.spreadsheets.limits import Limits
from shared.database import Session, run, run_counting
from shared.errors import FieldError, Invalid
from shared.identity import Actor

UNSET = object()

_CELLS = """
UPDATE import_row SET stale = true, cells = edited.cells::jsonb,
    employee_id = CASE WHEN edited.sets THEN edited.employee_id ELSE import_row.employee_id END
FROM unnest($2::int[], $3::text[], $4::bool[], $5::uuid[]) AS edited(row, cells, sets, employee_id)
WHERE import_row.import_id = $1 AND import_row.row = edited.row
  AND (import_row.cells <> edited.cells::jsonb OR edited.sets
       AND import_row.employee_id IS DISTINCT FROM edited.employee_id)
"""

_EVERYBODY = """
UPDATE import_row SET stale = true, employee_id = $2
WHERE import_id = $1 AND outcome IS NOT NULL AND employee_id IS DISTINCT FROM $2
"""

# How long the longest cell and by how many bytes all of them would get: told before any such text is made.
_REACH = """
SELECT coalesce(max(length(cell) + times * (length($4::text) - length(found))), 0) AS longest,
       coalesce(sum(times * (octet_length($4) - octet_length(found))), 0) AS growth
FROM (SELECT cell, found, CASE WHEN found = cell THEN 1::bigint
                               WHEN found = '' THEN 0
                               ELSE (length(cell) - length(replace(cell, found, ''))) / length(found) END AS times
      FROM import_row, LATERAL (SELECT cells->>$2::int AS cell, coalesce($3::text, cells->>$2::int) AS found) AS sought
      WHERE import_id = $1 AND outcome IS NOT NULL AND ($5::text IS NULL OR outcome = $5)) AS counted
"""

_COLUMN = """
UPDATE import_row SET stale = true, cells = jsonb_set(cells, ARRAY[$2::int::text], to_jsonb(edited.text))
FROM (SELECT row, cells->>$2::int AS was,
             CASE WHEN $3::text IS NULL THEN $4::text
                  WHEN $3 = '' THEN CASE WHEN cells->>$2::int = '' THEN $4 ELSE cells->>$2::int END
                  ELSE replace(cells->>$2::int, $3, $4) END AS text
      FROM import_row WHERE import_id = $1 AND outcome IS NOT NULL AND ($5::text IS NULL OR outcome = $5)) AS edited
WHERE import_row.import_id = $1 AND import_row.row = edited.row AND edited.text <> edited.was
"""

_BYTES = "SELECT coalesce(sum(octet_length(cells::text)), 0) FROM import_row WHERE import_id = $1"


@dataclass(frozen=True)
class RowEdit:
    """New texts of one row's cells by field, and the responsible person set for it (UNSET: left alone)."""

    row: int
    cells: Mapping[str, str | None]
    employee_id: object = UNSET


@dataclass(frozen=True)
class ColumnEdit:
    """One value for all cells of a column, or a text replaced wherever it occurs; of one outcome or all."""

    field: str
    replace: str
    find: str | None = None
    outcome: str | None = None


@dataclass(frozen=True)
class EveryRow:
    """A responsible person for all rows; None: as their cells say."""

    employee_id: UUID | None


Edit = Sequence[RowEdit] | ColumnEdit | EveryRow


async def edit_rows(
    session: Session, actor: Actor, import_id: UUID, edit: Edit, expected_version: int | None, limits: ImportLimits
) -> tuple[Import, int]:
    """Fix cells or set the responsible person; answers the import and how many rows were touched.

    More rows than one request can judge make the preview anew, beside it (`validating`). Raises
    NotFound, Forbidden, Invalid (no such row, a field no column holds, an inactive employee, a text longer
    than a cell or more texts than a file can hold), VersionConflict, WrongState.
    """
    await keep_erasures_off(session)
    job = await lock_import(session, actor, import_id)
    require_right(actor, job.kind)
    job.require_version(expected_version)
    job.require_state("ready")
    sheet = Limits.of(limits.import_max_file_bytes, limits.import_max_rows)
    if isinstance(edit, ColumnEdit):
        touched = await _edit_column(session, job, edit, sheet)
    elif isinstance(edit, EveryRow):
        await _require_active(session, {edit.employee_id: "/employee_id"})
        touched = await run_counting(session, _EVERYBODY, job.id, edit.employee_id)
    else:
        touched = await _edit_cells(session, job, edit, sheet)
    if touched > PORTION_ROWS:
        job.judge_again(touched, actor)
        await tell_worker(session)
    elif touched:
        await _judge(session, job, actor)
    return job, touched


async def _judge(session: Session, job: Import, actor: Actor) -> None:
    while portion := await judge_portion(session, job, actor):
        await store_portion(session, job.id, portion)
    counts = await count_preview(session, job)
    job.touched(counts.outcomes, counts.changed_columns)


async def _edit_column(session: Session, job: Import, edit: ColumnEdit, sheet: Limits) -> int:
    change = job.id, _place(job, edit.field, "/field"), edit.find, edit.replace, edit.outcome
    longest, growth = (await run(session, _REACH, *change)).one()
    if longest > sheet.text_characters:
        raise Invalid.at("/replace", detail=f"a cell would be longer than {sheet.text_characters} characters")
    await _require_room(session, job, growth, sheet, "/replace")
    return await run_counting(session, _COLUMN, *change)


async def _require_room(session: Session, job: Import, growth: int, sheet: Limits, pointer: str) -> None:
    """Raises Invalid where all texts of an import would take more than those of any file may."""
    if growth > 0 and (await run(session, _BYTES, job.id)).scalar_one() + growth > sheet.answer_bytes:
        raise Invalid.at(pointer, detail=f"all cells would take more than {sheet.answer_bytes} bytes")


async def _edit_cells(session: Session, job: Import, edits: Sequence[RowEdit], sheet: Limits) -> int:
    assert job.header is not None
    query = await run(
        session,
        "SELECT row, cells::text FROM import_row WHERE import_id = $1 AND row = ANY($2::int[]) AND outcome IS NOT NULL"
        " AND cells <> '[]'",  # an erased customer's row
        job.id,
        [edit.row for edit in edits],
    )
    found = query.all()
    cells = {row: msgspec.json.decode(text, type=list[str]) for row, text in found}
    errors: list[FieldError] = []
    for position, edit in enumerate(edits):
        if edit.row not in cells:
            errors.append(FieldError(f"/items/{position}/row", "validation_failed", "no such row"))
            continue
        for field, text in edit.cells.items():
            pointer = f"/items/{position}/cells/{field}"
            try:
                place = _place(job, field, pointer)
            except Invalid as error:
                errors += error.errors
                continue
            cells[edit.row][place] = text or ""
    if errors:
        raise Invalid(errors=tuple(errors))
    named = {
        edit.employee_id: f"/items/{n}/employee_id" for n, edit in enumerate(edits) if edit.employee_id is not UNSET
    }
    await _require_active(session, named)
    last = {edit.row: edit for edit in edits}
    texts = [msgspec.json.encode(cells[number]).decode() for number in last]
    growth = sum(len(text.encode()) for text in texts) - sum(len(text.encode()) for _, text in found)
    await _require_room(session, job, growth, sheet, "/items")
    return await run_counting(
        session,
        _CELLS,
        job.id,
        list(last),
        texts,
        [edit.employee_id is not UNSET for edit in last.values()],
        [edit.employee_id if edit.employee_id is not UNSET else None for edit in last.values()],
    )


def _place(job: Import, field: str, pointer: str) -> int:
    assert job.mapping is not None
    place = column_of(job.mapping, field, job.kind)
    if place is None:
        raise Invalid.at(pointer, detail="no column of the file holds this field")
    return place


async def _require_active(session: Session, named: Mapping[object, str]) -> None:
    for employee_id, pointer in named.items():
        if isinstance(employee_id, UUID) and not await active_employee(session, employee_id):
            raise Invalid(errors=(FieldError(pointer, "inactive_employee"),))
