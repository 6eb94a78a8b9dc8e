"""Confirmed rows on their way to `customers`: cut into chunks, sent, and sent again if no answer comes.

Which rows a chunk holds is stored by their numbers, so that the same chunk can be made again from the rows
themselves (M9); `customers` knows every row by import and number and answers a repeated one the same. A few chunks
are on their way at a time, each answer lets the next one go: memory does not grow with the file, and of several
imports none waits for another's end. Where all or nothing is asked for, a refused row keeps back what was not sent.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import msgspec

from services.imports.domain.changes import APPENDABLE
from services.imports.domain.job import CONTACTS, ROWS_REFUSED, SECTORS, WRITTEN, Import
from services.imports.domain.sectors import levels_of
from shared import outbox
from shared.contracts.events import CHUNK_BYTES, ROW_CHUNK
from shared.contracts.imports import ConfirmedRow, ImportRowsConfirmed, ImportUndoRequested, NewOption
from shared.database import Session, clock, run

MAX_SILENCE_SECONDS = 3_600.0
"""The longest wait before a chunk is sent again."""

CHUNKS_AT_ONCE = 3
"""Chunks of one import on their way: `customers` always has one to begin with while others are answered."""

CHUNKS_OF_ALL_AT_ONCE = 4
"""The same of all imports together; each has one at least. Whoever confirms now waits behind no more than these."""

FIRST_CHUNK_ROWS = 100
"""The first chunk of a file is small and goes alone: whoever watches sees outcomes at once, also while others import.
Contacts are too few for that: their outcomes come together."""

CUT_AT_ONCE = 10_000
"""Rows whose sizes are looked at together when chunks are cut."""

RESENT_AT_ONCE = 20
"""Chunks sent again in one transaction: 14 MB at most."""

ROW_OVERHEAD_BYTES = 250
"""What a row takes in an event beside its values: ids, names of keys, punctuation."""

_PENDING = """
SELECT row, action, customer_id, code, "values"::text AS written, old::text AS old, new_options::text AS new_options
FROM import_row
WHERE import_id = $1 AND outcome IN ('create', 'update') AND row = ANY($2::int[]) ORDER BY row
"""

_BYTES = f"""
octet_length("values"::text) + octet_length(old::text) + octet_length(new_options::text) + {ROW_OVERHEAD_BYTES} AS bytes
"""

_SIZES = f"""
SELECT row, {_BYTES}
FROM import_row WHERE import_id = $1 AND outcome = ANY($2::text[]) AND row > $3 ORDER BY row LIMIT {CUT_AT_ONCE}
"""

# The parent a sector will have: a row that overwrites says it only where it changes.
_SECTORS = f"""
SELECT row, import_row.code,
    CASE WHEN jsonb_exists("values", 'parent_code') THEN "values" ->> 'parent_code' ELSE parent.code END AS parent_code,
    {_BYTES}
FROM import_row
LEFT JOIN classification AS sector ON sector.kind = 'sector' AND sector.code = import_row.code
LEFT JOIN classification AS parent ON parent.id = sector.parent_id
WHERE import_id = $1 AND outcome = ANY($2::text[]) ORDER BY row
"""

_KEEP = """
INSERT INTO import_chunk (import_id, work, chunk, rows) VALUES ($1, $2, $3, $4)
"""

# Of a file nothing but the first until that one is answered.
_NEXT = """
UPDATE import_chunk SET sent_at = clock_timestamp(), sends = 1
WHERE import_id = $1 AND work = $2 AND chunk IN (
    SELECT chunk FROM import_chunk WHERE import_id = $1 AND work = $2 AND sent_at IS NULL ORDER BY chunk
    LIMIT (SELECT greatest(0, CASE WHEN bool_or(applied_at IS NOT NULL) THEN $3::int ELSE $4 END
                              - count(*) FILTER (WHERE sent_at IS NOT NULL AND applied_at IS NULL))
           FROM import_chunk WHERE import_id = $1 AND work = $2))
