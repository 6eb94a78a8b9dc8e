"""Makes the preview of an import: every row judged against what this service knows, nothing written
to customers (M2–M8).

The sheet is read in small portions, so that requests served by the same process do not wait for it.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import msgspec

from services.imports.commands.reading import Claim, lock_claimed
from services.imports.domain.cells import ReadRow, read_row
from services.imports.domain.changes import changed_fields
from services.imports.domain.columns import written_columns
from services.imports.domain.job import Import
from services.imports.domain.preview import Judgement, Preview
from services.imports.queries.known import find_known
from shared.access import actor_of
from shared.database import Session, clock, run

PORTION_ROWS = 100
"""Rows worked on before others get their turn: a few milliseconds."""

_STORE = """
UPDATE import_row SET outcome = judged.outcome, customer_id = judged.customer_id, code = judged.code,
    "values" = judged.written::jsonb, old = judged.old::jsonb, errors = judged.errors::jsonb, current = '{}'
FROM unnest($2::int[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[])
     AS judged(row, outcome, customer_id, code, written, old, errors)
WHERE import_row.import_id = $1 AND import_row.row = judged.row
"""


async def validate_import(session: Session, claim: Claim) -> None:
    """Judge every row and store the preview. Raises InactiveEmployee when the uploader no longer works here."""
    job = await session.get(Import, claim.import_id)
    if job is None or job.mapping is None:
        return
    actor = await actor_of(session, job.on_behalf_of)
    rows = await _read_rows(session, job)
    preview = Preview(await find_known(session, actor, rows), job.chosen)
    judgements: list[Judgement] = []
    for start in range(0, len(rows), PORTION_ROWS):
        judgements += [preview.judge(row) for row in rows[start : start + PORTION_ROWS]]
        await asyncio.sleep(0)
    session.expire(job)
    job = await lock_claimed(session, claim)
    if job is None:
        return
    await _store(session, job, judgements)
    counts = Counter(judgement.outcome for judgement in judgements)
    changed = Counter(field for j in judgements if j.outcome == "update" for field in changed_fields(j.values, j.old))
    job.validated(counts, changed, await clock(session))


async def _read_rows(session: Session, job: Import) -> list[ReadRow]:
    assert job.mapping is not None
    columns = written_columns(job.mapping)
    found = await run(
        session,
        "SELECT row, cells::text FROM import_row WHERE import_id = $1 AND row > $2 ORDER BY row",
        job.id,
        job.mapping["header_row"],
    )
    rows: list[ReadRow] = []
    for number, cells in found:
        rows.append(read_row(number, msgspec.json.decode(cells, type=list[str]), columns))
        if len(rows) % PORTION_ROWS == 0:
            await asyncio.sleep(0)
    return rows


async def _store(session: Session, job: Import, judgements: Sequence[Judgement]) -> None:
    assert job.mapping is not None
    encode = msgspec.json.encode
    columns: list[list[object]] = [[], [], [], [], [], [], []]
    for judgement in judgements:
        errors = [problem._asdict() for problem in judgement.problems]
        for column, value in zip(
            columns,
            (
                judgement.row,
                judgement.outcome,
                judgement.customer_id,
                judgement.code,
                encode(judgement.values).decode(),
                encode(judgement.old).decode(),
                encode(errors).decode(),
            ),
            strict=True,
        ):
            column.append(value)
    await run(session, _STORE, job.id, *columns)
    await _clear_headings(session, job.id, job.mapping["header_row"])


async def _clear_headings(session: Session, import_id: UUID, header_row: int) -> None:
    """A row that is heading now may have been data in an earlier preview."""
    await run(
        session,
        "UPDATE import_row SET outcome = NULL, customer_id = NULL WHERE import_id = $1 AND row <= $2"
        " AND outcome IS NOT NULL",
        import_id,
        header_row,
    )
