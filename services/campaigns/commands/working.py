"""One step of long work: a batch of a distribution or of a removal, or a chunk of a selection's customers."""

from typing import Any

from sqlalchemy import tuple_

from services.campaigns.commands.additions import add_customers
from services.campaigns.commands.assigning import lock_unsettled
from services.campaigns.commands.campaigns import lock_campaign, lock_campaigns
from services.campaigns.commands.distribution import hand_over
from services.campaigns.commands.removals import remove_next
from services.campaigns.commands.selections import selection_chunk
from services.campaigns.domain.access import require_can_manage
from services.campaigns.domain.long_work import LongWork
from services.campaigns.domain.opportunity import Opportunity
from services.campaigns.domain.reason import caused_by
from shared.database import Session
from shared.errors import RapportError
from shared.identity import Actor
from shared.working import keep_items


async def do_next(session: Session, work: LongWork, actor: Actor) -> bool:
    """Do the next step of a distribution, an addition or a removal; answers whether there may be more."""
    steps = {"distribution": _distribute, "opportunity_batch": _add, "removal": _remove}
    return await steps[work.kind](session, work, actor)


async def _distribute(session: Session, work: LongWork, actor: Actor) -> bool:
    """Hand out the next batch; opportunities that came after the request are not looked at."""
    campaign = await lock_campaign(session, actor, work.campaign_id)
    require_can_manage(actor, campaign)
    conditions = [Opportunity.owner_id.is_(None), Opportunity.created_at <= work.created_at]
    if work.last_created_at is not None:
        conditions.append(tuple_(Opportunity.created_at, Opportunity.id) > (work.last_created_at, work.last_id))
    batch = await lock_unsettled(session, campaign, *conditions)
    if batch:
        work.last_created_at, work.last_id = batch[-1].created_at, batch[-1].id
        await keep_items(session, work, await hand_over(session, campaign, batch), failed=0)
    return bool(batch)


async def _add(session: Session, work: LongWork, actor: Actor) -> bool:
    """Add the customers of the selection's next chunk."""
    assert work.selection_id is not None, "an opportunity batch has a selection"
    customer_ids = await selection_chunk(session, work.selection_id, work.next_chunk)
    if customer_ids is None:
        return False
    outcomes = await add_customers(session, actor, work.campaign_id, customer_ids)
    first = work.done + work.failed
    items = [
        {"index": first + place, "customer_id": customer_id, **_outcome(outcome)}
        for place, (customer_id, outcome) in enumerate(zip(customer_ids, outcomes, strict=True))
    ]
    failed = sum(1 for outcome in outcomes if isinstance(outcome, RapportError))
    await keep_items(session, work, items, failed)
    work.next_chunk += 1
    return True


async def _remove(session: Session, work: LongWork, actor: Actor) -> bool:
    """Remove the next opportunities of a campaign that has ended (K3)."""
    [campaign] = await lock_campaigns(session, [work.campaign_id])
    after = (work.last_created_at, work.last_id) if work.last_created_at and work.last_id else None
    removed = await remove_next(session, campaign, caused_by(actor), after)
    if removed:
        work.last_created_at, work.last_id = removed[-1].created_at, removed[-1].id
    work.done += len(removed)
    return bool(removed)


def _outcome(outcome: Opportunity | RapportError) -> dict[str, Any]:
    if isinstance(outcome, RapportError):
        return {"status": "failed", "id": None, "error": {"code": outcome.code}}
    return {"status": "created", "id": outcome.id, "error": None}
