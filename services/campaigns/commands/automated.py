"""Adding the customers that automation rules took to campaigns: a campaign at a time, in the rules' order (K2, K5).

A task is done, and its outcome logged, in the transaction that adds the customer: no crash repeats or loses one.
The tasks' rows are not locked: an erasure, which holds its customer, deletes them, and is waited for at the customer.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from services.campaigns.commands.additions import begin_opportunities
from services.campaigns.commands.batches import insert_together
from services.campaigns.commands.campaigns import lock_campaigns
from services.campaigns.commands.distribution import AddedByRule, hand_over_added
from services.campaigns.domain.opportunity import Opportunity
from services.campaigns.domain.reason import caused_by_rule
from shared import outbox
from shared.database import Session, run
from shared.envelope import Origin
from shared.errors import NotFound, RapportError
from shared.identity import SYSTEM

STEP = 500
"""Customers added in one transaction, which holds the campaign."""

_NEXT = """
SELECT id, run_id, place, automation_id, distribute, customer_id, event_id, correlation_id, depth, traceparent
FROM automation_task WHERE campaign_id = $1 ORDER BY id LIMIT $2
"""

_OUTCOMES = """
UPDATE automation_run AS run SET actions = jsonb_set(run.actions, ARRAY[done.place::text],
    (run.actions -> done.place) || done.outcome::jsonb)
FROM unnest($1::uuid[], $2::int[], $3::text[]) AS done(run_id, place, outcome) WHERE run.id = done.run_id
"""


async def next_campaign(session: Session) -> UUID | None:
    """The campaign for which rules took a customer first of those who wait."""
    found = await run(session, "SELECT campaign_id FROM automation_task ORDER BY id LIMIT 1")
    return found.scalar_one_or_none()


async def add_taken(session: Session, campaign_id: UUID, limit: int = STEP) -> int:
    """Add the next customers that rules took for a campaign, and hand out those that shall be; answers how many."""
    campaign = next(iter(await lock_campaigns(session, [campaign_id])), None)
    tasks = (await run(session, _NEXT, campaign_id, limit)).all()
    outcomes: list[Opportunity | RapportError] = [NotFound() for _ in tasks]
    if campaign is not None and campaign.state == "active" and tasks:
        outcomes = await begin_opportunities(session, SYSTEM, campaign, [task.customer_id for task in tasks])
        opportunities = [outcome for outcome in outcomes if isinstance(outcome, Opportunity)]
        added: dict[UUID, AddedByRule] = {}
        for task, opportunity in zip(tasks, outcomes, strict=True):
            if isinstance(opportunity, Opportunity):
                origin = Origin(SYSTEM, task.correlation_id, task.event_id, task.depth + 1, task.traceparent)
                outbox.add(session, opportunity.created(caused_by_rule(task.automation_id)), origin)
                if task.distribute or campaign.automatic:
                    added[opportunity.id] = AddedByRule(task.automation_id, origin)
        await insert_together(session, opportunities)
        if added:
            await hand_over_added(session, campaign, added)
    await _finish(session, tasks, [_outcome(outcome) for outcome in outcomes])
    return len(tasks)


async def give_up_task(session: Session, campaign_id: UUID) -> None:
    """Log the next task as failed by a fault of ours: trying for ever would hold up everything behind it."""
    tasks = (await run(session, _NEXT, campaign_id, 1)).all()
    await _finish(session, tasks, [{"state": "failed", "error": {"code": "internal_error"}}] * len(tasks))


async def _finish(session: Session, tasks: Sequence[Any], outcomes: Sequence[dict[str, Any]]) -> None:
    if tasks:
        rows = [
            (task.run_id, task.place, msgspec.json.encode(outcome).decode())
            for task, outcome in zip(tasks, outcomes, strict=True)
        ]
        await run(session, _OUTCOMES, *map(list, zip(*rows, strict=True)))
        await run(session, "DELETE FROM automation_task WHERE id = ANY($1::bigint[])", [task.id for task in tasks])


def _outcome(outcome: Opportunity | RapportError) -> dict[str, Any]:
    if isinstance(outcome, RapportError):
        return {"state": "failed", "error": {"code": outcome.code}}
    return {"state": "done", "opportunity_id": outcome.id}
