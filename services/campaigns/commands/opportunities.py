"""Changing one opportunity: its owner, status, value, end."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm.attributes import set_committed_value

from services.campaigns.commands.additions import earlier_in
from services.campaigns.commands.moment import now
from services.campaigns.commands.people import get_active_employee
from services.campaigns.domain.access import require_can_assign, require_can_revise
from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.errors import AlreadyInCampaign, CustomerAway
from services.campaigns.domain.opportunity import Opportunity
from services.campaigns.domain.reason import by_hand, caused_by
from shared import outbox
from shared.database import Session, advisory_lock, run
from shared.errors import Invalid, NotFound
from shared.identity import Actor


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
    opportunity = await lock_opportunity(session, opportunity_id, with_customer="status_id" in values)
    require_can_revise(actor, opportunity)
    status = opportunity.campaign.status(values.get("status_id", opportunity.status_id))
    if status is None:
        raise Invalid.at("/status_id", detail="no status of this campaign")
    opportunity.require_version(expected_version)
    if opportunity.status.closes and not status.closes:
        await _require_may_reopen(session, opportunity)
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


async def lock_opportunity(session: Session, opportunity_id: UUID, *, with_customer: bool = False) -> Opportunity:
    """One opportunity, held until the transaction ends. Raises NotFound for an unknown one.

    Its campaign is held first, shared with others who do the same: people and statuses stay as they are
    meanwhile, and a distribution, which holds the campaign alone, waits or is waited for. Then, if asked, its
    customer: before the opportunity, as whoever hears of the customer does, so that nobody waits in a circle.
    """
    statement = select(Opportunity.campaign_id, Opportunity.customer_id).where(Opportunity.id == opportunity_id)
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        raise NotFound
    campaign = await session.scalar(select(Campaign).where(Campaign.id == found.campaign_id).with_for_update(read=True))
    if with_customer:
        await run(session, "SELECT FROM customer WHERE id = $1 FOR SHARE", found.customer_id)
    opportunity = await session.get(Opportunity, opportunity_id, with_for_update={"of": Opportunity})
    if opportunity is None:
        raise NotFound  # erased meanwhile
    set_committed_value(opportunity, "campaign", campaign)
    return opportunity


async def _require_may_reopen(session: Session, opportunity: Opportunity) -> None:
    """A deleted customer's stays closed (K7), and no second one opens where the campaign forbids two (K1).

    The customer is held.
    """
    there = await run(session, "SELECT FROM customer WHERE id = $1 AND state = 'active'", opportunity.customer_id)
    if there.first() is None:
        raise CustomerAway(opportunity.id)
    if opportunity.campaign.allow_repeat:
        return
    await advisory_lock(session, f"reopen {opportunity.campaign_id} {opportunity.customer_id}")
    earlier = await earlier_in(session, opportunity.campaign_id, [opportunity.customer_id])
    if any(one.has_open for one in earlier.values()):
        raise AlreadyInCampaign
