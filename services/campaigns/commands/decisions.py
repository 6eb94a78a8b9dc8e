"""Deciding what automation rules do with what changed: whom each takes or leaves, and why (K5).

Decisions are made in the transaction that writes the copy, so none is lost or made twice. What other services do
goes out as events; customers for campaigns are left to the worker, which may lock campaigns.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select

from services.campaigns.domain.automation import (
    Action,
    AddToCampaign,
    AddToGroup,
    Automation,
    CreateTask,
    Rule,
    SetRelationship,
    WhyLeft,
    trees_of,
)
from services.campaigns.domain.condition import Subtrees
from services.campaigns.domain.customer_change import CustomerChange
from shared import outbox
from shared.contracts.work import AutomationActionDecided
from shared.database import Session, run, run_counting
from shared.envelope import new_id

MAX_TREE_DEPTH = 20
KEPT_DAYS = 30

_BELOW = f"""
WITH RECURSIVE below(root, id, depth) AS (
    SELECT id, id, 0 FROM unnest($1::uuid[]) AS wanted(id)
    UNION
    SELECT below.root, classification.id, below.depth + 1
    FROM classification JOIN below ON classification.parent_id = below.id WHERE below.depth < {MAX_TREE_DEPTH}
)
SELECT root, array_agg(DISTINCT id) FROM below GROUP BY root
"""

_TAKEN = """
SELECT automation_id, customer_id, correlation_id
FROM automation_run JOIN unnest($1::uuid[], $2::uuid[], $3::text[]) AS asked(automation_id, customer_id, correlation_id)
     USING (automation_id, customer_id, correlation_id)
WHERE outcome = 'taken'
"""

_HELD = "SELECT id FROM automation WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"

_LAST_HOUR = """
SELECT automation_id, sum(taken)::int FROM automation_minute
WHERE automation_id = ANY($1::uuid[]) AND minute >= date_trunc('minute', clock_timestamp()) - interval '1 hour'
GROUP BY automation_id
"""

_COUNT = """
INSERT INTO automation_minute AS stored (automation_id, minute, taken)
SELECT automation_id, date_trunc('minute', clock_timestamp()), taken
FROM unnest($1::uuid[], $2::int[]) AS news(automation_id, taken)
ON CONFLICT (automation_id, minute) DO UPDATE SET taken = stored.taken + excluded.taken
"""

_LOG = """
INSERT INTO automation_run (id, automation_id, customer_id, outcome, reason, actions, event_id, correlation_id, depth)
SELECT id, automation_id, customer_id, outcome, reason::jsonb, actions::jsonb, event_id, correlation_id, depth
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::int[])
     AS news(id, automation_id, customer_id, outcome, reason, actions, event_id, correlation_id, depth)
"""

_LEAVE_TO_WORKER = """
INSERT INTO automation_task (run_id, place, automation_id, campaign_id, distribute, customer_id, event_id,
                             correlation_id, depth, traceparent)
SELECT run_id, place, automation_id, campaign_id, distribute, customer_id, event_id, correlation_id, depth, traceparent
FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::uuid[], $5::boolean[], $6::uuid[], $7::text[], $8::text[],
            $9::int[], $10::text[]) WITH ORDINALITY
     AS news(run_id, place, automation_id, campaign_id, distribute, customer_id, event_id, correlation_id, depth,
             traceparent, position)
