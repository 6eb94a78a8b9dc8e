"""Makes the preview of an import: every row that waits is judged against what this service knows, and
nothing is written to customers (M2–M8).

Rows are judged in portions, in the file's order, each portion committed by itself: memory is bounded,
a crash costs one portion. Which rows wait is marked on them, so that fixing a few cells judges these
rows again, and those that share an id, code or phone with them, and no others.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from services.imports.domain.cells import ReadRow, read_row
from services.imports.domain.changes import changed_fields
from services.imports.domain.columns import written_columns
from services.imports.domain.fields import file_name
from services.imports.domain.job import SECTORS, Import
from services.imports.domain.preview import Judgement, Preview, customer_key, file_keys
from services.imports.domain.sectors import SectorPreview
from services.imports.queries.known import find_known, find_sectors
from services.imports.spreadsheets.annotations import told_customers
from shared import outbox
from shared.contracts.imports import ImportPhonesRevealed, RevealedPhone
from shared.copies import array_text
from shared.database import Session, run, settings_of
from shared.identity import Actor
from shared.revealing import keep_told, open_reveals
from shared.reveals import Reveals, no_limit

PORTION_ROWS = 2_000
"""Rows judged in one transaction: some megabytes, about half a second."""

TURN_ROWS = 100
"""Rows worked on before requests of the same process get their turn: a few milliseconds."""

_WAITING = """
SELECT row, cells::text, employee_id, keys FROM import_row
WHERE import_id = $1 AND stale AND row > $2 ORDER BY row LIMIT $3
"""

_ALL = """
SELECT row, cells::text, employee_id, keys, stale FROM import_row WHERE import_id = $1 AND row > $2 ORDER BY row
"""

# Rows that became heading still hold what they claimed as data. Joined, not `= ANY`: PostgreSQL hashes an array only
# where it is a constant, and would compare every key of a large file with each of thousands.
_EARLIER = """
SELECT asked.key, min(row) AS first
FROM import_row CROSS JOIN unnest(keys) AS claimed(key) JOIN unnest($4::text[]) AS asked(key) ON asked.key = claimed.key
WHERE import_id = $1 AND row > $5 AND row < $2
  AND NOT EXISTS (SELECT FROM unnest($3::int[]) AS judged(row) WHERE judged.row = import_row.row)
GROUP BY asked.key
"""

_STORE = """
UPDATE import_row SET outcome = judged.outcome, action = CASE WHEN judged.outcome IN ('create', 'update')
        THEN judged.outcome END,
    customer_id = judged.customer_id, code = judged.code, "values" = judged.written::jsonb, old = judged.old::jsonb,
    errors = judged.errors::jsonb, warnings = judged.warnings::jsonb, new_options = judged.new_options::jsonb,
    keys = judged.keys::text[], changed = judged.changed::text[], current = '{}', stale = false
