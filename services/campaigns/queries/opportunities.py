"""Reading opportunities: owner, managers and relevant persons see them; customer fields who sees the customer (R1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm.attributes import set_committed_value

from services.campaigns.domain.access import relevant_campaigns, require_can_see
from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.opportunity import Opportunity
from services.campaigns.queries.pages import Driver, Items, Listing
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

_JOINS = """
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

    Of a campaign they are not relevant to these are their own ones only.
    """
    listing = Listing(_described(wanted), "opportunity", _JOINS, _items_for(actor))
    _restrict(listing, wanted)
    listing.drivers = _drivers(
        listing, actor, wanted, await _relevant_campaign_ids(session, actor, wanted.campaign_ids)
    )
    return listing


def _drivers(listing: Listing, actor: Actor, wanted: OpportunityFilter, relevant_ids: list[UUID]) -> list[Driver]:
    """Where the actor's rows lie. No driver is told what it implies already: the planner would take the
    two conditions for independent, expect next to no rows, and sort thousands.
    """
    relevant, named = listing.parameter(relevant_ids), ()
    in_relevant = f"opportunity.campaign_id = ANY({relevant}::uuid[])"
    if wanted.campaign_ids:
        named = (f"opportunity.campaign_id = ANY({listing.parameter(list(wanted.campaign_ids))}::uuid[])",)
    if wanted.customer_ids:
        seen = f"(opportunity.owner_id = {listing.parameter(actor.employee_id)}::uuid OR {in_relevant})"
        return [Driver("customer_id", listing.parameter(list(wanted.customer_ids)), (seen, *named))]
    if wanted.owner_ids:
        own = [owner_id for owner_id in wanted.owner_ids if owner_id == actor.employee_id]
        others = [owner_id for owner_id in wanted.owner_ids if owner_id != actor.employee_id]
        return [
            Driver("owner_id", listing.parameter(own), named),
            Driver("owner_id", listing.parameter(others), (in_relevant,)),
        ]
    return [Driver("campaign_id", relevant), Driver("owner_id", listing.parameter([actor.employee_id]), named)]


def _items_for(actor: Actor) -> Items:
    def items(first: int) -> tuple[str, list[Any]]:
        me = f"${first}::uuid"
        sees_customer, parameters = visible_sql(actor, "customer", first + 1)
        manages = f"campaign.manager_ids @> ARRAY[{me}]"
        return _ITEM.format(sees_customer=sees_customer, manages=manages, me=me), [actor.employee_id, *parameters]

    return items


def _restrict(listing: Listing, wanted: OpportunityFilter) -> None:
    listing.conditions.append("opportunity.state = 'open'" if wanted.queued else "opportunity.state <> 'removed'")
    if wanted.queued:
        listing.conditions += [
            "opportunity.owner_id IS NULL",
            "opportunity.queued_at IS NOT NULL",
            "opportunity.status_id IN (SELECT id FROM campaign_status WHERE kind = 'open')",
        ]
    if wanted.status_ids:
        listing.conditions.append(f"opportunity.status_id = ANY({listing.parameter(list(wanted.status_ids))}::uuid[])")
    if wanted.owner_ids and wanted.customer_ids:
        listing.conditions.append(f"opportunity.owner_id = ANY({listing.parameter(list(wanted.owner_ids))}::uuid[])")


async def _relevant_campaign_ids(session: Session, actor: Actor, among: Sequence[UUID]) -> list[UUID]:
    condition, parameters = relevant_campaigns(actor, "campaign", 1)
    if among:
        condition += f" AND campaign.id = ANY(${len(parameters) + 1}::uuid[])"
        parameters = [*parameters, list(among)]
    found = await run(session, f"SELECT id FROM campaign WHERE state = 'active' AND {condition}", *parameters)
    return list(found.scalars())


def _described(wanted: OpportunityFilter) -> list[object]:
    ids = (wanted.campaign_ids, wanted.status_ids, wanted.owner_ids, wanted.customer_ids)
    return [*(sorted(map(str, some)) for some in ids), wanted.queued]
