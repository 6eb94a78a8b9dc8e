"""Replacing a campaign's staff (K1, K4)."""

from collections.abc import Sequence
from uuid import UUID

from services.campaigns.commands.campaigns import lock_campaign
from services.campaigns.commands.distribution import redistribute, release_resting
from services.campaigns.commands.people import require_active
from services.campaigns.domain.access import require_can_manage
from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.reason import caused_by
from services.campaigns.domain.staff import StaffMember
from shared import outbox
from shared.database import Session
from shared.identity import Actor


async def replace_staff(
    session: Session,
    actor: Actor,
    campaign_id: UUID,
    members: Sequence[StaffMember],
    expected_version: int | None = None,
) -> Campaign:
    """Have exactly these people as staff; the open opportunities of those who leave are handed on (K4), those that rest
    with their customers when these are back (K7).

    Raises NotFound, Forbidden, Invalid for new people who are unknown or inactive, VersionConflict.
    """
    campaign = await lock_campaign(session, actor, campaign_id)
    require_can_manage(actor, campaign)
    before = campaign.staff_ids
    named = {f"/items/{index}/employee_id": [member.employee_id] for index, member in enumerate(members)}
    await require_active(session, named, before)
    campaign.require_version(expected_version)
    outbox.add(session, campaign.replace_staff(caused_by(actor), members))
    leaving = [employee_id for employee_id in before if employee_id not in set(campaign.staff_ids)]
    if leaving:
        await redistribute(session, campaign, leaving)
        await release_resting(session, campaign, leaving)
    return campaign
