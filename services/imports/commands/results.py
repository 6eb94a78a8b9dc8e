"""Takes in what became of confirmed rows; the last answer finishes the import (M2, M9).

Idempotent by import and chunk: a repeated or late answer changes nothing. An answer to something this
service never asked is passed over.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import select

from services.imports.commands.chunks import send_next
from services.imports.commands.synced import keep_synced
from services.imports.domain.fields import file_name
from services.imports.domain.job import CONTACTS, WRITTEN, Import
from shared import telemetry
from shared.contracts.imports import AppliedRow, ImportRowsApplied, ImportUndoApplied
from shared.copies import array_text
from shared.database import Session, clock, run

log = telemetry.logger("imports")

_MARK = """
UPDATE import_chunk SET applied_at = clock_timestamp()
FROM unnest($1::uuid[], $2::int[]) AS answer(import_id, chunk)
WHERE import_chunk.import_id = answer.import_id AND import_chunk.chunk = answer.chunk AND applied_at IS NULL
  AND work = $3 AND sent_at IS NOT NULL
RETURNING import_chunk.import_id, import_chunk.chunk
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
    """Store the outcomes of a batch of chunks and move their imports on."""
    jobs, news = await _news(session, answers, "applying", "apply")
    moved = await _store(session, _STORE, [_answer_row(answer, row) for answer in news for row in answer.rows])
    await keep_synced(session, [job.id for job in jobs if job.kind == CONTACTS])
    for job in jobs:
        complete = await _is_complete(session, job, "apply")
        if complete:
            await run(session, _FAIL_UNANSWERED, job.id, "apply", "failed", ["create", "update"])
        else:
            await send_next(session, job, "apply")
        counts = await count_outcomes(session, job.id) if complete else moved(job)
        job.progressed(counts, complete, await clock(session))


async def apply_undo_results(session: Session, answers: Sequence[ImportUndoApplied]) -> None:
    """Store what became of rows that were to be taken back (M10)."""
    jobs, news = await _news(session, answers, "undoing", "undo")
    rows = [
        (
            answer.import_id,
            answer.chunk,
            row.row,
            row.outcome,
            row.reason,
            array_text(sorted({file_name(name) or name for name in row.kept_fields})),
        )
        for answer in news
        for row in answer.rows
    ]
    moved = await _store(session, _STORE_UNDO, rows)
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
    """Store outcomes; answers how to know an import's counts after it."""
    found = (await run(session, statement, *map(list, zip(*rows, strict=True)))).all() if rows else []

    def moved(job: Import) -> dict[str, int]:
        counts = Counter(job.counts)
        for import_id, was, now, count in found:
            if import_id == job.id:
                counts[was] -= count
                counts[now] += count
        return {outcome: count for outcome, count in counts.items() if count > 0}

    return moved


async def count_outcomes(session: Session, import_id: UUID) -> dict[str, int]:
    """How many rows have each outcome now."""
    return msgspec.json.decode((await run(session, _COUNTS, import_id)).scalar_one())


async def _news(
    session: Session, answers: Sequence[Answer], state: str, work: str
) -> tuple[list[Import], list[Answer]]:
    """The imports that wait for such answers, locked, and the answers not seen before."""
    first = {(answer.import_id, answer.chunk): answer for answer in reversed(answers)}
    ids = sorted({import_id for import_id, _ in first})
    statement = select(Import).where(Import.id.in_(ids)).order_by(Import.id).with_for_update()
    jobs = {job.id: job for job in await session.scalars(statement) if job.state == state}
    asked = [key for key in first if key[0] in jobs]
    marked = await run(session, _MARK, [key[0] for key in asked], [key[1] for key in asked], work)
    news = [first[(import_id, chunk)] for import_id, chunk in marked]
    if len(news) < len(first):
        log.info("answers passed over", known_or_unasked=len(first) - len(news))
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