RETURNING chunk, rows
"""

# Without a chunk a row is never sent: whatever is answered to it later was not asked.
_CALL_OFF = """
WITH unsent AS (
    DELETE FROM import_chunk WHERE import_id = $1 AND work = 'apply' AND sent_at IS NULL RETURNING rows
)
UPDATE import_row SET outcome = 'skipped', reason = $2
WHERE import_id = $1 AND outcome IN ('create', 'update') AND row IN (SELECT unnest(rows) FROM unsent)
"""

_SILENT = """
UPDATE import_chunk SET sent_at = clock_timestamp(), sends = sends + 1
FROM (SELECT import_id, work, chunk FROM import_chunk
      JOIN import ON import.id = import_id AND (import.state, work) IN (('applying', 'apply'), ('undoing', 'undo'))
      WHERE applied_at IS NULL
        AND sent_at < clock_timestamp() - make_interval(secs => least($1 * 2 ^ (sends - 1), $2))
      ORDER BY import_id, chunk LIMIT $3 FOR UPDATE OF import_chunk SKIP LOCKED) AS silent
WHERE import_chunk.import_id = silent.import_id AND import_chunk.work = silent.work
  AND import_chunk.chunk = silent.chunk
RETURNING import_chunk.import_id, import_chunk.work, import_chunk.chunk, import_chunk.rows
"""


async def send_rows(session: Session, job: Import) -> None:
    """Send what was just confirmed; an import without anything to write is finished at once."""
    if job.counts.get("error"):
        await run(
            session, "UPDATE import_row SET outcome = 'skipped' WHERE import_id = $1 AND outcome = 'error'", job.id
        )
        counts = dict(job.counts)
        counts["skipped"] = counts.pop("error")
        job.counts = counts
    job.chunks = await _cut(session, job, "apply", ("create", "update"))
    if job.chunks:
        await send_next(session, job, "apply")
    else:
        job.progressed(job.counts, True, await clock(session))


async def send_undo(session: Session, job: Import) -> None:
    """Ask for the written rows to be taken back; where nothing was written the undo is done at once."""
    if await _cut(session, job, "undo", sorted(WRITTEN)):
        await send_next(session, job, "undo")
    else:
        job.taken_back(job.counts, True, await clock(session))


async def send_next(session: Session, job: Import, work: str) -> None:
    """Send as many chunks as may be on their way beside those that are. The import is locked."""
    # A parent is there before its children go: a chunk that is lost and sent again would come behind them (G6).
    at_once = 1 if job.kind == SECTORS else await _fair_share(session)
    at_first = at_once if job.kind == CONTACTS else 1
    going = await run(session, _NEXT, job.id, work, at_once, at_first)
    for row in sorted(going, key=lambda row: row.chunk):
        await _send(session, job, work, row.chunk, row.rows)


async def _fair_share(session: Session) -> int:
    """Chunks of one import that may be on their way beside those of others."""
    applying = (await run(session, "SELECT count(*) FROM import WHERE state = 'applying'")).scalar_one()
    return max(1, min(CHUNKS_AT_ONCE, CHUNKS_OF_ALL_AT_ONCE // max(1, applying)))


async def call_off(session: Session, job: Import) -> None:
    """Skip the rows that were not sent yet; those on their way are still answered. The import is locked."""
    await run(session, _CALL_OFF, job.id, ROWS_REFUSED)


async def resend_silent_chunks(session: Session, silence_seconds: float) -> int:
    """Send chunks again that got no answer for so long, twice as long after each time; answers how many."""
    silent = (await run(session, _SILENT, float(silence_seconds), MAX_SILENCE_SECONDS, RESENT_AT_ONCE)).all()
    for import_id, work, chunk, numbers in silent:
        await _send(session, await session.get_one(Import, import_id), work, chunk, numbers)
    return len(silent)


async def _send(session: Session, job: Import, work: str, chunk: int, numbers: Sequence[int]) -> None:
    if work == "undo":
        count = "SELECT count(*) FROM import_chunk WHERE import_id = $1 AND work = 'undo'"
        chunks = (await run(session, count, job.id)).scalar_one()
        outbox.add(session, _undo_event(job, chunk, chunks, numbers))
    else:
        outbox.add(session, _event(job, chunk, (await run(session, _PENDING, job.id, list(numbers))).all()))


async def _cut(session: Session, job: Import, work: str, outcomes: Sequence[str]) -> int:
    """Put the rows with these outcomes into chunks of at most 500 rows and 700 KB; answers how many."""
    chunks, held, size = 0, list[int](), 0
    async for row, row_bytes in (_parents_first if job.kind == SECTORS else _sizes)(session, job.id, outcomes):
        most = ROW_CHUNK if chunks or job.kind == CONTACTS else FIRST_CHUNK_ROWS
        if held and (len(held) == most or size + row_bytes > CHUNK_BYTES):
            await run(session, _KEEP, job.id, work, chunks, held)
            chunks, held, size = chunks + 1, [], 0
        held.append(row)
        size += row_bytes
    if held:
        await run(session, _KEEP, job.id, work, chunks, held)
        chunks += 1
    return chunks


async def _sizes(session: Session, import_id: UUID, outcomes: Sequence[str]) -> AsyncIterator[tuple[int, int]]:
    """The rows with these outcomes and what each takes in an event, in the file's order."""
    last = 0
    while some := (await run(session, _SIZES, import_id, list(outcomes), last)).all():
        for row, row_bytes in some:
            yield row, row_bytes
        last = some[-1].row


