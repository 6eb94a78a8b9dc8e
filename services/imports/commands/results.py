"""Takes in what became of confirmed rows; the last answer finishes the import (M2, M9) or begins to take it back (M10).

Idempotent by import, chunk and row: a repeated or late answer changes nothing. A chunk is answered when no row of
its answer waits any more, in however many records they come. An answer to something this service never asked is
passed over. Of an import of all or nothing the first refused row calls off what was not sent; the undo begins with the
last answer, in its transaction: what is still on its way may be written, and an undo would not find it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import select

from services.imports.commands.blanking import blank_refused_rows, blank_rows, erased_among
from services.imports.commands.chunks import call_off, send_next, send_undo
from services.imports.commands.synced import keep_synced
from services.imports.domain.fields import file_name
from services.imports.domain.job import CONTACTS, ROWS_REFUSED, WRITTEN, Import
from shared import telemetry
from shared.contracts.imports import AppliedRow, ImportRowsApplied, ImportUndoApplied
from shared.copies import array_text
from shared.database import Session, clock, run

log = telemetry.logger("imports")

_WAITING = """
SELECT import_chunk.import_id, import_chunk.chunk
FROM unnest($1::uuid[], $2::int[]) AS answer(import_id, chunk) JOIN import_chunk USING (import_id, chunk)
WHERE work = $3 AND applied_at IS NULL AND sent_at IS NOT NULL
"""

_MARK = """
UPDATE import_chunk SET applied_at = clock_timestamp()
FROM unnest($1::uuid[], $2::int[], $3::text[]) AS answer(import_id, chunk, elsewhere)
WHERE import_chunk.import_id = answer.import_id AND import_chunk.chunk = answer.chunk AND applied_at IS NULL
  AND work = $4 AND NOT EXISTS (
      SELECT FROM import_row WHERE import_row.import_id = answer.import_id
      AND row = ANY(answer.elsewhere::int[]) AND outcome IN ('create', 'update'))
"""

# Only rows of the answered chunk that still wait: nobody can rewrite another row's outcome. What moves is summed up
# here: counting all rows of a large file anew at each of its answers would take longer than writing them.
_STORE = """
WITH stored AS (
UPDATE import_row SET outcome = answer.outcome, customer_id = coalesce(answer.customer_id, import_row.customer_id),
    code = coalesce(answer.code, import_row.code), errors = answer.errors::jsonb, current = answer.current::jsonb
FROM unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[])
         AS answer(import_id, chunk, row, outcome, customer_id, code, errors, current)
     JOIN import_chunk ON import_chunk.import_id = answer.import_id AND import_chunk.chunk = answer.chunk
                      AND work = 'apply' AND answer.row = ANY(import_chunk.rows)
WHERE import_row.import_id = answer.import_id AND import_row.row = answer.row
  AND import_row.outcome IN ('create', 'update')
RETURNING import_row.import_id, old.outcome AS was, new.outcome AS now
) SELECT import_id, was, now, count(*) FROM stored GROUP BY import_id, was, now
"""

_STORE_UNDO = """
WITH stored AS (
UPDATE import_row SET outcome = answer.outcome, reason = answer.reason, kept_fields = answer.kept::text[]
FROM unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::text[], $6::text[])
         AS answer(import_id, chunk, row, outcome, reason, kept)
     JOIN import_chunk ON import_chunk.import_id = answer.import_id AND import_chunk.chunk = answer.chunk
                      AND work = 'undo' AND answer.row = ANY(import_chunk.rows)
WHERE import_row.import_id = answer.import_id AND import_row.row = answer.row
  AND import_row.outcome IN ('created', 'updated')
RETURNING import_row.import_id, old.outcome AS was, new.outcome AS now
) SELECT import_id, was, now, count(*) FROM stored GROUP BY import_id, was, now
"""

_FAIL_UNANSWERED = """
UPDATE import_row SET outcome = $3 FROM import_chunk
WHERE import_chunk.import_id = $1 AND import_chunk.work = $2 AND import_chunk.applied_at IS NOT NULL
  AND import_row.import_id = $1 AND import_row.row = ANY(import_chunk.rows)
  AND import_row.outcome = ANY($4::text[])
