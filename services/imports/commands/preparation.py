"""Between upload and preview: the uploader says what the columns are and how to treat matches.

Both ask the worker for a new preview; equal choices ask for nothing (the version stays).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from services.imports.commands.imports import lock_import, require_right, tell_worker
from services.imports.domain.columns import (
    Column,
    ColumnWarning,
    chosen_warnings,
    mapping_value,
    remembered,
    require_valid,
)
from services.imports.domain.fields import catalogue_of
from services.imports.domain.job import Import, uploader_of
from services.imports.domain.limits import ImportLimits
from services.imports.domain.options import ImportOptions
from services.imports.domain.saved_mapping import MAX_SAVED, SavedMapping
from services.imports.queries.known import active_employee
from services.imports.spreadsheets.header import propose_mapping
from services.imports.spreadsheets.table import Row, Table
from shared.database import Session, run, run_counting
from shared.envelope import new_id
from shared.errors import FieldError, Invalid, NotFound
from shared.folding import fold
from shared.identity import SETTINGS, Actor

# One statement: of two requests at once that save under one name, the later replaces what the earlier kept.
_SAVE = """
INSERT INTO import_mapping (id, owner, kind, name, name_folded, columns, created_at)
SELECT $1, $2, $3, $4, $5, $6::jsonb, clock_timestamp()
WHERE (SELECT count(*) FROM import_mapping WHERE owner = $2) < $7
   OR EXISTS (SELECT FROM import_mapping WHERE owner = $2 AND kind = $3 AND name_folded = $5)
ON CONFLICT (owner, kind, name_folded) DO UPDATE SET name = excluded.name, columns = excluded.columns
"""


@dataclass(frozen=True)
class ChosenMapping:
    """What the uploader says of the columns; `header_row` None keeps the proposed one."""

    columns: Sequence[Column]
    header_row: int | None = None
    save_as: str | None = None


async def set_mapping(
    session: Session,
    actor: Actor,
    import_id: UUID,
    chosen: ChosenMapping,
    expected_version: int | None,
    limits: ImportLimits,
) -> Import:
    """Map the columns and ask for a preview (M2). Raises NotFound, Forbidden, Invalid, VersionConflict,
    WrongState.
    """
    job = await lock_import(session, actor, import_id)
    require_right(actor, job.kind)
    if job.mapping is None:
        job.require_version(expected_version)
        job.require_state("awaiting_mapping", "ready")
    assert job.mapping is not None
    header_row = chosen.header_row or job.mapping["header_row"]
    header, total = await _header(session, job.id, header_row)
    require_valid(chosen.columns, len(header), job.kind)
    if total > limits.import_max_rows:
        raise Invalid("too_many_rows", (FieldError("/header_row", "too_many_rows"),))
    job.require_version(expected_version)
    job.require_state("awaiting_mapping", "ready")
    if chosen.save_as is not None:
        await _save(session, job, chosen.save_as, chosen.columns, header)
    mapping = mapping_value(header_row, chosen.columns)
    if job.state == "ready" and mapping == job.mapping and await _is_fresh(session, job, limits):
        return job
    warnings = chosen_warnings(header_warnings(header_row, header, job.kind), chosen.columns, header, job.kind)
    job.map_columns(header, mapping, warnings, total, actor)
    await judge_all_again(session, job)
    await tell_worker(session)
    return job


async def set_options(
    session: Session, actor: Actor, import_id: UUID, options: ImportOptions, expected_version: int | None
) -> Import:
    """Choose how to treat matches (M3, M4, M6); a preview that exists is made anew.

    Raises NotFound, Forbidden, Invalid (an unknown or inactive employee, A6), VersionConflict, WrongState.
    """
    job = await lock_import(session, actor, import_id)
    require_right(actor, job.kind)
    if options.employee_id is not None and not await active_employee(session, options.employee_id):
        raise Invalid(errors=(FieldError("/employee_id", "inactive_employee"),))
    job.require_version(expected_version)
    if options.create_missing_options:
        actor.require(SETTINGS)
    if job.choose(options, actor) and job.state == "validating":
        await judge_all_again(session, job)
        await tell_worker(session)
    return job


async def judge_all_again(session: Session, job: Import) -> None:
    """What the rows of a sheet mean has changed as a whole."""
    await run(session, "UPDATE import_row SET stale = true WHERE import_id = $1 AND NOT stale", job.id)


async def delete_mapping(session: Session, actor: Actor, mapping_id: UUID) -> None:
    """Forget a saved mapping. Raises NotFound, also for somebody else's."""
    saved = await session.get(SavedMapping, mapping_id)
    if saved is None or saved.owner != uploader_of(actor):
        raise NotFound
    await session.delete(saved)


def header_warnings(header_row: int, header: list[str], kind: str) -> list[ColumnWarning]:
    """What is odd about the headings of a sheet."""
    proposal = propose_mapping(Table([Row(header_row, header)]), catalogue_of(kind), header_row)
    return [ColumnWarning(c.warning, c.index, c.header) for c in proposal.columns if c.warning is not None]


async def _header(session: Session, import_id: UUID, header_row: int) -> tuple[list[str], int]:
    """The headings in a row of the sheet, and how many rows lie below. Raises Invalid."""
    found = await run(
        session,
        "SELECT (SELECT cells::text FROM import_row WHERE import_id = $1 AND row = $2),"
        " (SELECT count(*) FROM import_row WHERE import_id = $1 AND row > $2)",
        import_id,
        header_row,
    )
    cells, below = found.one()
    if cells is None:
        raise Invalid.at("/header_row", detail="an empty row, or none of the file")
    return [cell.strip() for cell in msgspec.json.decode(cells)], below


async def _is_fresh(session: Session, job: Import, limits: ImportLimits) -> bool:
    found = await run(
        session,
        "SELECT $1::timestamptz > clock_timestamp() - make_interval(hours => $2)",
        job.validated_at,
        limits.import_preview_hours,
    )
    return bool(found.scalar_one())


async def _save(session: Session, job: Import, name: str, columns: Sequence[Column], header: Sequence[str]) -> None:
    """Keep the mapping under a name; an older one of that name is replaced. Raises Invalid."""
    kept = msgspec.json.encode(remembered(columns, header)).decode()
    mine = new_id(), job.uploader, job.kind, name, fold(name)
    if not await run_counting(session, _SAVE, *mine, kept, MAX_SAVED):
        raise Invalid("too_many_items", (FieldError("/save_as", "too_many_items", f"at most {MAX_SAVED}"),))
