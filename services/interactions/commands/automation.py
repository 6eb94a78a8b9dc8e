"""Tasks that automation rules decided, each once by the id of its action (K5)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.interactions.commands.recording import record_facts
from services.interactions.commands.trail import keep_task
from services.interactions.domain.facts import LedgerFact
from services.interactions.domain.task import Task
from shared.contracts.events import Cause
from shared.contracts.work import AutomationActionDecided
from shared.database import Session, clock, run
from shared.envelope import Envelope, Origin
from shared.identity import Actor

UNTYPED = "TODO"

_DONE = "SELECT action_id FROM task WHERE action_id = ANY($1::uuid[])"

_HOLD = """
SELECT customer.id, customer.state, employee.id AS manager_id
FROM customer LEFT JOIN employee ON employee.id = customer.manager_id AND employee.active
WHERE customer.id = ANY($1::uuid[]) ORDER BY customer.id FOR SHARE OF customer
"""


async def create_decided_tasks(session: Session, envelopes: Sequence[Envelope[AutomationActionDecided]]) -> None:
    """Begin a task for each such action; its assignee is who is responsible for the customer by now, if anybody.

    For a customer not heard of yet the task waits for them; deleted and erased ones get none.
    """
    decided = {e.event.action_id: (e.event, e.origin) for e in envelopes if e.event and e.event.kind == "create_task"}
    if not decided:
        return
    held = await run(session, _HOLD, [action.customer_id for action, _ in decided.values()])
    customers = {row.id: row for row in held}
    done = set((await run(session, _DONE, list(decided))).scalars())
    now, facts, origins = await clock(session), list[LedgerFact](), list[Origin]()
    for action, origin in decided.values():
        customer = customers.get(action.customer_id)
        if action.action_id in done or (customer is not None and customer.state != "active"):
            continue
        by_rule = Actor("system", f"automation/{action.automation_id}")
        task = _task(by_rule, action, customer, now)
        session.add(task)
        cause = Cause(kind="automation", id=str(action.automation_id))
        await keep_task(session, task, origin=origin(by_rule), cause=cause)
        begun = task.begun()
        facts += begun
        origins += [origin(by_rule)] * len(begun)
    if facts:
        await record_facts(session, facts, origins)


def _task(actor: Actor, action: AutomationActionDecided, customer: Any, at: datetime) -> Task:
    manager_id: UUID | None = None if customer is None else customer.manager_id
    type = (action.type or UNTYPED).upper()
    task = Task.begin(
        actor, [action.customer_id], action.title or type, type, at, assignee_id=manager_id, action_id=action.action_id
    )
    task.awaits_manager = customer is None
    return task
