"""Adding customers to campaigns: by ids, by a selection; who may not be added, and why (K1, K2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from services.campaigns.commands.batches import insert_together
from services.campaigns.commands.campaigns import lock_campaign
from services.campaigns.commands.distribution import drain
from services.campaigns.commands.long_work import begin_long_work
from services.campaigns.commands.moment import now
from services.campaigns.commands.selections import usable_selection
from services.campaigns.domain.access import require_can_add
from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.errors import AlreadyInCampaign, WaitingTime
from services.campaigns.domain.long_work import LongWork
from services.campaigns.domain.opportunity import Opportunity
from services.campaigns.domain.reason import caused_by
from shared import outbox
from shared.access import require_may_change
from shared.database import Session, run
from shared.errors import NotFound, RapportError
from shared.identity import Actor

_CUSTOMERS = """
SELECT id, manager_id, viewer_ids FROM customer
WHERE id = ANY($1::uuid[]) AND state = 'active' ORDER BY id FOR SHARE
"""

_EARLIER = """
SELECT customer_id, bool_or(status.kind = 'open'),
       (max(created_at) AT TIME ZONE current_setting('rapport.zone'))::date
FROM opportunity JOIN campaign_status AS status ON status.id = opportunity.status_id
WHERE opportunity.campaign_id = $1 AND customer_id = ANY($2::uuid[]) AND state <> 'removed'
GROUP BY customer_id
"""


@dataclass(frozen=True)
class Earlier:
    """What a customer has in the campaign already."""

    has_open: bool
    last_added_on: date


async def add_selection(
    session: Session, actor: Actor, campaign_id: UUID, selection_id: UUID, wait_seconds: float
) -> LongWork:
    """Add the customers of a selection, as long work; waits for a selection that is still on its way.

    Raises NotFound, Forbidden, Invalid `selection_unknown`.
    """
    campaign = await session.get(Campaign, campaign_id)  # not locked: nobody else shall wait too
    if campaign is None:
        raise NotFound
    require_can_add(actor, campaign)
    total = await usable_selection(session, actor, selection_id, wait_seconds)
    return await begin_long_work(session, actor, "opportunity_batch", campaign, total, selection_id)


async def add_customers(
    session: Session, actor: Actor, campaign_id: UUID, customer_ids: Sequence[UUID]
) -> list[Opportunity | RapportError]:
    """Add customers to a campaign (K2): for each, in order, the new opportunity or why there is none.

    One refusal never spoils others: NotFound and Forbidden (A3), AlreadyInCampaign and WaitingTime (K1).
    Raises NotFound, Forbidden for the campaign.
    """
    campaign = await lock_campaign(session, actor, campaign_id)
    require_can_add(actor, campaign)
    outcomes = await begin_opportunities(session, actor, campaign, customer_ids)
    added = [outcome for outcome in outcomes if isinstance(outcome, Opportunity)]
    outbox.add(session, [opportunity.created(caused_by(actor)) for opportunity in added])
    await insert_together(session, added)
    if campaign.automatic and added:
        await drain(session, campaign)
    return outcomes


async def begin_opportunities(
    session: Session, actor: Actor, campaign: Campaign, customer_ids: Sequence[UUID]
) -> list[Opportunity | RapportError]:
    """For each customer, in order, an opportunity in a locked campaign, or why there may be none (K1, A3).

    They are neither told nor stored yet. The customers are held, so that an erasure of one of them waits and
    then finds the new opportunity.
    """
    customers = {row.id: row for row in await run(session, _CUSTOMERS, list(customer_ids))}
    earlier = await earlier_in(session, campaign.id, customer_ids)
    moment, outcomes = await now(session), list[Opportunity | RapportError]()
    for customer_id in customer_ids:
        try:
            _require_may_add(actor, campaign, customers.get(customer_id), earlier.get(customer_id), moment.today)
        except RapportError as refusal:
            outcomes.append(refusal)
            continue
        outcomes.append(Opportunity.begin(campaign, customer_id, moment.at))
        earlier[customer_id] = Earlier(True, moment.today)
    return outcomes


async def earlier_in(session: Session, campaign_id: UUID, customer_ids: Sequence[UUID]) -> dict[UUID, Earlier]:
    """What each of the customers has had in the campaign, as far as they have."""
    rows = await run(session, _EARLIER, campaign_id, list(customer_ids))
    return {row[0]: Earlier(*row[1:]) for row in rows}


def _require_may_add(actor: Actor, campaign: Campaign, customer: Any, earlier: Earlier | None, today: date) -> None:
    if customer is None:
        raise NotFound
    require_may_change(actor, customer.manager_id, customer.viewer_ids)
    if earlier is None:
        return
    if earlier.has_open and not campaign.allow_repeat:
        raise AlreadyInCampaign
    if (today - earlier.last_added_on).days < campaign.waiting_days:
        raise WaitingTime