ORDER BY position
"""

Key = tuple[UUID, UUID, str]
"""What a rule takes once: itself, the customer, and the correlation id of whoever began."""

Answer = tuple[Rule, CustomerChange, WhyLeft | None]
"""What a rule said to a change: why it leaves the customer, or None for taking them."""


async def decide(session: Session, changes: Sequence[CustomerChange]) -> None:
    """Ask every active rule about these changes, log each answer, and begin what was decided."""
    rules = await _active_rules(session) if changes else []
    pulled = [(rule, change) for change in changes for rule in rules if rule.is_triggered_by(change)]
    if not pulled:
        return
    answers = await _answers(session, pulled)
    runs, tasks, taken = list[tuple[Any, ...]](), list[tuple[Any, ...]](), Counter[UUID]()
    for rule, change, why in answers:
        run_id, happening = new_id(), change.happening
        begun: list[dict[str, Any]] = []
        if why is None:
            taken[rule.id] += 1
            for place, action in enumerate(rule.actions):
                if isinstance(action, AddToCampaign):
                    tasks.append((run_id, place, rule.id, action.campaign_id, action.distribute, change.customer_id,
                                  happening.event_id, happening.correlation_id, happening.depth,
                                  happening.traceparent))  # fmt: skip
                begun.append(_begin(session, rule, action, change))
        reason = reason_of(rule, change) if why is None else {"code": why}
        runs.append((run_id, rule.id, change.customer_id, "left" if why else "taken", _json(reason), _json(begun),
                     happening.event_id, happening.correlation_id, happening.depth))  # fmt: skip
    await run(session, _LOG, *map(list, zip(*runs, strict=True)))
    if tasks:
        await run(session, _LEAVE_TO_WORKER, *map(list, zip(*tasks, strict=True)))
    if taken:
        await run(session, _COUNT, list(taken), list(taken.values()))


async def forget_runs(session: Session) -> int:
    """Forget what rules did long ago, and deleted rules whose last run is forgotten. Answers how many runs went."""
    gone = await run_counting(
        session,
        "DELETE FROM automation_run WHERE created_at < clock_timestamp() - make_interval(days => $1)",
        KEPT_DAYS,
    )
    await run(session, "DELETE FROM automation_minute WHERE minute < clock_timestamp() - interval '2 hours'")
    await run(
        session,
        "DELETE FROM automation WHERE deleted_at IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM automation_run WHERE automation_id = automation.id)"
        " AND NOT EXISTS (SELECT FROM automation_task WHERE automation_id = automation.id)",
    )
    return gone


async def rules_of(session: Session, automations: Sequence[Automation]) -> list[Rule]:
    """Rules ready to be asked, with the subtrees they name as they are now."""
    wanted = {item for one in automations for item in trees_of(one.trigger, one.condition)}
    subtrees: Subtrees = {}
    if wanted:
        subtrees = {root: frozenset(ids) for root, ids in await run(session, _BELOW, list(wanted))}
    return [Rule(automation, subtrees) for automation in automations]


async def _active_rules(session: Session) -> list[Rule]:
    statement = select(Automation).where(Automation.active, Automation.deleted_at.is_(None))
    found = await session.scalars(statement.order_by(Automation.created_at, Automation.id))
    return await rules_of(session, found.all())


async def _answers(session: Session, pulled: Sequence[tuple[Rule, CustomerChange]]) -> list[Answer]:
    """Whether each rule takes or leaves each customer, in order; rules that may take some are held until the commit."""
    asked: list[Answer] = [(rule, change, rule.why_not(change)) for rule, change in pulled]
    wanted = [_key(rule, change) for rule, change, why in asked if why is None]
    if not wanted:
        return asked
    room = await _room(session, {rule.id: rule.max_per_hour for rule, _, why in asked if why is None})
    taken = {tuple(row) for row in await run(session, _TAKEN, *map(list, zip(*wanted, strict=True)))}
    answers: list[Answer] = []
    for rule, change, refused in asked:
        why: WhyLeft | None = refused
        if why is None and _key(rule, change) in taken:
            why = "already_taken"
        elif why is None and room[rule.id] <= 0:
            why = "limit_per_hour"
        elif why is None:
            taken.add(_key(rule, change))
            room[rule.id] -= 1
        answers.append((rule, change, why))
    return answers


async def _room(session: Session, limits: Mapping[UUID, int]) -> dict[UUID, int]:
    """How many more each rule may take within this hour; held, so that two consumers together keep the limit."""
    await run(session, _HELD, list(limits))
    taken = {row[0]: row[1] for row in await run(session, _LAST_HOUR, list(limits))}
    return {rule_id: limit - taken.get(rule_id, 0) for rule_id, limit in limits.items()}


def _begin(session: Session, rule: Rule, action: Action, change: CustomerChange) -> dict[str, Any]:
    """What the log says of an action just decided; those of other services go out."""
    if isinstance(action, AddToCampaign):
        return {"kind": "add_to_campaign", "campaign_id": action.campaign_id, "state": "pending"}
    action_id, about = new_id(), msgspec.to_builtins(action)
    outbox.add(session, _decided(action_id, rule.id, change.customer_id, action), change.happening.origin())
    return {**about, "state": "decided", "action_id": action_id}


def _decided(action_id: UUID, automation_id: UUID, customer_id: UUID, action: Action) -> AutomationActionDecided:
    known: dict[str, Any] = {"action_id": action_id, "automation_id": automation_id, "customer_id": customer_id}
    if isinstance(action, AddToGroup):
        return AutomationActionDecided(**known, kind="add_to_group", group_id=action.group_id)
    if isinstance(action, SetRelationship):
        return AutomationActionDecided(**known, kind="set_relationship", relationship_id=action.relationship_id)
    assert isinstance(action, CreateTask), "customers are added to campaigns here"
    return AutomationActionDecided(**known, kind="create_task", title=action.title, type=action.type)


def reason_of(rule: Rule, change: CustomerChange) -> dict[str, Any]:
    """Why a rule took a customer: what pulled its trigger."""
    kind = rule.trigger.kind
    if kind == "created":
        return {"code": kind, "origin": change.facts.origin}
    if kind == "relationship_set":
        return {"code": kind, "item_ids": [change.relationship_id]}
    return {"code": kind, "item_ids": sorted(change.group_ids if kind == "group_added" else change.source_ids)}


def _key(rule: Rule, change: CustomerChange) -> Key:
    return rule.id, change.customer_id, change.happening.correlation_id


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
