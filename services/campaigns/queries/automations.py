"""Reading automation rules, what they did, and what they would have done: holders of `campaigns:manage` (R1, K5)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from services.campaigns.domain.automation import Automation
from services.campaigns.domain.condition import Facts
from services.campaigns.domain.customer_change import CustomerChange, Happening
from services.campaigns.queries.opportunities import CustomerName
from services.campaigns.queries.pages import Items, Listing
from shared.access import visible_sql
from shared.database import Session, run
from shared.errors import Forbidden, NotFound
from shared.identity import MANAGE_CAMPAIGNS, SETTINGS, Actor

_ITEM = """
json_build_object(
    'id', automation.id, 'name', automation.name, 'active', automation.active,
    'max_per_hour', automation.max_per_hour, 'trigger', automation.trigger, 'condition', automation.condition,
    'actions', automation.actions, 'since', instant(automation.since), 'created_at', instant(automation.created_at),
    'version', automation.version)
"""

_RUN = """
json_build_object(
    'id', automation_run.id, 'customer_id', automation_run.customer_id,
    'customer', CASE WHEN customer.state = 'active' AND {sees_customer} THEN
        json_build_object('id', customer.id, 'code', customer.code, 'name', customer.name) END,
    'outcome', automation_run.outcome, 'reason', automation_run.reason, 'actions', automation_run.actions,
    'event_id', automation_run.event_id, 'correlation_id', automation_run.correlation_id,
    'depth', automation_run.depth, 'at', instant(automation_run.created_at))
"""

_CHANGES = """
SELECT customer_id, happened_at, created, customer_created_at, group_ids, source_ids, relationship_id,
       facts::text AS facts, event_id, correlation_id, depth
FROM customer_change
WHERE happened_at > clock_timestamp() - interval '7 days' AND {pulled}
ORDER BY happened_at DESC, id DESC LIMIT $1
"""

_PULLED = {
    "created": "created",
    "group_added": "group_ids <> '{}'",
    "source_added": "source_ids <> '{}'",
    "relationship_set": "relationship_id IS NOT NULL",
}


async def get_automation(session: Session, actor: Actor, automation_id: UUID) -> Automation:
    """One rule to be read. Raises NotFound, also without the permission."""
    automation = await session.get(Automation, automation_id)
    if automation is None or automation.deleted_at is not None or not actor.may(MANAGE_CAMPAIGNS):
        raise NotFound
    return automation


def automations_listing(actor: Actor) -> Listing:
    """The rules. Raises Forbidden without `campaigns:manage`."""
    if not actor.may(MANAGE_CAMPAIGNS):
        raise Forbidden({"permission": MANAGE_CAMPAIGNS})
    return Listing([], "automation", "", lambda _: (_ITEM, []), ["automation.deleted_at IS NULL"])


def runs_listing(actor: Actor, automation: Automation, outcome: str | None, customer_id: UUID | None) -> Listing:
    """Whom a rule took or left, and why; names only of customers the actor sees."""
    joins = "LEFT JOIN customer ON customer.id = automation_run.customer_id"
    listing = Listing([str(automation.id), outcome, str(customer_id)], "automation_run", joins, _runs_for(actor))
    listing.conditions.append(f"automation_run.automation_id = {listing.parameter(automation.id)}")
    if outcome is not None:
        listing.conditions.append(f"automation_run.outcome = {listing.parameter(outcome)}")
    if customer_id is not None:
        listing.conditions.append(f"automation_run.customer_id = {listing.parameter(customer_id)}")
    return listing


async def recent_changes(session: Session, kind: str, limit: int) -> list[CustomerChange]:
    """The last 7 days' changes that may pull a trigger of this kind: the newest `limit`, oldest first."""
    rows = await run(session, _CHANGES.format(pulled=_PULLED[kind]), limit)
    changes = [
        CustomerChange(
            customer_id=row.customer_id,
            created=row.created,
            created_at=row.customer_created_at,
            group_ids=frozenset(row.group_ids),
            source_ids=frozenset(row.source_ids),
            relationship_id=row.relationship_id,
            facts=msgspec.json.decode(row.facts, type=Facts),
            happening=Happening(row.happened_at, row.event_id, row.correlation_id, row.depth),
        )
        for row in rows
    ]
    return changes[::-1]


async def visible_names(session: Session, actor: Actor, customer_ids: Sequence[UUID]) -> dict[UUID, CustomerName]:
    """The names of those of the customers that the actor sees (A2)."""
    condition, parameters = visible_sql(actor, "customer", 2)
    found = await run(
        session,
        f"SELECT id, code, name FROM customer WHERE id = ANY($1::uuid[]) AND state = 'active' AND {condition}",
        list(customer_ids),
        *parameters,
    )
    return {row.id: CustomerName(*row) for row in found}


def allowed_on_automation(actor: Actor) -> list[str]:
    """What the actor may do with a rule."""
    return ["change", "delete"] if actor.may(MANAGE_CAMPAIGNS) and actor.may(SETTINGS) else []


def _runs_for(actor: Actor) -> Items:
    def items(first: int) -> tuple[str, list[Any]]:
        sees_customer, parameters = visible_sql(actor, "customer", first)
        return _RUN.format(sees_customer=sees_customer), parameters

    return items
