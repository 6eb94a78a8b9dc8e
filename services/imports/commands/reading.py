"""What the worker does to an import: takes it, stores the rows it has read or why there are none.

A claim is a lease: whoever holds it works outside a transaction, and its result counts only if nobody
else has taken or changed the import since. A worker that dies is followed by another one when its
lease ends; work that kills its worker again and again ends `failed`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec
from sqlalchemy import select

from services.imports.commands.imports import forget_content
from services.imports.commands.preparation import header_warnings
from services.imports.domain.columns import Column, chosen_warnings, learned, mapping_value, recognised
from services.imports.domain.fields import catalogue_of
from services.imports.domain.job import Import
from services.imports.domain.saved_mapping import SavedMapping
from services.imports.spreadsheets.annotations import is_annotation
from services.imports.spreadsheets.header import SEARCHED_ROWS, propose_mapping
from services.imports.spreadsheets.table import Row, Table
from shared.database import Session, clock, run

_CLAIM = """
UPDATE import SET leased_until = clock_timestamp() + make_interval(secs => $1), attempts = attempts + 1
WHERE id = (SELECT id FROM import
            WHERE state IN ('parsing', 'validating')
              AND (leased_until IS NULL OR leased_until < clock_timestamp())
            ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, state, version, attempts
"""

_STORE_ROWS = """
INSERT INTO import_row (import_id, row, cells)
SELECT $1, row, cells::jsonb FROM unnest($2::int[], $3::text[]) AS sheet(row, cells)
"""
_FIRST_ROWS = "SELECT row, cells::text FROM import_row WHERE import_id = $1 ORDER BY row LIMIT $2"
_COUNT_BELOW = "SELECT count(*) FROM import_row WHERE import_id = $1 AND row > $2"

EARLIER_MAPPINGS = 20
"""The latest imports of an uploader from whose mappings is learned."""

_EARLIER_MAPPINGS = """
SELECT header::text AS header, mapping::text AS mapping FROM import
WHERE uploader = $1 AND kind = $2 AND mapping IS NOT NULL AND header IS NOT NULL
  AND state NOT IN ('parsing', 'awaiting_mapping') ORDER BY id DESC LIMIT $3
"""


@dataclass(frozen=True)
class Claim:
    """An import that one worker has to itself for a while, as it was when taken."""

    import_id: UUID
    state: str
    version: int
    attempts: int


@dataclass(frozen=True)
class StoredFile:
    """An uploaded file as it waits to be read."""

    name: str
    content: bytes


async def claim_work(session: Session, lease_seconds: float) -> Claim | None:
    """Take the oldest import that waits to be read or validated; None when there is none."""
    row = (await run(session, _CLAIM, float(lease_seconds))).one_or_none()
    return Claim(*row) if row is not None else None


async def lock_claimed(session: Session, claim: Claim) -> Import | None:
    """The claimed import, locked; None when it was cancelled or taken over meanwhile."""
    job = (await session.scalars(select(Import).where(Import.id == claim.import_id).with_for_update())).one_or_none()
    if job is None or (job.state, job.version, job.attempts) != (claim.state, claim.version, claim.attempts):
        return None
    return job


async def extend_lease(session: Session, claim: Claim, lease_seconds: float) -> None:
    """Keep an import that is worked on in steps: each step has the whole lease."""
    await run(
        session,
        "UPDATE import SET leased_until = clock_timestamp() + make_interval(secs => $2) WHERE id = $1",
        claim.import_id,
        float(lease_seconds),
    )


async def load_file(session: Session, import_id: UUID) -> StoredFile | None:
    """The uploaded file, if it is still there."""
    found = await run(
        session, "SELECT file_name, content FROM import JOIN import_file ON import_id = id WHERE id = $1", import_id
    )
    row = found.one_or_none()
    return StoredFile(row.file_name, row.content) if row is not None else None


async def begin_rows(session: Session, claim: Claim) -> None:
    """Forget what an attempt that broke down has left."""
    if await lock_claimed(session, claim) is not None:
        await run(session, "DELETE FROM import_row WHERE import_id = $1", claim.import_id)


async def store_rows(session: Session, claim: Claim, rows: Sequence[Row], lease_seconds: float) -> bool:
    """Keep the next rows of a file; False when the import is no longer the claim's."""
    if await lock_claimed(session, claim) is None:
        return False
    await run(
        session,
        _STORE_ROWS,
        claim.import_id,
        [row.number for row in rows],
        [msgspec.json.encode(row.cells).decode() for row in rows],
    )
    await extend_lease(session, claim, lease_seconds)
    return True


async def complete_rows(session: Session, claim: Claim) -> None:
    """Propose what the columns are (M2); the file itself is no longer needed."""
    job = await lock_claimed(session, claim)
    if job is None:
        return
    first = await run(session, _FIRST_ROWS, job.id, SEARCHED_ROWS)
    table = Table([Row(row, msgspec.json.decode(cells, type=list[str])) for row, cells in first])
    proposal = propose_mapping(table, catalogue_of(job.kind))
    header = [column.header for column in proposal.columns]
    proposed = [Column(c.index, c.field) for c in proposal.columns]
    columns = await _known_columns(session, job, header, proposed)
    warnings = chosen_warnings(header_warnings(proposal.header_row, header, job.kind), columns, header, job.kind)
    await run(session, "DELETE FROM import_file WHERE import_id = $1", job.id)
    total = (await run(session, _COUNT_BELOW, job.id, proposal.header_row)).scalar_one()
    job.parsed(header, mapping_value(proposal.header_row, columns), warnings, total)


async def store_failure(session: Session, claim: Claim, code: str, detail: str) -> None:
    """Close an import whose file or work is no use, and forget the file."""
    job = await lock_claimed(session, claim)
    if job is not None:
        job.fail(code, detail, await clock(session))
        await forget_content(session, [job.id])


async def give_back(session: Session, claim: Claim, pause_seconds: float) -> None:
    """Let the import be taken again after a pause: this attempt broke down."""
    job = await lock_claimed(session, claim)
    if job is not None:
        await run(
            session,
            "UPDATE import SET leased_until = clock_timestamp() + make_interval(secs => $2) WHERE id = $1",
            job.id,
            float(pause_seconds),
        )


async def _known_columns(session: Session, job: Import, header: list[str], proposed: list[Column]) -> list[Column]:
    """The columns as the uploader has mapped such headings before: a saved mapping of exactly these, else
    heading by heading as in their latest imports, where the catalogue knows nothing.
    """
    statement = select(SavedMapping).where(SavedMapping.owner == job.uploader, SavedMapping.kind == job.kind)
    for saved in await session.scalars(statement.order_by(SavedMapping.id.desc())):
        if (columns := recognised(saved.columns, header)) is not None:
            return columns
    found = await run(session, _EARLIER_MAPPINGS, job.uploader, job.kind, EARLIER_MAPPINGS)
    decode = msgspec.json.decode
    own = ["" if is_annotation(heading) else heading for heading in header]
    return learned(proposed, own, [(decode(row.header), decode(row.mapping)["columns"]) for row in found])
