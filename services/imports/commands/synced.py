"""Which contacts of whose telephone have become customers: each is synced once, for ever (M13).

A contact is claimed when a sync asks for it, so that two syncs at once do not both create it; the
claim is given up again when it did not become a customer.
"""

from collections.abc import Sequence
from uuid import UUID

from shared.database import Session, run

_CLAIM = """
INSERT INTO synced_contact (uploader, device_contact_id, import_id, row)
SELECT $1, device_contact_id, $2, row FROM unnest($3::text[], $4::int[]) AS asked(device_contact_id, row)
ORDER BY device_contact_id
ON CONFLICT (uploader, device_contact_id) DO NOTHING RETURNING row
"""

_KEEP = """
UPDATE synced_contact SET customer_id = import_row.customer_id FROM import_row
WHERE synced_contact.import_id = ANY($1::uuid[]) AND synced_contact.customer_id IS NULL
  AND import_row.import_id = synced_contact.import_id AND import_row.row = synced_contact.row
  AND import_row.outcome = 'created'
"""

_GIVE_UP = """
DELETE FROM synced_contact USING import_row
WHERE synced_contact.import_id = ANY($1::uuid[]) AND synced_contact.customer_id IS NULL
  AND import_row.import_id = synced_contact.import_id AND import_row.row = synced_contact.row
  AND import_row.outcome NOT IN ('create', 'created')
"""


async def claim_contacts(session: Session, uploader: str, import_id: UUID, asked: dict[str, int]) -> set[int]:
    """Claim contacts by their ids on the device, given with their rows; answers the rows that have theirs."""
    return set((await run(session, _CLAIM, uploader, import_id, list(asked), list(asked.values()))).scalars())


async def keep_synced(session: Session, import_ids: Sequence[UUID]) -> None:
    """Remember for ever who became a customer; let the others be tried again."""
    if import_ids:
        await run(session, _KEEP, list(import_ids))
        await run(session, _GIVE_UP, list(import_ids))