FROM unnest($2::int[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::text[], $11::text[], $12::text[])
     AS judged(row, outcome, customer_id, code, written, old, errors, warnings, new_options, keys, changed)
WHERE import_row.import_id = $1 AND import_row.row = judged.row
"""

# Who else claims what a row claims now, or no longer does: the first of them has it.
_TOUCH = """
UPDATE import_row SET stale = true
WHERE import_id = $1 AND NOT stale AND row > $2 AND row <> ALL($3::int[]) AND keys && $4::text[]
"""

_HEADINGS = """
UPDATE import_row SET outcome = NULL, action = NULL, customer_id = NULL, keys = '{}', changed = '{}', stale = true
WHERE import_id = $1 AND row <= $2 AND (outcome IS NOT NULL OR NOT stale)
"""

_COUNTS = """
SELECT (SELECT coalesce(jsonb_object_agg(outcome, n), '{}')::text FROM
            (SELECT outcome, count(*) AS n FROM import_row
             WHERE import_id = $1 AND outcome IS NOT NULL GROUP BY outcome) AS counted),
       (SELECT coalesce(jsonb_object_agg(field, n), '{}')::text FROM
            (SELECT field, count(*) AS n FROM import_row, unnest(changed) AS field
             WHERE import_id = $1 AND outcome = 'update' GROUP BY field) AS changed)
"""


@dataclass(frozen=True)
class Portion:
    """Rows that were judged together, what they claimed before and claim now, and what they tell (R3)."""

    judgements: Sequence[Judgement]
    moved_keys: Sequence[str]
    reveals: Reveals = field(default_factory=no_limit)

    @property
    def numbers(self) -> list[int]:
        return [judgement.row for judgement in self.judgements]


@dataclass(frozen=True)
class PreviewCounts:
    """Rows by outcome, and rows that update by the column they change."""

    outcomes: dict[str, int]
    changed_columns: dict[str, int]


async def judge_portion(session: Session, job: Import, actor: Actor) -> Portion | None:
    """Judge the next rows that wait, in the file's order; None when none does. Writes nothing."""
    assert job.mapping is not None
    if job.kind == SECTORS:
        return await _judge_sectors(session, job)
    found = await run(session, _WAITING, job.id, job.mapping["header_row"], PORTION_ROWS)
    waiting = list(found.all())
    if not waiting:
        return None
    rows = await _read(waiting, written_columns(job.mapping, job.kind), told_customers(job.header or ()))
    known = await find_known(session, actor, rows)
    asked = [key for row in rows for named in file_keys(row).values() for key in named]
    asked += [customer_key(customer_id) for customer_id in known.by_id]
    numbers = [row.number for row in rows]
    earlier = await run(session, _EARLIER, job.id, numbers[-1], numbers, asked, job.mapping["header_row"])
    first: dict[str, int] = {row.key: row.first for row in earlier}
    reveals = await _open_reveals(session, actor, rows)
    preview = Preview(known, job.chosen, first, reveals)
    judgements: list[Judgement] = []
    for start in range(0, len(rows), TURN_ROWS):
        judgements += [preview.judge(row) for row in rows[start : start + TURN_ROWS]]
        await asyncio.sleep(0)
    moved = {key for row, one in zip(waiting, judgements, strict=True) for key in set(row[3]) ^ set(one.keys)}
    return Portion(judgements, sorted(moved), reveals)


async def _judge_sectors(session: Session, job: Import) -> Portion | None:
    """Sectors stand in a tree: what one row says may matter to every other, so all are judged together (G6)."""
    assert job.mapping is not None
    header_row = job.mapping["header_row"]
    found = (await run(session, _ALL, job.id, header_row)).all()
    if not any(row.stale for row in found):
        return None
    rows = await _read(found, written_columns(job.mapping, job.kind))
    sectors = await find_sectors(session)
    return Portion(SectorPreview(sectors, job.chosen.overwrite).judge(rows), ())


async def store_portion(session: Session, import_id: UUID, portion: Portion) -> None:
    """Keep the judgements, and what they tell; rows further down that claim the same wait again."""
    rows = [_stored(judgement) for judgement in portion.judgements]
    await run(session, _STORE, import_id, *map(list, zip(*rows, strict=True)))
    if portion.moved_keys:
        await run(session, _TOUCH, import_id, portion.numbers[0], portion.numbers, list(portion.moved_keys))
    told = await keep_told(session, portion.reveals)
    if told:
        rows_told = tuple(RevealedPhone(customer_id=owner, phone=phone) for phone, owner in told.items())
        actor = portion.reveals.actor.reference()
        outbox.add(session, ImportPhonesRevealed(import_id=import_id, actor=actor, rows=rows_told))


async def count_preview(session: Session, job: Import) -> PreviewCounts:
    """Sums over the preview as it is stored; a row that is heading now is data no longer."""
    assert job.mapping is not None
    await run(session, _HEADINGS, job.id, job.mapping["header_row"])
    outcomes, changed = (await run(session, _COUNTS, job.id)).one()
    return PreviewCounts(msgspec.json.decode(outcomes), msgspec.json.decode(changed))


async def _open_reveals(session: Session, actor: Actor, rows: Sequence[ReadRow]) -> Reveals:
    """What may still be told of hidden customers' numbers: counted until the transaction ends (R3)."""
    if actor.sees_everything or not any(row.given.get("phones") for row in rows):
        return no_limit()
    return await open_reveals(session, actor, "batch", settings_of(session).reveal_batch_per_hour)


async def _read(waiting: Sequence[Any], columns: Sequence[Any], told_at: int | None = None) -> list[ReadRow]:
    rows: list[ReadRow] = []
    for number, cells, employee_id, *_ in waiting:
        row = read_row(number, msgspec.json.decode(cells, type=list[str]), columns, told_at)
        row.manager_id = str(employee_id) if employee_id is not None else None
        rows.append(row)
        if len(rows) % TURN_ROWS == 0:
            await asyncio.sleep(0)
    return rows


def _stored(judgement: Judgement) -> tuple[object, ...]:
    created = [{"field": field, "name": name} for field, name in judgement.new_options]
    warned = dict.fromkeys(file_name(field) for field, _ in judgement.new_options)
    changes = judgement.outcome == "update"
    return (
        judgement.row,
        judgement.outcome,
        judgement.customer_id,
        judgement.code,
        _json(judgement.values),
        _json(judgement.old),
        _json([problem._asdict() for problem in judgement.problems]),
        _json([{"field": field, "code": "option_created"} for field in warned]),
        _json(created),
        array_text(judgement.keys),
        array_text(changed_fields(judgement.values, judgement.old) if changes else ()),
    )


def _json(value: dict[str, Any] | Iterable[Any]) -> str:
    return msgspec.json.encode(value).decode()
