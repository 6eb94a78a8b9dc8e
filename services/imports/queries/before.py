"""The old values of all updated cells, as a file to upload: the backup of an import (M10)."""

from uuid import UUID

import msgspec

from services.imports.domain.before import changed_columns, upload_text
from services.imports.domain.changes import StoredRow, ids_in
from services.imports.domain.job import Import
from services.imports.queries.names import upload_texts
from shared.contracts.customer_fields import BY_NAME
from shared.database import Session, run

_UPDATED = """
SELECT customer_id, old::text AS old, changed FROM import_row
WHERE import_id = $1 AND action = 'update' AND customer_id IS NOT NULL
  AND outcome IN ('update', 'updated', 'undone', 'kept', 'undo_failed')
ORDER BY row
"""


async def before_records(session: Session, job: Import, language: str) -> list[list[str]]:
    """The heading and a record for each updated customer: its id, and the old values of what was changed.

    A column that a row did not change is empty, and so changes nothing when it is uploaded.
    """
    found = (await run(session, _UPDATED, job.id)).all()
    rows: list[tuple[UUID, dict[str, object], frozenset[str]]] = [
        (row.customer_id, msgspec.json.decode(row.old), frozenset(row.changed)) for row in found
    ]
    columns = changed_columns(changed for _, _, changed in rows)
    texts = await upload_texts(session, ids_in(StoredRow({}, old, {}, False) for _, old, _ in rows))
    heading = [BY_NAME["customer_id"].label(language), *(column.label(language) for column in columns)]
    records = [
        [str(customer_id), *(upload_text(c.field, old, texts) if c.field in changed else "" for c in columns)]
        for customer_id, old, changed in rows
    ]
    return [heading, *records]
