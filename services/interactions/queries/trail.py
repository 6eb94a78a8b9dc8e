"""Reads of the audit trail of what people write about a customer, as JSON written by PostgreSQL (A5, R1)."""

from uuid import UUID

from services.interactions.queries.pages import LAST_ID, JsonPage, Position, cut
from shared.database import Session, run

_PAGE = f"""
SELECT json_build_object(
    'at', instant(at), 'actor', json_build_object('kind', actor_kind, 'id', actor_id),
    'cause', json_build_object('kind', cause_kind, 'id', cause_id), 'event_id', event_id,
    'item', json_build_object('kind', item_kind, 'id', item_id), 'changes', changes, 'outcome', 'applied'
)::text, at, id
FROM audit
WHERE customer_id = $1 AND (at, id) < (coalesce($2::timestamptz, 'infinity'), coalesce($3::uuid, '{LAST_ID}'))
ORDER BY at DESC, id DESC LIMIT $4
"""


async def trail_page(session: Session, customer_id: UUID, limit: int, after: Position | None) -> JsonPage:
    """A customer's entries, newest first."""
    at, entry_id = after or (None, None)
    return cut((await run(session, _PAGE, customer_id, at, entry_id, limit + 1)).all(), limit)


async def count_entries(session: Session, customer_id: UUID) -> int:
    """How many entries a customer's trail has."""
    return (await run(session, "SELECT count(*) FROM audit WHERE customer_id = $1", customer_id)).scalar_one()
