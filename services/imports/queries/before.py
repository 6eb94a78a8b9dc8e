"""The old values of all updated cells, as a file to upload: the backup of an import (M10)."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from services.imports.domain.before import changed_columns, upload_text
from services.imports.domain.changes import StoredRow, ids_in
from services.imports.domain.job import Import
from services.imports.queries.names import upload_texts
from shared.contracts.customer_fields import BY_NAME, CustomerField
from shared.database import Session, run
from shared.identity import Actor

_WRITTEN_OVER = """
FROM import_row WHERE import_id = $1 AND action = 'update' AND customer_id IS NOT NULL
  AND outcome IN ('update', 'updated', 'undone', 'kept', 'undo_failed')
"""
_CHANGED = f"SELECT DISTINCT unnest(changed) {_WRITTEN_OVER}"
_UPDATED = f"SELECT row, customer_id, old::text AS old, changed {_WRITTEN_OVER} AND row > $2 ORDER BY row LIMIT $3"


async def before_columns(session: Session, job: Import) -> list[CustomerField]:
    """The columns that the import writes over in any row."""
    return changed_columns([(await run(session, _CHANGED, job.id)).scalars()])


def before_heading(columns: Sequence[CustomerField], language: str) -> list[str]:
    """The customer's id, then the columns."""
    return [BY_NAME["customer_id"].label(language), *(column.label(language) for column in columns)]


async def before_records(
    session: Session, actor: Actor, job: Import, columns: Sequence[CustomerField], after: int, limit: int
) -> tuple[list[list[str]], int]:
    """Records of updated customers behind a row number: id, and the old values of what was changed; the last row.

    A column that a row did not change is empty, and so changes nothing when it is uploaded.
    """
    found = (await run(session, _UPDATED, job.id, after, limit)).all()
    rows: list[tuple[UUID, dict[str, object], frozenset[str]]] = [
        (row.customer_id, msgspec.json.decode(row.old), frozenset(row.changed)) for row in found
    ]
    texts = await upload_texts(session, actor, ids_in(StoredRow({}, old, {}, False) for _, old, _ in rows))
    records = [
        [str(customer_id), *(upload_text(c.field, old, texts) if c.field in changed else "" for c in columns)]
        for customer_id, old, changed in rows
    ]
    return records, found[-1].row if found else after
