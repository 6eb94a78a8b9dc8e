"""Many opportunities locked, inserted or written in one statement: one by one, a thousand would take seconds.

What each of them becomes is decided by their own methods.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, select

from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.opportunity import Opportunity
from shared.database import Session, run

_INSERT = """
INSERT INTO opportunity (id, campaign_id, customer_id, status_id, manager_policy, keep_previous_as_viewer,
                         state, created_at, version)
SELECT id, $2, customer_id, $4, $5, $6, 'open', $7, version
FROM unnest($1::uuid[], $3::uuid[], $8::bigint[]) AS new(id, customer_id, version)
"""

_UPDATE = """
UPDATE opportunity AS stored SET
    status_id = changed.status_id, owner_id = changed.owner_id, owner_assigned_at = changed.owner_assigned_at,
    manager_policy = changed.manager_policy, keep_previous_as_viewer = changed.keep_previous_as_viewer,
    reason = changed.reason::jsonb, queued_at = changed.queued_at, state = changed.state, version = changed.version
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[], $6::boolean[], $7::text[],
            $8::timestamptz[], $9::text[], $10::bigint[])
     AS changed(id, status_id, owner_id, owner_assigned_at, manager_policy, keep_previous_as_viewer, reason,
                queued_at, state, version)
WHERE stored.id = changed.id
"""

BATCH = 1_000
"""Opportunities held in memory and written together."""


async def lock_batch(
    session: Session, campaign: Campaign, *conditions: ColumnElement[Any], limit: int = BATCH
) -> list[Opportunity]:
    """The oldest opportunities of a locked campaign that meet the conditions, held until the transaction ends.

    Whoever locks many does so from the oldest on, so that nobody waits in a circle.
    """
    statement = (
        select(Opportunity)
        .where(Opportunity.campaign_id == campaign.id, *conditions)
        .order_by(Opportunity.created_at, Opportunity.id)
        .limit(limit)
        .with_for_update(of=Opportunity)
        .execution_options(populate_existing=True)
    )
    return list((await session.scalars(statement)).all())


async def insert_together(session: Session, opportunities: Sequence[Opportunity]) -> None:
    """Insert new opportunities of one campaign that were begun at the same moment."""
    if not opportunities:
        return
    first = opportunities[0]
    await run(
        session,
        _INSERT,
        [opportunity.id for opportunity in opportunities],
        first.campaign_id,
        [opportunity.customer_id for opportunity in opportunities],
        first.status_id,
        first.manager_policy,
        first.keep_previous_as_viewer,
        first.created_at,
        [opportunity.version for opportunity in opportunities],
    )


async def write_together(session: Session, opportunities: Sequence[Opportunity]) -> None:
    """Write locked opportunities back, whatever was done to them (value and probability excepted)."""
    if not opportunities:
        return
    rows = [
        (
            opportunity.id,
            opportunity.status_id,
            opportunity.owner_id,
            opportunity.owner_assigned_at,
            opportunity.manager_policy,
            opportunity.keep_previous_as_viewer,
            msgspec.json.encode(opportunity.reason).decode() if opportunity.reason is not None else None,
            opportunity.queued_at,
            opportunity.state,
            opportunity.version,
        )
        for opportunity in opportunities
    ]
    for opportunity in opportunities:
        session.expunge(opportunity)  # else the flush at the end would write each of them again
    await run(session, _UPDATE, *map(list, zip(*rows, strict=True)))
