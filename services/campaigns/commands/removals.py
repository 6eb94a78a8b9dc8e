"""Removing the opportunities of ended campaigns, so that nobody keeps sight by them (K3): batch by batch.

What is removed follows from what is left. Work that failed stays as it ended; another one, begun when the campaign is
deleted again or by the job `purge`, goes on behind what it did. A campaign has one at a time: who begins it holds the
campaign.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, tuple_

from services.campaigns.commands.batches import lock_batch, write_together
from services.campaigns.commands.long_work import begin_long_work
from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.long_work import LongWork
from services.campaigns.domain.opportunity import Opportunity
from shared import outbox
from shared.contracts.events import Cause, Event
from shared.database import Session, run
from shared.identity import SYSTEM

_FAILED = """
SELECT campaign_id FROM (
    SELECT DISTINCT ON (campaign_id) campaign_id, state FROM long_work WHERE kind = 'removal'
    ORDER BY campaign_id, created_at DESC
) AS last WHERE state = 'failed'
"""


async def remove_next(
    session: Session, campaign: Campaign, cause: Cause, after: tuple[datetime, UUID] | None = None
) -> list[Opportunity]:
    """Remove the next batch of a locked campaign's opportunities, behind one of them if told; answers which."""
    behind = () if after is None else (tuple_(Opportunity.created_at, Opportunity.id) > after,)
    batch = await lock_batch(session, campaign, Opportunity.state != "removed", *behind)
    events: list[Event] = [event for opportunity in batch for event in opportunity.remove(cause)]
    await write_together(session, batch)
    outbox.add(session, events)
    return batch


async def remove_the_rest(session: Session, campaign: Campaign) -> LongWork | None:
    """The work that removes what a locked, ended campaign still has: the one that runs, or a new one.

    It stands for nobody, so that nobody's leaving stops it. None where nothing is left.
    """
    if (work := await _running(session, campaign)) is not None:
        return work
    remaining = select(func.count()).where(Opportunity.campaign_id == campaign.id, Opportunity.state != "removed")
    total = await session.scalar(remaining)
    return await begin_long_work(session, SYSTEM, "removal", campaign, total) if total else None


async def half_removed_campaigns(session: Session) -> Sequence[UUID]:
    """Campaigns whose last removal failed."""
    return list((await run(session, _FAILED)).scalars())


async def _running(session: Session, campaign: Campaign) -> LongWork | None:
    same = (LongWork.kind == "removal", LongWork.campaign_id == campaign.id, LongWork.state == "running")
    return await session.scalar(select(LongWork).where(*same))