async def _parents_first(session: Session, import_id: UUID, outcomes: Sequence[str]) -> AsyncIterator[tuple[int, int]]:
    """The same of sectors, level by level: chunks are applied in their order, and a parent must be there (G6)."""
    rows = (await run(session, _SECTORS, import_id, list(outcomes))).all()
    levels = levels_of([(row.code, row.parent_code) for row in rows])
    for _, row in sorted(zip(levels, rows, strict=True), key=lambda one: (one[0], one[1].row)):
        yield row.row, row.bytes


def _event(job: Import, chunk: int, rows: Sequence[Any]) -> ImportRowsConfirmed:
    options = job.chosen
    assert job.confirmed_at is not None
    return ImportRowsConfirmed(
        import_id=job.id,
        kind=job.kind,  # pyright: ignore[reportArgumentType]  # pydantic checks the words
        chunk=chunk,
        chunks=job.chunks,
        actor=job.on_behalf_of,
        confirmed_at=job.confirmed_at,
        file_name=job.file_name,
        options=options.model_dump(mode="json"),
        rows=tuple(_confirmed(row, options.append_multi_select) for row in rows),
    )


def _undo_event(job: Import, chunk: int, chunks: int, rows: Sequence[int]) -> ImportUndoRequested:
    return ImportUndoRequested(import_id=job.id, chunk=chunk, chunks=chunks, actor=job.on_behalf_of, rows=tuple(rows))


def _confirmed(row: Any, adds: bool) -> ConfirmedRow:
    written = msgspec.json.decode(row.written)
    manager_id = written.get("manager_id")
    if manager_id is not None:
        del written["manager_id"]  # a transfer has its own place; null among the values takes a manager away
    append = tuple(name for name in written if name in APPENDABLE) if adds and row.action == "update" else ()
    return ConfirmedRow(
        row=row.row,
        action=row.action,
        customer_id=row.customer_id,
        code=row.code,
        values=written,
        old=msgspec.json.decode(row.old),
        append=append,
        employee_id=UUID(manager_id) if manager_id is not None else None,
        new_options=tuple(NewOption(**option) for option in msgspec.json.decode(row.new_options)),
    )
