"""Replacing a campaign's statuses (K1)."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from services.campaigns.commands.batches import lock_batch, write_together
from services.campaigns.commands.campaigns import lock_campaign
from services.campaigns.domain.access import require_can_manage
from services.campaigns.domain.campaign import Campaign, StatusPlan
from services.campaigns.domain.errors import StatusInUse
from services.campaigns.domain.opportunity import Opportunity
from services.campaigns.domain.reason import caused_by
from shared import outbox
from shared.contracts.events import Event
from shared.database import Session
from shared.errors import Invalid
from shared.identity import Actor


async def replace_statuses(
    session: Session,
    actor: Actor,
    campaign_id: UUID,
    plans: Sequence[StatusPlan],
    replacements: dict[UUID, UUID],
    expected_version: int | None = None,
) -> Campaign:
    """Have these statuses, in this order; `replacements` say where the opportunities of those that go move to.

    Raises NotFound, Forbidden, Invalid for ids of no status, VersionConflict, StatusInUse.
    """
    campaign = await lock_campaign(session, actor, campaign_id)
    require_can_manage(actor, campaign)
    known = {status.id for status in campaign.statuses}
    kept = {plan.id for plan in plans if plan.id is not None}
    if not kept | replacements.keys() <= known:
        raise Invalid.at("/items", detail="an id that is no status of this campaign")
    if not set(replacements.values()) <= kept:
        raise Invalid.at("/items", detail="a replacement that does not stay")
    campaign.require_version(expected_version)
    await _require_none_reopens(session, campaign, plans, replacements)
    await _empty(session, actor, campaign, known - kept, replacements)
    outbox.add(session, campaign.replace_statuses(caused_by(actor), plans))
    return campaign


async def _require_none_reopens(
    session: Session, campaign: Campaign, plans: Sequence[StatusPlan], replacements: dict[UUID, UUID]
) -> None:
    """What is closed opens one by one only, where it is asked whether it may: its customer may be deleted (K7), or
    have another open one (K1).
    """
    opening = {plan.id for plan in plans if plan.kind == "open"}
    reopening = [one.id for one in campaign.statuses if one.closes and replacements.get(one.id, one.id) in opening]
    closed = select(Opportunity.status_id).where(
        Opportunity.campaign_id == campaign.id, Opportunity.state != "removed", Opportunity.status_id.in_(reopening)
    )
    in_use = await session.scalar(closed.limit(1))
    if in_use is not None:
        raise StatusInUse(in_use)


async def _empty(
    session: Session, actor: Actor, campaign: Campaign, going: set[UUID], replacements: dict[UUID, UUID]
) -> None:
    """Move the opportunities out of the statuses that go; removed ones stay as they were."""
    cause = caused_by(actor)
    in_the_way = (Opportunity.state != "removed", Opportunity.status_id.in_(going))
    while batch := await lock_batch(session, campaign, *in_the_way):
        events: list[Event] = []
        for opportunity in batch:
            status = campaign.status(replacements.get(opportunity.status_id, opportunity.status_id))
            if status is None or status.id in going:
                raise StatusInUse(opportunity.status_id)
            events += opportunity.move(status, cause)
        await write_together(session, batch)
        outbox.add(session, events)
