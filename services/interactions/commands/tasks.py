"""Tasks: one write each, with what the ledger is told about it in the same transaction (I4, L1, L4).

Each holds the task's customers first, so that neither a lost right nor an erasure is passed by.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select

from services.interactions.commands.recording import record_facts
from services.interactions.commands.trail import entry, keep_task, write_entries
from services.interactions.domain.access import require_employee
from services.interactions.domain.facts import LedgerFact
from services.interactions.domain.task import Task
from services.interactions.queries.customers import VisibleCustomer, hold_customers
from shared import outbox
from shared.access import load_actor, visible_customers
from shared.database import Session, clock, run
from shared.errors import InactiveEmployee, Invalid, NotFound
from shared.identity import Actor, Identity

_FORGET_SHARED = """
UPDATE task SET
    customer_ids = ARRAY(SELECT id FROM unnest(customer_ids) WITH ORDINALITY AS kept(id, place)
                         WHERE id <> ALL($1::uuid[]) ORDER BY place),
    related_ids = ARRAY(SELECT id FROM unnest(related_ids) WITH ORDINALITY AS kept(id, place)
                        WHERE id <> ALL($1::uuid[]) ORDER BY place),
    title = type,
    version = version + 1
WHERE related_ids && $1::uuid[]
"""

_GIVE_TO_MANAGER = """
UPDATE task SET assignee_id = customer.manager_id, awaits_manager = false, version = task.version + 1
FROM customer
WHERE awaits_manager AND related_ids && $1::uuid[] AND customer.id = ANY($1::uuid[]) AND customer.id = ANY(related_ids)
RETURNING task.id, customer.id AS customer_id, assignee_id
"""


class NewTask(NamedTuple):
    """A task as somebody asks for it."""

    title: str
    type: str
    customer_ids: Sequence[UUID]
    assignee_id: UUID | None = None
    due_at: datetime | None = None


async def create_task(session: Session, actor: Actor, asked: NewTask) -> Task:
    """Begin a task about customers the actor sees.

    Raises Forbidden for a service, NotFound, Invalid for an assignee who does not see each of the customers.
    """
    require_employee(actor)
    await _hold_all(session, actor, asked.customer_ids)
    await _require_seeing(session, actor, asked.assignee_id, asked.customer_ids)
    task = Task.begin(
        actor, asked.customer_ids, asked.title, asked.type, await clock(session), asked.assignee_id, asked.due_at
    )
    session.add(task)
    await keep_task(session, task)
    await _tell(session, task.begun())
    return task


async def revise_task(
    session: Session, actor: Actor, task_id: UUID, values: dict[str, Any], expected_version: int | None = None
) -> Task:
    """Change title, type, customers, assignee or due time. Customers the actor does not see stay with the task.

    Raises NotFound, Forbidden, Invalid for a new assignee who does not see each of the customers, or one who does not
    see each that is added, VersionConflict, Conflict `wrong_state`.
    """
    task, visible = await _hold_changeable(session, actor, task_id)
    if "customer_ids" in values:
        asked: list[UUID] = values["customer_ids"]
        await _hold_all(session, actor, asked)
        hidden = set(task.customer_ids) - {customer.id for customer in visible}
        values = {**values, "customer_ids": asked + [one for one in task.customer_ids if one in hidden - set(asked)]}
    assignee_id, about = values.get("assignee_id", task.assignee_id), values.get("customer_ids", task.customer_ids)
    kept = task.customer_ids if assignee_id == task.assignee_id else []
    await _require_seeing(session, actor, assignee_id, set(about) - set(kept))
    task.require_version(expected_version)
    facts = task.revise(values, await clock(session))
    await keep_task(session, task)
    await _tell(session, facts)
    return task


async def move_task(
    session: Session,
    actor: Actor,
    task_id: UUID,
    move: Callable[[Task, datetime], list[LedgerFact]],
    expected_version: int | None = None,
) -> Task:
    """Complete, reopen, cancel or uncancel a task.

    Raises NotFound, Forbidden, VersionConflict, Conflict `wrong_state`.
    """
    task, _ = await _hold_changeable(session, actor, task_id)
    task.require_version(expected_version)
    facts = move(task, await clock(session))
    await keep_task(session, task)
    await _tell(session, facts)
    return task


async def delete_task(session: Session, actor: Actor, task_id: UUID, expected_version: int | None = None) -> None:
    """Remove a task; it counts no more (I4, L4). Raises NotFound, Forbidden, VersionConflict."""
    task, _ = await _hold_changeable(session, actor, task_id)
    task.require_version(expected_version)
    await keep_task(session, task, deleted=True)
    await _tell(session, task.deleted(await clock(session)))
    await session.delete(task)


async def give_to_managers(session: Session, customer_ids: Sequence[UUID]) -> None:
    """Tasks that an automation made for customers not heard of before go to those responsible for them (K5)."""
    given = [row for row in await run(session, _GIVE_TO_MANAGER, list(customer_ids)) if row.assignee_id is not None]
    entries = [
        entry(session, row.customer_id, "task", row.id, {"assignee_id": {"old": None, "new": row.assignee_id}})
        for row in given
    ]
    await write_entries(session, entries)


async def forget_tasks(session: Session, customer_ids: Sequence[UUID]) -> None:
    """Remove tasks about erased customers (C8). One that is about others too stays theirs, without its words."""
    await run(session, "DELETE FROM task WHERE customer_ids <@ $1::uuid[] AND related_ids && $1::uuid[]", customer_ids)
    await run(session, _FORGET_SHARED, customer_ids)


class _Held(NamedTuple):
    """A task whose row and customers are locked, and those of its customers that the actor sees."""

    task: Task
    visible: list[VisibleCustomer]


async def _hold_changeable(session: Session, actor: Actor, task_id: UUID) -> _Held:
    related = await session.scalar(select(Task.related_ids).where(Task.id == task_id))
    if related is None:
        raise NotFound
    customers = await hold_customers(session, actor, related)
    task = await session.get(Task, task_id, with_for_update=True, populate_existing=True)
    if task is None:
        raise NotFound
    visible = [customer for customer in customers if customer.id in task.customer_ids]
    if not visible:
        raise NotFound
    task.require_can_change(actor, any(customer.changeable for customer in visible))
    return _Held(task, visible)


async def _hold_all(session: Session, actor: Actor, customer_ids: Sequence[UUID]) -> None:
    if len(await hold_customers(session, actor, customer_ids)) < len(customer_ids):
        raise NotFound


async def _require_seeing(
    session: Session, actor: Actor, assignee_id: UUID | None, customer_ids: Collection[UUID]
) -> None:
    """An assignee is active and sees each customer (R1). Only of the actor it is known what their permissions show."""
    if assignee_id is None or not customer_ids:
        return
    try:
        assignee = actor
        if assignee_id != actor.employee_id:
            assignee = await load_actor(session, Identity(str(assignee_id), "employee", frozenset()))
    except InactiveEmployee:
        raise Invalid.at("/assignee_id", detail="no active employee") from None
    if await visible_customers(session, assignee, customer_ids) != set(customer_ids):
        raise Invalid.at("/assignee_id", detail="does not see each of the customers")


async def _tell(session: Session, facts: Sequence[LedgerFact]) -> None:
    if facts:
        await record_facts(session, facts, [outbox.origin(session)] * len(facts))
