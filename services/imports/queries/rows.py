"""The rows of an import: pages for people, and the whole for its result file."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from services.imports.domain.changes import StoredRow, ids_in, shown_changes
from services.imports.domain.job import Import
from services.imports.queries.names import names_of
from shared.database import Session, run

_PAGE = """
SELECT row, outcome, customer_id, code, "values"::text, old::text, current::text, errors::text
FROM import_row
WHERE import_id = $1 AND outcome IS NOT NULL AND row > $2 AND (cardinality($3::text[]) = 0 OR outcome = ANY($3::text[]))
ORDER BY row LIMIT $4
"""

_COUNT = """
SELECT count(*) FROM import_row
WHERE import_id = $1 AND outcome IS NOT NULL AND (cardinality($2::text[]) = 0 OR outcome = ANY($2::text[]))
"""

_RESULT = """
SELECT cells::text, outcome, customer_id, code, errors::text FROM import_row
WHERE import_id = $1 AND outcome IS NOT NULL ORDER BY row
"""

_UPDATES = frozenset({"update", "updated", "conflict", "failed"})


async def list_rows(
    session: Session, job: Import, outcomes: Sequence[str], limit: int, after: int, language: str
) -> list[dict[str, Any]]:
    """A page of rows behind the row number given, each with its changes shown by name (M2)."""
    found = (await run(session, _PAGE, job.id, after, list(outcomes), limit)).all()
    adds = job.chosen.append_multi_select
    decode = msgspec.json.decode
    stored = [
        StoredRow(decode(values), decode(old), decode(current), adds and outcome in _UPDATES)
        for _, outcome, _, _, values, old, current, _ in found
    ]
    names = await names_of(session, ids_in(stored), language)
    return [
        {
            "row": number,
            "outcome": outcome,
            "customer_id": str(customer_id) if customer_id else None,
            "code": code,
            "changes": shown_changes(row, names),
            "errors": decode(errors),
            "warnings": [],
        }
        for (number, outcome, customer_id, code, *_, errors), row in zip(found, stored, strict=True)
    ]


async def count_rows(session: Session, import_id: UUID, outcomes: Sequence[str]) -> int:
    """How many rows have one of these outcomes; all if none is given."""
    return (await run(session, _COUNT, import_id, list(outcomes))).scalar_one()


async def result_rows(
    session: Session, import_id: UUID
) -> list[tuple[list[str], str, UUID | None, str | None, list[dict[str, Any]]]]:
    """Every data row with its cells as they were sent and what became of it, in the file's order."""
    found = await run(session, _RESULT, import_id)
    return [
        (msgspec.json.decode(cells), outcome, customer_id, code, msgspec.json.decode(errors))
        for cells, outcome, customer_id, code, errors in found
    ]
