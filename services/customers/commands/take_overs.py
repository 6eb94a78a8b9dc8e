"""Owners of opportunities who simply become managers: any number in one statement that also tells it (K3, A5).

It does to a customer whom nobody looks at what `Responsibility.follow_opportunity_owner` does, and leaves every
other case to that: viewers, ties, assignments that decide nothing. Objects, events and audit entries for ten
thousand customers cost four times as much.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.customers.commands.telling import MANAGER_CHANGED, MANAGER_TOLD, headers_json, telling, with_manager
from shared import outbox
from shared.contracts.campaigns import OpportunityState
from shared.contracts.customers import CustomerManagerChanged
from shared.database import Session, run
from shared.envelope import Envelope

_TAKE_OVER = f"""
WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::boolean[], $6::text[], $7::text[])
         WITH ORDINALITY
         AS given(opportunity_id, customer_id, owner_id, assigned_at, replaces, cause_id, headers, place)
), taken AS (
    UPDATE customer AS stored SET
        manager_id = given.owner_id, manager_set_at = given.assigned_at,
        manager_cause_kind = 'campaign', manager_cause_id = given.opportunity_id::text,
        search_text = {with_manager("stored.search_text", "given.owner_id")},
        updated_at = (SELECT clock_timestamp()), version = stored.version + 1
    FROM given
    WHERE stored.id = given.customer_id AND given.owner_id = ANY($8::uuid[]) AND stored.viewer_ids = '{{}}'
      AND stored.manager_id IS DISTINCT FROM given.owner_id AND (given.replaces OR stored.manager_id IS NULL)
      AND (stored.manager_set_at IS NULL OR stored.manager_set_at < given.assigned_at)
    RETURNING {MANAGER_CHANGED}, 'campaign' AS cause_kind, given.cause_id, given.headers::jsonb, given.place
), changed AS (SELECT * FROM taken ORDER BY place),
{telling(CustomerManagerChanged, MANAGER_TOLD)}
SELECT place FROM told
"""

Assignment = tuple[Envelope[Any], OpportunityState]
"""An opportunity with an owner, and the event that tells of it."""


async def take_over(session: Session, assignments: Sequence[Assignment], active: Collection[UUID]) -> list[Assignment]:
    """Make owners managers of customers who are named once each; answers the assignments that were left, in order.

    `active` owners and the customers are held already.
    """
    if not assignments:
        return []
    now = datetime.now(UTC)
    rows = [
        (
            state.id,
            state.customer_id,
            state.owner_id,
            state.owner_assigned_at,
            state.manager_policy == "replace" and not state.keep_previous_as_viewer,
            envelope.id,
            headers_json(CustomerManagerChanged, envelope.origin(), now),
        )
        for envelope, state in assignments
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    taken = set((await run(session, _TAKE_OVER, *columns, list(active))).scalars())
    if taken:
        outbox.written_by_statement(session)
    return [assignment for place, assignment in enumerate(assignments, start=1) if place not in taken]
