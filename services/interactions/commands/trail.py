"""The audit trail: who did what to what people write about a customer, in the transaction of the change (L3, A5).

Facts of messages and calls have none: the ledger keeps them as they came.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from services.interactions.domain.audit import Changes, ItemKind, by_customer, changes_of, what_was
from services.interactions.domain.care import CareActivity, CareSchedule
from services.interactions.domain.comment import Comment
from services.interactions.domain.task import Task
from shared import outbox
from shared.contracts.events import Cause
from shared.database import Session, run
from shared.envelope import Origin

_INSERT = """
INSERT INTO audit (customer_id, item_kind, item_id, changes, actor_kind, actor_id, cause_kind, cause_id, event_id)
SELECT customer_id, item_kind, item_id, changes::jsonb, actor_kind, actor_id, cause_kind, cause_id, event_id
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::uuid[])
     AS news(customer_id, item_kind, item_id, changes, actor_kind, actor_id, cause_kind, cause_id, event_id)
"""

_BLANK = """
UPDATE audit SET changes = coalesce((SELECT jsonb_object_agg(name, '{"old": null, "new": null}'::jsonb)
                                     FROM jsonb_object_keys(changes) AS name), '{}')
"""

# What was written in a task about an erased customer may be of them in the trails of its other customers, too.
_FORGET = (
    f"""
    {_BLANK} WHERE item_kind = 'task' AND item_id IN (
        SELECT item_id FROM audit WHERE customer_id = ANY($1::uuid[]) AND item_kind = 'task')
    """,
    f"{_BLANK} WHERE customer_id = ANY($1::uuid[])",
)


class Entry(NamedTuple):
    """One change of one item, as a customer's trail keeps it."""

    customer_id: UUID
    kind: ItemKind
    item_id: UUID
    changes: Changes
    origin: Origin
    cause: Cause
    event_id: UUID | None = None


async def write_entries(session: Session, entries: Sequence[Entry]) -> None:
    """Keep entries; those in which nothing has changed are left out."""
    rows = [
        (
            entry.customer_id, entry.kind, entry.item_id, msgspec.json.encode(entry.changes).decode(),
            entry.origin.actor.kind, entry.origin.actor.id, entry.cause.kind, entry.cause.id, entry.event_id,
        )
        for entry in entries
        if entry.changes
    ]  # fmt: skip
    if rows:
        await run(session, _INSERT, *map(list, zip(*rows, strict=True)))


async def keep_change(session: Session, customer_id: UUID, *records: Comment | CareSchedule | CareActivity) -> None:
    """Keep what the session's actor has set of records of one customer, or all of new ones."""
    entries = [entry(session, customer_id, _KINDS[type(one)], one.id, changes_of(one)) for one in records]
    await write_entries(session, entries)


async def keep_deletion(session: Session, customer_id: UUID, *records: Comment | CareSchedule | CareActivity) -> None:
    """Keep what was in records of one customer that the session's actor takes away."""
    entries = [entry(session, customer_id, _KINDS[type(one)], one.id, what_was(one)) for one in records]
    await write_entries(session, entries)


async def keep_task(
    session: Session, task: Task, *, deleted: bool = False, origin: Origin | None = None, cause: Cause | None = None
) -> None:
    """Keep a task's change in the trail of each customer it is or was about; by the session's actor unless told."""
    parts = by_customer(task, what_was(task) if deleted else changes_of(task))
    await write_entries(
        session, [entry(session, one, "task", task.id, changes, origin, cause) for one, changes in parts.items()]
    )


def entry(
    session: Session,
    customer_id: UUID,
    kind: ItemKind,
    item_id: UUID,
    changes: Changes,
    origin: Origin | None = None,
    cause: Cause | None = None,
) -> Entry:
    """An entry about what the session's actor has done by the request at hand, unless told otherwise."""
    source = origin or outbox.origin(session)
    by_hand = Cause(kind="user" if source.actor.kind == "user" else "system", id=source.correlation_id)
    return Entry(customer_id, kind, item_id, changes, source, cause or by_hand)


async def forget_trails(session: Session, customer_ids: Sequence[UUID]) -> None:
    """Delete the values in the trails of erased customers; who did something to which field, and when, stays (C8)."""
    for statement in _FORGET:
        await run(session, statement, customer_ids)


_KINDS: dict[type[Comment | CareSchedule | CareActivity], ItemKind] = {
    Comment: "comment",
    CareSchedule: "care_schedule",
    CareActivity: "care_activity",
}
