"""Reads of tasks: those about a customer the actor sees, with what the actor may do to them (R1).

A task names to each reader only those of its customers that they see.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from services.interactions.queries.customers import changeable_sql, find_customer
from services.interactions.queries.pages import JsonPage, Position, cut
from shared.access import visible_sql
from shared.database import Session, run
from shared.errors import NotFound
from shared.identity import Actor

TaskState = Literal["open", "completed", "cancelled"]
TaskSort = Literal["created_at", "-created_at", "due_at", "-due_at"]

ALLOWED: dict[str, list[str]] = {
    "open": ["change", "complete", "cancel", "delete"],
    "completed": ["change", "reopen", "cancel", "delete"],
    "cancelled": ["change", "uncancel", "delete"],
}
"""What may be done to a task in each state, in the words of the API."""

# A task without a due time is due after all others.
_KEYS = {"created_at": "task.created_at", "due_at": "coalesce(task.due_at, '9000-01-01T00:00:00Z'::timestamptz)"}

_WORDS = " ".join(f"WHEN '{state}' THEN '{str(words).replace(chr(39), chr(34))}'" for state, words in ALLOWED.items())


@dataclass(frozen=True)
class TaskFilter:
    """Which tasks; what is None or empty does not matter."""

    customer_id: UUID | None = None
    assignee_id: UUID | None = None
    creator_id: UUID | None = None
    states: tuple[TaskState, ...] = ()
    types: tuple[str, ...] = ()
    due_from: datetime | None = None
    due_to: datetime | None = None


@dataclass
class _Statement:
    """A query for tasks the actor sees, as it grows; `about` are the customers of each that they see."""

    actor: Actor
    parameters: list[Any] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)

    def parameter(self, value: Any) -> str:
        self.parameters.append(value)
        return f"${len(self.parameters)}"

    def require(self, condition: str, value: Any) -> None:
        self.conditions.append(condition.format(self.parameter(value)))

    def source(self) -> str:
        visible, parameters = visible_sql(self.actor, "customer", len(self.parameters) + 1)
        self.parameters += parameters
        changeable, parameters = changeable_sql(self.actor, "customer", len(self.parameters) + 1)
        self.parameters += parameters
        conditions = " AND ".join(["about.customer_ids IS NOT NULL", *self.conditions])
        return f"""
        FROM task CROSS JOIN LATERAL (
            SELECT array_agg(customer.id ORDER BY array_position(task.customer_ids, customer.id)) AS customer_ids,
                bool_or({changeable}) AS changeable
            FROM customer
            WHERE customer.id = ANY(task.customer_ids) AND customer.state = 'active' AND {visible}
        ) AS about
        WHERE {conditions}"""

    def item(self) -> str:
        asking = self.parameter(self.actor.employee_id)
        return f"""json_build_object(
            'id', task.id, 'title', task.title, 'type', task.type, 'state', task.state,
            'customer_ids', about.customer_ids, 'assignee_id', task.assignee_id, 'due_at', instant(task.due_at),
            'creator_id', task.creator_id, 'created_by', task.created_by, 'created_at', instant(task.created_at),
            'updated_at', instant(task.changed_at), 'completed_at', instant(task.completed_at),
            'completed_by', task.completed_by, 'cancelled_at', instant(task.cancelled_at), 'version', task.version,
            'allowed', CASE WHEN about.changeable OR {asking}::uuid IN (task.creator_id, task.assignee_id)
                            THEN CASE task.state {_WORDS} END ELSE '[]' END::json
        )::text"""


async def task_json(session: Session, actor: Actor, task_id: UUID) -> tuple[str, int]:
    """One task as JSON, and its version. Raises NotFound."""
    statement = _Statement(actor)
    statement.require("task.id = {}", task_id)
    item = statement.item()
    row = (await run(session, f"SELECT {item}, task.version {statement.source()}", *statement.parameters)).one_or_none()
    if row is None:
        raise NotFound
    return row[0], row[1]


async def tasks_page(
    session: Session, actor: Actor, wanted: TaskFilter, sort: TaskSort, limit: int, after: Position | None
) -> JsonPage:
    """A page of the tasks the actor sees. Raises NotFound for a customer they do not see."""
    statement = await _asked(session, actor, wanted)
    key = _KEYS[sort.removeprefix("-")]
    direction, comparison = ("DESC", "<") if sort.startswith("-") else ("ASC", ">")
    if after is not None:
        moment, task_id = statement.parameter(after[0]), statement.parameter(after[1])
        statement.conditions.append(f"({key}, task.id) {comparison} ({moment}::timestamptz, {task_id}::uuid)")
    item, most = statement.item(), statement.parameter(limit + 1)
    text = (
        f"SELECT {item}, {key}, task.id {statement.source()}"
        f" ORDER BY {key} {direction}, task.id {direction} LIMIT {most}"
    )
    return cut((await run(session, text, *statement.parameters)).all(), limit)


async def count_tasks(session: Session, actor: Actor, wanted: TaskFilter) -> int:
    """How many tasks a list has in all. Raises NotFound for a customer the actor does not see."""
    statement = await _asked(session, actor, wanted)
    return (await run(session, f"SELECT count(*) {statement.source()}", *statement.parameters)).scalar_one()


async def _asked(session: Session, actor: Actor, wanted: TaskFilter) -> _Statement:
    statement = _Statement(actor)
    if wanted.customer_id is not None:
        await find_customer(session, actor, wanted.customer_id)
        customer = statement.parameter(wanted.customer_id)
        statement.conditions += [
            f"task.related_ids @> ARRAY[{customer}::uuid]",
            f"{customer} = ANY(about.customer_ids)",
        ]
    if wanted.assignee_id is not None:
        statement.require("task.assignee_id = {}", wanted.assignee_id)
    if wanted.creator_id is not None:
        statement.require("task.creator_id = {}", wanted.creator_id)
    if wanted.states:
        statement.require("task.state = ANY({}::text[])", list(wanted.states))
    if wanted.types:
        statement.require("task.type = ANY({}::text[])", list(wanted.types))
    if wanted.due_from is not None:
        statement.require("task.due_at >= {}", wanted.due_from)
    if wanted.due_to is not None:
        statement.require("task.due_at <= {}", wanted.due_to)
    return statement
