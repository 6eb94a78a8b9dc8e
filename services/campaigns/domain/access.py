"""Who may read and write campaigns and opportunities (R1). Managers count as relevant persons (K1)."""

from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.opportunity import Opportunity
from shared.errors import Forbidden, NotFound
from shared.identity import MANAGE_CAMPAIGNS, Actor


def is_manager(actor: Actor, campaign: Campaign) -> bool:
    """Whether the actor manages the campaign."""
    return actor.employee_id is not None and actor.employee_id in campaign.manager_ids


def is_relevant(actor: Actor, campaign: Campaign) -> bool:
    """Whether the actor is a manager or a relevant person of the campaign."""
    return is_manager(actor, campaign) or (actor.employee_id is not None and actor.employee_id in campaign.relevant_ids)


def may_read(actor: Actor, campaign: Campaign) -> bool:
    """Managers, relevant persons, staff, and holders of `campaigns:manage`."""
    return is_relevant(actor, campaign) or actor.may(MANAGE_CAMPAIGNS) or actor.employee_id in campaign.staff_ids


def visible_campaigns(actor: Actor, alias: str, first: int) -> tuple[str, list[object]]:
    """`may_read` as a condition on rows of `campaign`, with its parameters numbered from `$first`."""
    if actor.may(MANAGE_CAMPAIGNS):
        return "true", []
    relevant, parameters = relevant_campaigns(actor, alias, first)
    on_staff = (
        f"EXISTS (SELECT FROM campaign_staff AS member"
        f" WHERE member.campaign_id = {alias}.id AND member.employee_id = ${first})"
    )
    return (f"({relevant} OR {on_staff})", parameters) if parameters else ("false", [])


def relevant_campaigns(actor: Actor, alias: str, first: int) -> tuple[str, list[object]]:
    """`is_relevant` as a condition on rows of `campaign`, with its parameters numbered from `$first`."""
    if actor.employee_id is None:
        return "false", []
    return f"({alias}.manager_ids @> ARRAY[${first}::uuid] OR {alias}.relevant_ids @> ARRAY[${first}::uuid])", [
        actor.employee_id
    ]


def require_can_read(actor: Actor, campaign: Campaign) -> None:
    """Raises NotFound for a campaign the actor may not know of."""
    if campaign.state != "active" or not may_read(actor, campaign):
        raise NotFound


def require_can_manage(actor: Actor, campaign: Campaign) -> None:
    """Change, staff, statuses, distribution: managers. Raises NotFound, Forbidden."""
    require_can_read(actor, campaign)
    if not is_manager(actor, campaign):
        raise Forbidden


def require_can_add(actor: Actor, campaign: Campaign) -> None:
    """Add customers: managers and relevant persons (their right to each customer is checked one by one, K2)."""
    require_can_read(actor, campaign)
    if not is_relevant(actor, campaign):
        raise Forbidden


def require_can_see(actor: Actor, opportunity: Opportunity) -> None:
    """Raises NotFound unless owner, or manager or relevant person of the campaign."""
    if opportunity.state == "removed" or opportunity.campaign.state != "active":
        raise NotFound
    if not (_owns(actor, opportunity) or is_relevant(actor, opportunity.campaign)):
        raise NotFound


def require_can_revise(actor: Actor, opportunity: Opportunity) -> None:
    """Status, value, probability: the owner and the campaign's managers. Raises NotFound, Forbidden."""
    require_can_see(actor, opportunity)
    if not (_owns(actor, opportunity) or is_manager(actor, opportunity.campaign)):
        raise Forbidden


def require_can_assign(actor: Actor, opportunity: Opportunity) -> None:
    """Owner, removal: the campaign's managers. Raises NotFound, Forbidden."""
    require_can_see(actor, opportunity)
    if not is_manager(actor, opportunity.campaign):
        raise Forbidden


def allowed_on_campaign(actor: Actor, campaign: Campaign) -> list[str]:
    """What the actor may do with a campaign."""
    if is_manager(actor, campaign):
        return ["change", "delete", "staff", "statuses", "distribution", "distribute", "add"]
    return ["add"] if is_relevant(actor, campaign) else []


def allowed_on_opportunity(actor: Actor, opportunity: Opportunity) -> list[str]:
    """What the actor may do with an opportunity."""
    if is_manager(actor, opportunity.campaign):
        return ["change", "assign", "delete"]
    return ["change"] if _owns(actor, opportunity) else []


def _owns(actor: Actor, opportunity: Opportunity) -> bool:
    return actor.employee_id is not None and opportunity.owner_id == actor.employee_id
