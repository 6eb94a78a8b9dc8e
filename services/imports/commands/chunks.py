"""Confirmed rows on their way to `customers`: cut into chunks, sent, and sent again if no answer comes.

Which rows a chunk holds is stored by their numbers, so that the same chunk can be made again from the rows
themselves (M9); `customers` knows every row by import and number and answers a repeated one the same.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from services.imports.domain.changes import APPENDABLE
from services.imports.domain.job import Import
from shared import outbox
from shared.contracts.events import CHUNK_BYTES, ROW_CHUNK
from shared.contracts.imports import ConfirmedRow, ImportRowsConfirmed, ImportUndoRequested, NewOption
from shared.copies import array_text
from shared.database import Session, clock, run

MAX_SILENCE_SECONDS = 3_600.0
"""The longest wait before a chunk is sent again."""

RESENT_AT_ONCE = 20
"""Chunks sent again in one transaction: 14 MB at most."""

ROW_OVERHEAD_BYTES = 250
"""What a row takes in an event beside its values: ids, names of keys, punctuation."""

_PENDING = """
SELECT row, action, customer_id, code, "values"::text AS written, old::text AS old, new_options::text AS new_options
FROM import_row
WHERE import_id = $1 AND outcome IN ('create', 'update') AND ($2::int[] IS NULL OR row = ANY($2::int[])) ORDER BY row
"""

_KEEP = """
INSERT INTO import_chunk (import_id, work, chunk, rows, sent_at)
SELECT $1, $2, chunk, rows::int[], $5 FROM unnest($3::int[], $4::text[]) AS cut(chunk, rows)
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
    chunks = list(_cut(in_sending_order(job, await _pending_rows(session, job.id, None))))
    job.chunks = len(chunks)
    at = await clock(session)
    if not chunks:
        job.progressed(job.counts, True, at)
        return
    await _keep(session, job, "apply", [[row[0] for row in chunk] for chunk in chunks], at)
    outbox.add(session, (_event(job, number, chunk) for number, chunk in enumerate(chunks)))


async def send_undo(session: Session, job: Import) -> None:
    """Ask for the written rows to be taken back; where nothing was written the undo is done at once."""
    found = await run(
        session,
        "SELECT row FROM import_row WHERE import_id = $1 AND outcome IN ('created', 'updated') ORDER BY row",
        job.id,
    )
    rows, at = list(found.scalars()), await clock(session)
    if not rows:
        job.taken_back(job.counts, True, at)
        return
    chunks = [rows[start : start + ROW_CHUNK] for start in range(0, len(rows), ROW_CHUNK)]
    await _keep(session, job, "undo", chunks, at)
    outbox.add(session, (_undo_event(job, number, len(chunks), chunk) for number, chunk in enumerate(chunks)))


async def resend_silent_chunks(session: Session, silence_seconds: float) -> int:
    """Send chunks again that got no answer for so long, twice as long after each time; answers how many."""
    silent = (await run(session, _SILENT, float(silence_seconds), MAX_SILENCE_SECONDS, RESENT_AT_ONCE)).all()
    for import_id, work, chunk, numbers in silent:
        job = await session.get_one(Import, import_id)
        if work == "undo":
            chunks = await run(
                session, "SELECT count(*) FROM import_chunk WHERE import_id = $1 AND work = 'undo'", import_id
            )
            outbox.add(session, _undo_event(job, chunk, chunks.scalar_one(), numbers))
        else:
            rows = in_sending_order(job, await _pending_rows(session, import_id, numbers))
            outbox.add(session, _event(job, chunk, rows))
    return len(silent)


def in_sending_order(job: Import, rows: Sequence[Any]) -> Sequence[Any]:
    """Rows in the file's order; sectors with parents before their children, wherever they stand (G6)."""
    return rows


async def _keep(session: Session, job: Import, work: str, chunks: Sequence[Sequence[int]], at: datetime) -> None:
    await run(session, _KEEP, job.id, work, list(range(len(chunks))), [array_text(rows) for rows in chunks], at)


async def _pending_rows(session: Session, import_id: UUID, numbers: Sequence[int] | None) -> Sequence[Any]:
    return (await run(session, _PENDING, import_id, numbers)).all()


def _cut(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Chunks of at most 500 rows and 700 KB."""
    start, size = 0, 0
    for index, row in enumerate(rows):
        row_size = len(row.written.encode()) + len(row.old.encode()) + ROW_OVERHEAD_BYTES
        row_size += len(row.new_options.encode())
        if index > start and (index - start == ROW_CHUNK or size + row_size > CHUNK_BYTES):
            yield rows[start:index]
            start, size = index, 0
        size += row_size
    if rows:
        yield rows[start:]


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
