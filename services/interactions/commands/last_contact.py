"""The last contact by hand: somebody says when it was, and that is kept for the audit (L3).

The customer is held first, so that neither a lost right nor an erasure is passed by.
"""

from datetime import datetime
from uuid import UUID

from services.interactions.commands.announcements import CHANGED, OUTBOX, SUMMARY_EVENTS, headers_json
from services.interactions.commands.trail import entry, write_entries
from services.interactions.domain.facts import EARLIEST
from services.interactions.queries.customers import hold_customer
from shared import outbox
from shared.database import Session, clock, run
from shared.errors import Forbidden, Invalid, NotFound, VersionConflict
from shared.identity import Actor

_LOCK = "SELECT version, (last_contact).at FROM summary WHERE customer_id = $1 AND NOT erased FOR UPDATE"

_KEEP = """
INSERT INTO manual_contact (customer_id, at, recorded_at, actor_kind, actor_id) VALUES ($1, $2, $3, $4, $5)
"""

_SET = f"""
WITH said AS (SELECT ROW($2::timestamptz, 'manual', NULL, NULL, $4::uuid)::contact AS contact),
changed AS (
    UPDATE summary AS stored SET
        manual = said.contact,
        manual_recorded_at = $3,
        as_of = greatest($3, stored.as_of + interval '1 microsecond'),
        version = stored.version + CASE WHEN stored.last_contact IS DISTINCT FROM
            CASE WHEN (stored.contact).at > $3 THEN stored.contact ELSE said.contact END THEN 1 ELSE 0 END
    FROM said WHERE customer_id = $1
    RETURNING {CHANGED}
),
causes AS (SELECT $1 AS customer_id, uuidv7() AS event_id, $5::jsonb AS headers),
events AS ({SUMMARY_EVENTS}),
told AS ({OUTBOX})
SELECT 1
"""


async def set_last_contact(
    session: Session, actor: Actor, customer_id: UUID, at: datetime, expected_version: int | None = None
) -> None:
    """From now on the last contact was at `at`, until one occurs later; the two-way clock stays (L3).

    Raises NotFound, Forbidden (A3), Invalid for a time that cannot be, VersionConflict.
    """
    customer = await hold_customer(session, actor, customer_id)
    if not customer.changeable:
        raise Forbidden
    row = (await run(session, _LOCK, customer_id)).one_or_none()
    if row is None:
        raise NotFound
    now = await clock(session)
    if not EARLIEST <= at <= now:
        raise Invalid.at("/at", detail=f"neither in the future nor before {EARLIEST.year}")
    if expected_version not in (None, row.version):
        raise VersionConflict
    await run(session, _KEEP, customer_id, at, now, actor.kind, actor.id)
    said = entry(session, customer_id, "last_contact", customer_id, {"at": {"old": row.at, "new": at}})
    await write_entries(session, [said])
    await run(session, _SET, customer_id, at, now, actor.employee_id, headers_json(outbox.origin(session)))
    outbox.written_by_statement(session)
