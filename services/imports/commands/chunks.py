"""Confirmed rows on their way to `customers`: cut into chunks, sent, and sent again if no answer comes.

Which rows a chunk holds is stored as a range, so that the same chunk can be made again from the rows
themselves (M9); `customers` knows every row by import and number and answers a repeated one the same.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec

from services.imports.domain.changes import APPENDABLE
from services.imports.domain.job import Import
from shared import outbox
from shared.contracts.events import CHUNK_BYTES, ROW_CHUNK
from shared.contracts.imports import ConfirmedRow, ImportRowsConfirmed
from shared.database import Session, clock, run

MAX_SILENCE_SECONDS = 3_600.0
"""The longest wait before a chunk is sent again."""

RESENT_AT_ONCE = 20
"""Chunks sent again in one transaction: 14 MB at most."""

ROW_OVERHEAD_BYTES = 250
"""What a row takes in an event beside its values: ids, names of keys, punctuation."""

_PENDING = """
SELECT row, outcome, customer_id, code, "values"::text, old::text FROM import_row
WHERE import_id = $1 AND outcome IN ('create', 'update') AND row BETWEEN $2 AND $3 ORDER BY row
"""

_SILENT = """
UPDATE import_chunk SET sent_at = clock_timestamp(), sends = sends + 1
FROM (SELECT import_id, chunk FROM import_chunk JOIN import ON import.id = import_id AND import.state = 'applying'
      WHERE applied_at IS NULL
        AND sent_at < clock_timestamp() - make_interval(secs => least($1 * 2 ^ (sends - 1), $2))
      ORDER BY import_id, chunk LIMIT $3 FOR UPDATE OF import_chunk SKIP LOCKED) AS silent
WHERE import_chunk.import_id = silent.import_id AND import_chunk.chunk = silent.chunk
RETURNING import_chunk.import_id, import_chunk.chunk, first_row, last_row
"""

_LAST_ROW = 2**31 - 1


async def send_rows(session: Session, job: Import) -> None:
    """Send what was just confirmed; an import without anything to write is finished at once."""
    if job.counts.get("error"):
        await run(
            session, "UPDATE import_row SET outcome = 'skipped' WHERE import_id = $1 AND outcome = 'error'", job.id
        )
        counts = dict(job.counts)
        counts["skipped"] = counts.pop("error")
        job.counts = counts
    rows = await _pending_rows(session, job.id, 0, _LAST_ROW)
    chunks = list(_cut(rows))
    job.chunks = len(chunks)
    at = await clock(session)
    if not chunks:
        job.progressed(job.counts, True, at)
        return
    await run(
        session,
        "INSERT INTO import_chunk (import_id, chunk, first_row, last_row, sent_at)"
        " SELECT $1, chunk, first_row, last_row, $5"
        " FROM unnest($2::int[], $3::int[], $4::int[]) AS cut(chunk, first_row, last_row)",
        job.id,
        list(range(len(chunks))),
        [chunk[0][0] for chunk in chunks],
        [chunk[-1][0] for chunk in chunks],
        at,
    )
    outbox.add(session, (_event(job, number, chunk) for number, chunk in enumerate(chunks)))


async def resend_silent_chunks(session: Session, silence_seconds: float) -> int:
    """Send chunks again that got no answer for so long, twice as long after each time; answers how many."""
    silent = (await run(session, _SILENT, float(silence_seconds), MAX_SILENCE_SECONDS, RESENT_AT_ONCE)).all()
    for import_id, chunk, first_row, last_row in silent:
        job = await session.get_one(Import, import_id)
        outbox.add(session, _event(job, chunk, await _pending_rows(session, import_id, first_row, last_row)))
    return len(silent)


async def _pending_rows(session: Session, import_id: UUID, first_row: int, last_row: int) -> Sequence[Any]:
    return (await run(session, _PENDING, import_id, first_row, last_row)).all()


def _cut(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Chunks of at most 500 rows and 700 KB."""
    start, size = 0, 0
    for index, row in enumerate(rows):
        row_size = len(row[4].encode()) + len(row[5].encode()) + ROW_OVERHEAD_BYTES
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
        kind="customers",
        chunk=chunk,
        chunks=job.chunks,
        actor=job.on_behalf_of,
        confirmed_at=job.confirmed_at,
        file_name=job.file_name,
        options=options.model_dump(mode="json"),
        rows=tuple(_confirmed(*row, adds=options.append_multi_select) for row in rows),
    )


def _confirmed(
    number: int, action: Any, customer_id: UUID | None, code: str | None, values: str, old: str, *, adds: bool
) -> ConfirmedRow:
    written = msgspec.json.decode(values)
    manager_id = written.get("manager_id")
    if manager_id is not None:
        del written["manager_id"]  # a transfer has its own place; null among the values takes a manager away
    append = tuple(name for name in written if name in APPENDABLE) if adds and action == "update" else ()
    return ConfirmedRow(
        row=number,
        action=action,
        customer_id=customer_id,
        code=code,
        values=written,
        old=msgspec.json.decode(old),
        append=append,
        employee_id=UUID(manager_id) if manager_id is not None else None,
    )
