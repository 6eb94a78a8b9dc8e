"""Customers whom nobody looks at, handed over in one statement that also tells it (A1, A4, A5).

It does what `Responsibility.set_manager` does to them, and leaves everybody else to that: viewers, and previous
managers who are kept as such. Objects, events and audit entries of two thousand were half of what that cost.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from services.customers.commands.telling import MANAGER_CHANGED, MANAGER_TOLD, headers_json, telling, with_manager
from shared import outbox
from shared.contracts.customers import CustomerManagerChanged
from shared.contracts.events import Cause
from shared.database import Session, run

_HAND_OVER = f"""
WITH changed AS (
    UPDATE customer AS stored SET
        manager_id = given.employee_id, updated_at = $3, version = stored.version + 1,
        manager_set_at = greatest($3, stored.manager_set_at + interval '1 microsecond'),
        manager_cause_kind = $4, manager_cause_id = $5,
        search_text = {with_manager("stored.search_text", "given.employee_id")}
    FROM unnest($1::uuid[], $2::uuid[]) AS given(customer_id, employee_id)
    WHERE stored.id = given.customer_id
    RETURNING {MANAGER_CHANGED}, $4 AS cause_kind, $5 AS cause_id, $6::jsonb AS headers
),
{telling(CustomerManagerChanged, MANAGER_TOLD)}
SELECT id, version FROM told
"""
"""A clock that runs ahead is outrun (K3)."""


async def hand_over_plainly(
    session: Session, managers: Mapping[UUID, UUID], at: datetime, cause: Cause
) -> dict[UUID, int]:
    """Make somebody else responsible for each of these; answers their versions.

    The rows are held; they have no viewers, need none, and another manager or nobody.
    """
    if not managers:
        return {}
    headers = headers_json(CustomerManagerChanged, outbox.origin(session))
    rows = await run(session, _HAND_OVER, list(managers), list(managers.values()), at, cause.kind, cause.id, headers)
    outbox.written_by_statement(session)
    return {row.id: row.version for row in rows}
