"""The audit trail's words: what has changed of what people write about a customer, as old and new values (L3, A5)."""

from typing import Any, Literal
from uuid import UUID

from sqlalchemy import inspect

from services.interactions.domain.care import CareActivity, CareSchedule
from services.interactions.domain.comment import Comment
from services.interactions.domain.mapping import Record
from services.interactions.domain.task import Task
from shared.contracts.documents import DocumentChanged

ItemKind = Literal["comment", "task", "document", "care_schedule", "care_activity", "last_contact"]

Changes = dict[str, dict[str, Any]]
"""Old and new value by the name of the field."""

MAX_LINES = 50
"""Of a document, that an entry of the trail holds."""

_FIELDS: dict[type[Record], tuple[str, ...]] = {
    Comment: ("text", "mention_ids"),
    Task: (
        "title", "type", "customer_ids", "assignee_id", "due_at", "completed_at", "completed_by", "cancelled_at",
    ),
    CareSchedule: ("title", "starts_on"),
    CareActivity: ("text", "occurred_at", "employee_id"),
}  # fmt: skip


def changes_of(record: Record) -> Changes:
    """What was set of a record since it was read; of a new one all that is filled."""
    changes: Changes = {}
    for name in _FIELDS[type(record)]:
        history = inspect(record).attrs[name].history
        old, new = (values[0] if values else None for values in (history.deleted, history.added))
        if history.has_changes() and (history.deleted or new not in (None, [])):
            changes[name] = {"old": old, "new": new}
    return changes


def what_was(record: Record) -> Changes:
    """All that is filled of a record that goes."""
    values = {name: getattr(record, name) for name in _FIELDS[type(record)]}
    return {name: {"old": value, "new": None} for name, value in values.items() if value not in (None, [])}


def changes_told(event: DocumentChanged) -> Changes:
    """What an event says has changed of a document; of its first event all that is filled.

    Of many lines only their number is kept: they stand in the event.
    """
    state = event.model_dump(mode="json", include={"state"})["state"]
    if event.version == 1:
        changes = {name: {"old": None, "new": value} for name, value in state.items() if value not in (None, [])}
    else:
        before = event.model_dump(mode="json", include={"before"})["before"]
        changes = {name: {"old": before.get(name), "new": state.get(name)} for name in event.changed}
    if "lines" in changes:
        changes["lines"] = {kind: _few(lines) for kind, lines in changes["lines"].items()}
    return changes


def _few(lines: list[Any] | None) -> list[Any] | int | None:
    return len(lines) if lines is not None and len(lines) > MAX_LINES else lines


def by_customer(task: Task, changes: Changes) -> dict[UUID, Changes]:
    """A change of a task as each of its customers' trails keeps it: of its customers it names that one alone.

    To their readers a task names only the customers that they see (R1).
    """
    about = changes.get("customer_ids", {"old": task.customer_ids, "new": task.customer_ids})
    old, new = about["old"] or [], about["new"] or []
    others = {name: change for name, change in changes.items() if name != "customer_ids"}
    parts: dict[UUID, Changes] = {}
    for customer_id in dict.fromkeys([*old, *new]):
        was, is_ = ([customer_id] if customer_id in ids else [] for ids in (old, new))
        parts[customer_id] = others if was == is_ else {"customer_ids": {"old": was, "new": is_}, **others}
    return parts
