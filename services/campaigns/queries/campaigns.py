"""Reading campaigns: one, or a list of those the actor may know of (R1)."""

from uuid import UUID

from services.campaigns.domain.access import relevant_campaigns, require_can_read, visible_campaigns
from services.campaigns.domain.campaign import Campaign
from services.campaigns.queries.pages import Listing
from shared.database import Session
from shared.errors import NotFound
from shared.identity import Actor

_ITEM = """
json_build_object(
    'id', campaign.id, 'code', campaign.code, 'name', campaign.name, 'state', campaign.state,
    'starts_on', campaign.starts_on, 'ends_on', campaign.ends_on,
    'manager_ids', campaign.manager_ids, 'relevant_ids', campaign.relevant_ids,
    'staff_ids', (SELECT coalesce(json_agg(employee_id ORDER BY position), '[]') FROM campaign_staff
                  WHERE campaign_id = campaign.id),
    'allow_repeat', campaign.allow_repeat, 'waiting_days', campaign.waiting_days,
    'manager_policy', campaign.manager_policy, 'keep_previous_as_viewer', campaign.keep_previous_as_viewer,
    'statuses', (SELECT json_agg(json_build_object('id', id, 'name', name, 'kind', kind, 'position', position,
                                                   'start', start) ORDER BY position)
                 FROM campaign_status WHERE campaign_id = campaign.id),
    'created_at', instant(campaign.created_at), 'version', campaign.version)
"""


async def get_campaign(session: Session, actor: Actor, campaign_id: UUID) -> Campaign:
    """One campaign to be read. Raises NotFound."""
    campaign = await session.get(Campaign, campaign_id)
    if campaign is None:
        raise NotFound
    require_can_read(actor, campaign)
    return campaign


def campaigns_listing(actor: Actor, relevant_to_me: bool) -> Listing:
    """The live campaigns the actor may know of; on demand only those they are a relevant person of."""
    which = relevant_campaigns if relevant_to_me else visible_campaigns
    condition, parameters = which(actor, "campaign", 1)
    return Listing(
        query=[relevant_to_me],
        table="campaign",
        joins="",
        items=lambda _: (_ITEM, []),
        conditions=["campaign.state = 'active'", condition],
        parameters=parameters,
    )
