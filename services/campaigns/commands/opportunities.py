"""Adding customers to campaigns, and changing one opportunity: its owner, status, value, end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm.attributes import set_committed_value

from services.campaigns.commands.batches import insert_together
from services.campaigns.commands.campaigns import lock_campaign
from services.campaigns.commands.distribution import drain
from services.campaigns.commands.long_work import begin_long_work
from services.campaigns.commands.moment import now
from services.campaigns.commands.people import get_active_employee
from services.campaigns.commands.selections import usable_selection
from services.campaigns.domain.access import (
    require_can_add,
    require_can_assign,
    require_can_revise,
)
from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.errors import AlreadyInCampaign, WaitingTime
from services.campaigns.domain.long_work import LongWork
from services.campaigns.domain.opportunity import Opportunity
from services.campaigns.domain.reason import by_hand, caused_by
from shared import outbox
from shared.access import require_may_change
from shared.database import Session, advisory_lock, run
from shared.errors import Invalid, NotFound, RapportError
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


async def assign_owner(
    session: Session, actor: Actor, opportunity_id: UUID, employee_id: UUID, expected_version: int | None = None
) -> Opportunity:
    """Give one opportunity an owner by hand.

    Raises NotFound, Forbidden, InactiveEmployee (A6), VersionConflict, OpportunityClosed, CustomerAway.
    """
    opportunity = await lock_opportunity(session, opportunity_id)
    require_can_assign(actor, opportunity)
    employee = await get_active_employee(session, employee_id)
    opportunity.require_version(expected_version)
    moment = await now(session)
    outbox.add(session, opportunity.assign_owner(employee, moment.at, by_hand(actor), caused_by(actor)))
    return opportunity


async def revise_opportunity(
    session: Session, actor: Actor, opportunity_id: UUID, values: dict[str, Any], expected_version: int | None = None
) -> Opportunity:
    """Change status, value or probability.

    Raises NotFound, Forbidden, Invalid for a status of another campaign, VersionConflict, CustomerAway,
    AlreadyInCampaign when reopening would make a second open one.
    """
    opportunity = await lock_opportunity(session, opportunity_id)
    require_can_revise(actor, opportunity)
    status = opportunity.campaign.status(values.get("status_id", opportunity.status_id))
    if status is None:
        raise Invalid.at("/status_id", detail="no status of this campaign")
    opportunity.require_version(expected_version)
    if opportunity.status.closes and not status.closes:
        await _require_only_open_one(session, opportunity)
    outbox.add(session, opportunity.revise(caused_by(actor), values))
    return opportunity


async def remove_opportunity(
    session: Session, actor: Actor, opportunity_id: UUID, expected_version: int | None = None
) -> None:
    """Take a customer out of a campaign. Raises NotFound, Forbidden, VersionConflict."""
    opportunity = await lock_opportunity(session, opportunity_id)
    require_can_assign(actor, opportunity)
    opportunity.require_version(expected_version)
    outbox.add(session, opportunity.remove(caused_by(actor)))


async def lock_opportunity(session: Session, opportunity_id: UUID) -> Opportunity:
    """One opportunity, held until the transaction ends. Raises NotFound for an unknown one.

    Its campaign is held first, shared with others who do the same: people and statuses stay as they are
    meanwhile, and a distribution, which holds the campaign alone, waits or is waited for.
    """
    campaign_id = await session.scalar(select(Opportunity.campaign_id).where(Opportunity.id == opportunity_id))
    if campaign_id is None:
        raise NotFound
    campaign = await session.scalar(select(Campaign).where(Campaign.id == campaign_id).with_for_update(read=True))
    opportunity = await session.get(Opportunity, opportunity_id, with_for_update={"of": Opportunity})
    if opportunity is None:
        raise NotFound  # erased meanwhile
    set_committed_value(opportunity, "campaign", campaign)
    return opportunity


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


@dataclass(frozen=True)
class _Earlier:
    """What a customer has in the campaign already."""

    has_open: bool
    last_added_on: date


async def add_customers(
    session: Session, actor: Actor, campaign_id: UUID, customer_ids: Sequence[UUID]
) -> list[Opportunity | RapportError]:
    """Add customers to a campaign (K2): for each, in order, the new opportunity or why there is none.

    One refusal never spoils others: NotFound and Forbidden (A3), AlreadyInCampaign and WaitingTime (K1).
    Raises NotFound, Forbidden for the campaign.
    """
    campaign = await lock_campaign(session, actor, campaign_id)
    require_can_add(actor, campaign)
    # Held, so that an erasure of one of them waits and then finds the new opportunity.
    customers = {row.id: row for row in await run(session, _CUSTOMERS, list(customer_ids))}
    earlier = {row[0]: _Earlier(*row[1:]) for row in await run(session, _EARLIER, campaign_id, list(customer_ids))}
    moment, outcomes, added = await now(session), list[Opportunity | RapportError](), list[Opportunity]()
    for customer_id in customer_ids:
        try:
            _require_may_add(actor, campaign, customers.get(customer_id), earlier.get(customer_id), moment.today)
        except RapportError as refusal:
            outcomes.append(refusal)
            continue
        opportunity = Opportunity.begin(campaign, customer_id, moment.at)
        earlier[customer_id] = _Earlier(True, moment.today)
        outcomes.append(opportunity)
        added.append(opportunity)
    outbox.add(session, [opportunity.created(caused_by(actor)) for opportunity in added])
    await insert_together(session, added)
    if campaign.automatic and added:
        await drain(session, campaign)
    return outcomes


def _require_may_add(actor: Actor, campaign: Campaign, customer: Any, earlier: _Earlier | None, today: date) -> None:
    if customer is None:
        raise NotFound
    require_may_change(actor, customer.manager_id, customer.viewer_ids)
    if earlier is None:
        return
    if earlier.has_open and not campaign.allow_repeat:
        raise AlreadyInCampaign
    if (today - earlier.last_added_on).days < campaign.waiting_days:
        raise WaitingTime


async def _require_only_open_one(session: Session, opportunity: Opportunity) -> None:
    """Reopening must not make a second open one where the campaign forbids two (K1)."""
    if opportunity.campaign.allow_repeat:
        return
    await advisory_lock(session, f"reopen {opportunity.campaign_id} {opportunity.customer_id}")
    rows = await run(session, _EARLIER, opportunity.campaign_id, [opportunity.customer_id])
    if any(row[1] for row in rows):
        raise AlreadyInCampaign
