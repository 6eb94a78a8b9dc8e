"""The rows of an import: pages for people, and the whole for its result file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from services.imports.domain.changes import StoredRow, ids_in, shown_changes
from services.imports.domain.job import SECTORS, Import
from services.imports.queries.names import names_of
from shared.database import Session, run
from shared.identity import Actor

_PAGE = """
SELECT row, outcome, action, customer_id, code, "values"::text AS written, old::text AS old, current::text AS current,
    errors::text AS errors, warnings::text AS warnings, new_options::text AS new_options, employee_id, reason,
    kept_fields
FROM import_row
WHERE import_id = $1 AND outcome IS NOT NULL AND row > $2
  AND (cardinality($3::text[]) = 0 OR outcome = ANY($3::text[])) AND ($4::int[] IS NULL OR row = ANY($4::int[]))
ORDER BY row LIMIT $5
"""

_COUNT = """
SELECT count(*) FROM import_row
WHERE import_id = $1 AND outcome IS NOT NULL AND (cardinality($2::text[]) = 0 OR outcome = ANY($2::text[]))
"""

# Whom a row means, or has become; not whom a refused one has met: corrected, it may mean another or nobody.
_RESULT = """
SELECT row, cells::text AS cells, outcome, code,
    CASE WHEN (outcome = 'unchanged' OR action IS NOT NULL) AND (action, outcome) IS DISTINCT FROM ('create', 'undone')
         THEN customer_id END AS customer_id, errors::text AS errors, reason, kept_fields
FROM import_row
WHERE import_id = $1 AND outcome IS NOT NULL AND row > $2 ORDER BY row LIMIT $3
"""


async def list_rows(
    session: Session,
    actor: Actor,
    job: Import,
    outcomes: Sequence[str],
    limit: int,
    after: int,
    language: str,
    numbers: Sequence[int] | None = None,
) -> list[dict[str, Any]]:
    """A page of rows behind the row number given, each with its changes shown by name (M2)."""
    found = (await run(session, _PAGE, job.id, after, list(outcomes), numbers, limit)).all()
    adds = job.chosen.append_multi_select
    stored = [_stored(row, adds) for row in found]
    names = await names_of(session, actor, ids_in(stored), language)
    return [
        {
            "row": row.row,
            "outcome": row.outcome,
            "customer_id": str(row.customer_id) if row.customer_id and job.kind != SECTORS else None,
            "code": row.code,
            "changes": shown_changes(shown, names),
            "errors": msgspec.json.decode(row.errors),
            "warnings": msgspec.json.decode(row.warnings),
            "employee_id": str(row.employee_id) if row.employee_id else None,
            "reason": row.reason,
            "kept_fields": row.kept_fields,
        }
        for row, shown in zip(found, stored, strict=True)
    ]


def _stored(row: Any, adds: bool) -> StoredRow:
    decode = msgspec.json.decode
    return StoredRow(
        decode(row.written),
        decode(row.old),
        decode(row.current),
        adds and row.action == "update",
        [(option["field"], option["name"]) for option in decode(row.new_options)],
    )


async def count_rows(session: Session, import_id: UUID, outcomes: Sequence[str]) -> int:
    """How many rows have one of these outcomes; all if none is given."""
    return (await run(session, _COUNT, import_id, list(outcomes))).scalar_one()


@dataclass(frozen=True)
class ResultRow:
    """A data row with its cells as they are by now, and what became of it."""

    row: int
    cells: list[str]
    outcome: str
    customer_id: UUID | None
    code: str | None
    errors: list[dict[str, Any]]
    reason: str | None
    kept_fields: list[str]


async def result_rows(session: Session, import_id: UUID, after: int, limit: int) -> list[ResultRow]:
    """The data rows behind the row number given, in the file's order."""
    return [
        ResultRow(
            row.row,
            msgspec.json.decode(row.cells),
            row.outcome,
            row.customer_id,
            row.code,
            msgspec.json.decode(row.errors),
            row.reason,
            row.kept_fields,
        )
        for row in await run(session, _RESULT, import_id, after, limit)
    ]