"""

_COUNTS = """
SELECT coalesce(jsonb_object_agg(outcome, n), '{}')::text
FROM (SELECT outcome, count(*) AS n FROM import_row WHERE import_id = $1 AND outcome IS NOT NULL GROUP BY outcome) AS c
"""


class _OfChunk(Protocol):
    """An answer to one chunk of an import."""

    @property
    def import_id(self) -> UUID: ...

    @property
    def chunk(self) -> int: ...


Answer = TypeVar("Answer", bound=_OfChunk)


async def apply_results(session: Session, answers: Sequence[ImportRowsApplied]) -> None:
    """Store the outcomes of a batch of chunks and move their imports on, or back where all or nothing is spoiled."""
    jobs, news = await _news(session, answers, "applying", "apply")
    moved = await _store(session, _STORE, [_answer_row(answer, row) for answer in news for row in answer.rows])
    await _mark(session, [(answer.import_id, answer.chunk, answer.elsewhere) for answer in news], "apply")
    await _blank_erased(session, news)
    await keep_synced(session, [job.id for job in jobs if job.kind == CONTACTS])
    for job in jobs:
        counts = moved(job)
        spoiled = job.spoil(counts)
        if spoiled:
            await call_off(session, job)
        complete = await _is_complete(session, job, "apply")
        if complete:
            await run(session, _FAIL_UNANSWERED, job.id, "apply", "failed", ["create", "update"])
        else:
            await send_next(session, job, "apply")
        if spoiled or complete:
            counts = await count_outcomes(session, job.id)
        job.progressed(counts, complete, await clock(session))
        if job.state == "undoing":
            await send_undo(session, job)
    await blank_refused_rows(session)


async def _blank_erased(session: Session, answers: Sequence[ImportRowsApplied]) -> None:
    """A row that made somebody who is erased by now could not be found by the erasure: its answer tells whom (C8)."""
    told = {row.customer_id for answer in answers for row in answer.rows if row.customer_id is not None}
    if erased := await erased_among(session, told):
        await blank_rows(session, erased)


async def apply_undo_results(session: Session, answers: Sequence[ImportUndoApplied]) -> None:
    """Store what became of rows that were to be taken back (M10)."""
    jobs, news = await _news(session, answers, "undoing", "undo")
    spoiled = {job.id for job in jobs if job.spoiled}
    rows = [
        (
            answer.import_id,
            answer.chunk,
            row.row,
            row.outcome,
            ROWS_REFUSED if row.outcome == "undone" and answer.import_id in spoiled else row.reason,
            array_text(sorted({file_name(name) or name for name in row.kept_fields})),
        )
        for answer in news
        for row in answer.rows
    ]
    moved = await _store(session, _STORE_UNDO, rows)
    await _mark(session, [(answer.import_id, answer.chunk, ()) for answer in news], "undo")
    for job in jobs:
        complete = await _is_complete(session, job, "undo")
        if complete:
            await run(session, _FAIL_UNANSWERED, job.id, "undo", "undo_failed", sorted(WRITTEN))
        else:
            await send_next(session, job, "undo")
        counts = await count_outcomes(session, job.id) if complete else moved(job)
        job.taken_back(counts, complete, await clock(session))


async def _store(
    session: Session, statement: str, rows: Sequence[tuple[object, ...]]
) -> Callable[[Import], dict[str, int]]:
    """Store outcomes, of each row the first; answers how to know an import's counts after it."""
    first = {row[:3]: row for row in reversed(rows)}
    found = (await run(session, statement, *map(list, zip(*first.values(), strict=True)))).all() if rows else []

    def moved(job: Import) -> dict[str, int]:
        counts = Counter(job.counts)
        for import_id, was, now, count in found:
            if import_id == job.id:
                counts[was] -= count
                counts[now] += count
        return {outcome: count for outcome, count in counts.items() if count > 0}

    return moved


async def _mark(session: Session, answered: Sequence[tuple[UUID, int, Sequence[int]]], work: str) -> None:
    """Chunks are answered whose rows are: those of the given answers by now, those elsewhere perhaps before."""
    if answered:
        ids, chunks, elsewhere = zip(*answered, strict=True)
        await run(session, _MARK, list(ids), list(chunks), [array_text(rows) for rows in elsewhere], work)


async def count_outcomes(session: Session, import_id: UUID) -> dict[str, int]:
    """How many rows have each outcome now."""
    return msgspec.json.decode((await run(session, _COUNTS, import_id)).scalar_one())


async def _news(
    session: Session, answers: Sequence[Answer], state: str, work: str
) -> tuple[list[Import], list[Answer]]:
    """The imports that wait for such answers, locked, and the answers to chunks that still wait for them."""
    ids = sorted({answer.import_id for answer in answers})
    statement = select(Import).where(Import.id.in_(ids)).order_by(Import.id).with_for_update()
    jobs = {job.id: job for job in await session.scalars(statement) if job.state == state}
    asked = [answer for answer in answers if answer.import_id in jobs]
    places = [answer.import_id for answer in asked], [answer.chunk for answer in asked]
    waiting = {(row.import_id, row.chunk) for row in await run(session, _WAITING, *places, work)}
    news = [answer for answer in asked if (answer.import_id, answer.chunk) in waiting]
    if len(news) < len(answers):
        log.info("answers passed over", known_or_unasked=len(answers) - len(news))
    return [jobs[import_id] for import_id in sorted({answer.import_id for answer in news})], news


def _answer_row(answer: ImportRowsApplied, row: AppliedRow) -> tuple[object, ...]:
    errors = [{"field": file_name(error.field), "code": error.code} for error in row.errors]
    return (
        answer.import_id,
        answer.chunk,
        row.row,
        row.outcome,
        row.customer_id,
        row.code,
        msgspec.json.encode(errors).decode(),
        msgspec.json.encode(row.current).decode(),
    )


async def _is_complete(session: Session, job: Import, work: str) -> bool:
    waiting = await run(
        session,
        "SELECT count(*) FROM import_chunk WHERE import_id = $1 AND work = $2 AND applied_at IS NULL",
        job.id,
        work,
    )
    return waiting.scalar_one() == 0
