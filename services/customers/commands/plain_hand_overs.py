"""Customers whom nobody looks at, handed over in one statement that also tells it (A1, A4, A5).

It does what `Responsibility.set_manager` does to them, and leaves everybody else to that: viewers, and previous
managers who are kept as such. Objects, events and audit entries of two thousand were half of what that cost.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from services.customers.commands.telling import headers_json, telling
from shared import outbox
from shared.contracts.customers import CustomerManagerChanged
from shared.contracts.events import Cause
from shared.database import Session, run

_CHANGED = {
    "manager_id": ("old_manager_id", "manager_id"),
    "manager_set_at": ("instant(old_manager_set_at)", "instant(manager_set_at)"),
}
_HAND_OVER = f"""
WITH changed AS (
    UPDATE customer AS stored SET
        manager_id = given.employee_id, updated_at = $3, version = stored.version + 1,
        manager_set_at = greatest($3, stored.manager_set_at + interval '1 microsecond'),
        manager_cause_kind = $4, manager_cause_id = $5,
        search_text = regexp_replace(stored.search_text, ' m:[0-9a-f]{{32}}$', '')
            || ' m:' || replace(given.employee_id::text, '-', '')
    FROM unnest($1::uuid[], $2::uuid[]) AS given(customer_id, employee_id)
    WHERE stored.id = given.customer_id
    RETURNING new.id, new.version, new.record, new.manager_id, new.manager_set_at, old.manager_id AS old_manager_id,
        old.manager_set_at AS old_manager_set_at, $4 AS cause_kind, $5 AS cause_id, $6::jsonb AS headers
),
{telling(CustomerManagerChanged, _CHANGED)}
SELECT id, version FROM told
"""
"""The lexeme of the manager is the last of a customer without viewers. A clock that runs ahead is outrun (K3)."""


async def hand_over_plainly(
    session: Session, managers: Mapping[UUID, UUID], at: datetime, cause: Cause
) -> dict[UUID, int]:
    """Make somebody else responsible for each of these; answers their versions.

    The rows are held; they have no viewers, need none, and another manager or nobody.
    """
    if not managers:
        return {}
    headers = headers_json(session, CustomerManagerChanged)
    rows = await run(session, _HAND_OVER, list(managers), list(managers.values()), at, cause.kind, cause.id, headers)
    outbox.written_by_statement(session)
    return {row.id: row.version for row in rows}
