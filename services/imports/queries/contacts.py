"""What became of each contact of a sync, as the person who asked for it reads it (M13)."""

from dataclasses import dataclass
from uuid import UUID

from services.imports.domain.job import CONTACTS, Import, uploader_of
from shared.database import Session, run
from shared.errors import NotFound
from shared.identity import Actor

_ITEMS = """
SELECT row, cells->>2 AS device_contact_id, outcome, customer_id, errors->0->>'code' AS code
FROM import_row WHERE import_id = $1 ORDER BY row
"""

_STATUSES = {
    "create": "pending",
    "created": "created",
    "duplicate": "duplicate",
    "already_synced": "already_synced",
    "invalid": "invalid",
}
_OF_ERRORS = {"phone_taken": "duplicate", "validation_failed": "invalid"}


@dataclass(frozen=True)
class ContactOutcome:
    """One contact by its place in the request (from 0)."""

    index: int
    device_contact_id: str | None
    status: str
    customer_id: UUID | None
    code: str | None


async def get_contact_sync(session: Session, actor: Actor, sync_id: UUID) -> Import:
    """One sync. Raises NotFound, also for somebody else's."""
    found = await session.get(Import, sync_id)
    if found is None or found.uploader != uploader_of(actor) or found.kind != CONTACTS:
        raise NotFound
    return found


async def list_contacts(session: Session, sync_id: UUID) -> list[ContactOutcome]:
    """Every contact of a sync, in the order of the request; none when the content has served its time."""
    outcomes: list[ContactOutcome] = []
    for row, device_contact_id, outcome, customer_id, code in await run(session, _ITEMS, sync_id):
        status = _STATUSES.get(outcome) or _OF_ERRORS.get(code or "", "failed")
        refused = code if status == "failed" else None
        outcomes.append(ContactOutcome(row - 1, device_contact_id, status, customer_id, refused))
    return outcomes


async def is_finished(session: Session, sync_id: UUID) -> bool:
    """Whether every contact has its outcome."""
    found = await run(session, "SELECT state <> 'applying' FROM import WHERE id = $1", sync_id)
    return bool(found.scalar_one_or_none())
