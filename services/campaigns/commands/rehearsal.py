"""What an automation rule would have done with the last 7 days' changes, writing nothing (K5)."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from services.campaigns.commands.automations import require_rule
from services.campaigns.commands.decisions import reason_of, rules_of
from services.campaigns.domain.automation import Automation, Rule, WhyLeft
from services.campaigns.domain.customer_change import CustomerChange
from services.campaigns.queries.automations import recent_changes, visible_names
from services.campaigns.queries.opportunities import CustomerName
from shared.database import Session, clock
from shared.envelope import new_id
from shared.identity import Actor

MAX_CHANGES = 50_000
"""The newest changes that are looked at."""

MAX_SHOWN = 1_000

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Rehearsed:
    """What would have become of one change."""

    customer_id: Any
    customer: CustomerName | None
    outcome: str
    reason: dict[str, Any]
    at: Any


@dataclass(frozen=True)
class Rehearsal:
    """The newest answers, how many there were of each, and whether all changes of the 7 days were looked at."""

    items: list[Rehearsed]
    taken: int
    left: int
    complete: bool


async def rehearse(session: Session, actor: Actor, values: dict[str, Any], wait_seconds: float) -> Rehearsal:
    """Ask a rule, as if it had been there, about the last 7 days' changes.

    Raises Forbidden, Invalid, as for writing it.
    """
    await require_rule(session, actor, values, wait_seconds)
    at = await clock(session)
    begun = at - timedelta(days=8)  # before every change that is kept
    [rule] = await rules_of(session, [Automation(**values, id=new_id(), since=begun, created_at=at, version=1)])
    changes = await recent_changes(session, rule.trigger.kind, MAX_CHANGES + 1)
    complete = len(changes) <= MAX_CHANGES
    answers = _answers(rule, [change for change in changes[-MAX_CHANGES:] if rule.is_triggered_by(change)])
    taken = sum(1 for _, why in answers if why is None)
    shown = answers[::-1][:MAX_SHOWN]
    names = await visible_names(session, actor, [change.customer_id for change, _ in shown])
    items = [
        Rehearsed(
            change.customer_id,
            names.get(change.customer_id),
            "left" if why else "taken",
            {"code": why} if why else reason_of(rule, change),
            change.happening.at,
        )
        for change, why in shown
    ]
    return Rehearsal(items, taken, len(answers) - taken, complete)


def _answers(rule: Rule, changes: Sequence[CustomerChange]) -> list[tuple[CustomerChange, WhyLeft | None]]:
    """As the rule would have answered, in order, its limit per hour and its loops cut included."""
    taken, hour = set[tuple[Any, str]](), deque[Any]()
    answers: list[tuple[CustomerChange, WhyLeft | None]] = []
    for change in changes:
        key, at, why = (change.customer_id, change.happening.correlation_id), change.happening.at, rule.why_not(change)
        while hour and hour[0] <= at - HOUR:
            hour.popleft()
        if why is None and key in taken:
            why = "already_taken"
        elif why is None and len(hour) >= rule.max_per_hour:
            why = "limit_per_hour"
        elif why is None:
            taken.add(key)
            hour.append(at)
        answers.append((change, why))
    return answers
