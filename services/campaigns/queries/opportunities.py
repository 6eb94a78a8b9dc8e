"""Reading opportunities: owner, managers and relevant persons see them; customer fields who sees the customer (R1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm.attributes import set_committed_value

from services.campaigns.domain.access import relevant_campaigns, require_can_see
from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.opportunity import Opportunity
from services.campaigns.queries.pages import Listing
from shared.access import visible_sql
from shared.database import Session, run
from shared.errors import NotFound
from shared.identity import Actor

_ITEM = """
json_build_object(
    'id', opportunity.id, 'campaign_id', opportunity.campaign_id, 'customer_id', opportunity.customer_id,
    'customer', CASE WHEN customer.state = 'active' AND {sees_customer} THEN
        json_build_object('id', customer.id, 'code', customer.code, 'name', customer.name) END,
    'owner_id', opportunity.owner_id, 'owner_assigned_at', instant(opportunity.owner_assigned_at),
    'status_id', opportunity.status_id,
    'value', CASE WHEN opportunity.value_amount IS NOT NULL THEN
        json_build_object('amount', opportunity.value_amount, 'currency', opportunity.value_currency) END,
    'probability', opportunity.probability, 'state', opportunity.state, 'reason', opportunity.reason,
    'queued_at', instant(opportunity.queued_at), 'created_at', instant(opportunity.created_at),
    'version', opportunity.version,
    'allowed', CASE WHEN {manages} THEN '["change","assign","delete"]'::json
                    WHEN opportunity.owner_id = {me} THEN '["change"]'::json ELSE '[]'::json END)
"""

_TABLES = """
opportunity
JOIN campaign ON campaign.id = opportunity.campaign_id
LEFT JOIN customer ON customer.id = opportunity.customer_id
"""


@dataclass(frozen=True)
class CustomerName:
    """What an opportunity shows of its customer."""

    id: UUID
    code: str
    name: str


@dataclass(frozen=True)
class OpportunityFilter:
    """Which opportunities; an empty list does not restrict."""

    campaign_ids: Sequence[UUID] = ()
    status_ids: Sequence[UUID] = ()
    owner_ids: Sequence[UUID] = ()
    customer_ids: Sequence[UUID] = ()
    queued: bool = False


async def get_opportunity(session: Session, actor: Actor, opportunity_id: UUID) -> Opportunity:
    """One opportunity to be read. Raises NotFound."""
    opportunity = await session.get(Opportunity, opportunity_id)
    if opportunity is None:
        raise NotFound
    campaign = await session.get_one(Campaign, opportunity.campaign_id)
    set_committed_value(opportunity, "campaign", campaign)
    require_can_see(actor, opportunity)
    return opportunity


async def visible_customer(session: Session, actor: Actor, customer_id: UUID) -> CustomerName | None:
    """The customer's name for those who see the customer (A2)."""
    condition, parameters = visible_sql(actor, "customer", 2)
    found = await run(
        session,
        f"SELECT id, code, name FROM customer WHERE id = $1 AND state = 'active' AND {condition}",
        customer_id,
        *parameters,
    )
    row = found.one_or_none()
    return CustomerName(*row) if row is not None else None


async def opportunities_listing(session: Session, actor: Actor, wanted: OpportunityFilter) -> Listing:
    """The opportunities that meet the filter and that the actor sees.

    A campaign the actor is not relevant to shows them their own ones only.
    """
    listing = Listing("opportunities", _described(wanted), "", _TABLES, "opportunity")
    me = listing.parameter(actor.employee_id) + "::uuid"
    sees_customer, parameters = visible_sql(actor, "customer", listing.next_parameter)
    listing.parameters += parameters
    listing.items = _ITEM.format(sees_customer=sees_customer, manages=f"campaign.manager_ids @> ARRAY[{me}]", me=me)
    relevant = await _relevant_campaign_ids(session, actor, wanted.campaign_ids)
    listing.conditions += ["opportunity.state <> 'removed'", "campaign.state = 'active'"]
    _restrict(listing, wanted)
    if relevant and set(wanted.campaign_ids) == set(relevant):
        return listing  # all of these are the actor's to see, no need to look at each owner
    listing.conditions.append(
        f"(opportunity.owner_id = {me} OR opportunity.campaign_id = ANY({listing.parameter(relevant)}::uuid[]))"
        if relevant
        else f"opportunity.owner_id = {me}"
    )
    return listing


def _restrict(listing: Listing, wanted: OpportunityFilter) -> None:
    for column, ids in (
        ("campaign_id", wanted.campaign_ids),
        ("status_id", wanted.status_ids),
        ("owner_id", wanted.owner_ids),
        ("customer_id", wanted.customer_ids),
    ):
        if len(ids) == 1:
            listing.conditions.append(f"opportunity.{column} = {listing.parameter(ids[0])}::uuid")
        elif ids:
            listing.conditions.append(f"opportunity.{column} = ANY({listing.parameter(list(ids))}::uuid[])")
    if wanted.queued:
        listing.conditions += [
            "opportunity.owner_id IS NULL",
            "opportunity.state = 'open'",
            "opportunity.queued_at IS NOT NULL",
            "opportunity.status_id IN (SELECT id FROM campaign_status WHERE kind = 'open')",
        ]


async def _relevant_campaign_ids(session: Session, actor: Actor, among: Sequence[UUID]) -> list[UUID]:
    condition, parameters = relevant_campaigns(actor, "campaign", 1)
    if among:
        condition += f" AND campaign.id = ANY(${len(parameters) + 1}::uuid[])"
        parameters = [*parameters, list(among)]
    found = await run(session, f"SELECT id FROM campaign WHERE state = 'active' AND {condition}", *parameters)
    return list(found.scalars())


def _described(wanted: OpportunityFilter) -> dict[str, object]:
    return {
        "campaigns": sorted(map(str, wanted.campaign_ids)),
        "statuses": sorted(map(str, wanted.status_ids)),
        "owners": sorted(map(str, wanted.owner_ids)),
        "customers": sorted(map(str, wanted.customer_ids)),
        "queued": wanted.queued,
    }
