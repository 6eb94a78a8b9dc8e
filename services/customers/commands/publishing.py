"""Telling a change: the event into the outbox, its audit entry beside it, in the same transaction (A5)."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from services.customers.domain.audit import changes_of
from shared import outbox
from shared.contracts.classification import CLASSIFICATION
from shared.contracts.customers import CustomerEvent
from shared.contracts.directory import EmployeeChanged
from shared.contracts.events import Cause, StateEvent
from shared.database import Session, run
from shared.envelope import Envelope
from shared.identity import SYSTEM, Actor

_INSERT = """
INSERT INTO audit (customer_id, employee_id, item_id, actor_kind, actor_id, cause_kind, cause_id, event_id, changes,
                   outcome, decision)
SELECT customer_id, employee_id, item_id, actor_kind, actor_id, cause_kind, cause_id, event_id, changes::jsonb,
       outcome, decision
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::uuid[],
            $9::text[], $10::text[], $11::text[])
     AS news(customer_id, employee_id, item_id, actor_kind, actor_id, cause_kind, cause_id, event_id, changes,
             outcome, decision)
ON CONFLICT (decision) DO NOTHING
"""

AuditRow = tuple[Any, ...]


async def publish(session: Session, events: Iterable[StateEvent[Any]]) -> None:
    """Tell what the session's actor has done, and keep it in the audit trail."""
    await write_entries(session, tell(session, events))


def tell(
    session: Session,
    events: Iterable[StateEvent[Any]],
    after: Envelope[Any] | None = None,
    actor: Actor = SYSTEM,
    outcome: str = "applied",
    decision: str | None = None,
) -> list[AuditRow]:
    """Put events into the outbox; answers their audit entries, to be written with `write_entries`.

    `after` is the event that caused them, on behalf of `actor`; without it the session's origin holds.
    `outcome` and `decision` are for what an opportunity's owner led to (K3).
    """
    listed = list(events)
    origin = after.origin(actor) if after is not None else outbox.origin(session)
    ids = outbox.add(session, listed, origin)
    return [
        _entry(event, origin.actor, event_id, outcome, decision) for event, event_id in zip(listed, ids, strict=True)
    ]


async def write_entries(session: Session, entries: Sequence[AuditRow]) -> None:
    """Write audit entries; a decision that is there already is not written again."""
    if entries:
        await run(session, _INSERT, *map(list, zip(*entries, strict=True)))


def decision_entry(customer_id: UUID, owner_id: UUID | None, cause_id: str, outcome: str, decision: str) -> AuditRow:
    """A decision about an opportunity's owner that changed nothing at the customer (K3)."""
    changes = {"manager_id": {"new": str(owner_id)}}
    return (
        customer_id,
        None,
        None,
        SYSTEM.kind,
        SYSTEM.id,
        "campaign",
        cause_id,
        None,
        msgspec.json.encode(changes).decode(),
        outcome,
        decision,
    )


def refusal_entry(customer_id: UUID, cause: Cause, changes: dict[str, Any], outcome: str, decision: str) -> AuditRow:
    """What automation decided and could not do: `outcome` is the code of why (K5)."""
    wanted = msgspec.json.encode(changes).decode()
    return customer_id, None, None, SYSTEM.kind, SYSTEM.id, cause.kind, cause.id, None, wanted, outcome, decision


def item_entry(session: Session, item_id: UUID, changes: str) -> AuditRow:
    """A change beside a group, source or relationship that no event tells, by the session's actor."""
    origin = outbox.origin(session)
    actor = origin.actor
    return (None, None, item_id, actor.kind, actor.id, "user", origin.correlation_id, None, changes, "applied", None)


def reveal_entry(actor: Actor, customer_id: UUID, phone: str, cause: Cause) -> AuditRow:
    """Somebody who does not see the customer was told that it has a number (R3)."""
    changes = msgspec.json.encode({"phone_revealed": {"old": None, "new": phone}}).decode()
    return customer_id, None, None, actor.kind, actor.id, cause.kind, cause.id, None, changes, "applied", None


def erasure_entry(actor: Actor, customer_id: UUID, event_id: str, cause: Cause) -> AuditRow:
    """Somebody erased the customer; there is nothing to show of it (C8)."""
    event = UUID(event_id)
    return customer_id, None, None, actor.kind, actor.id, cause.kind, cause.id, event, "{}", "erased", None


def file_entry(actor: Actor, changes: str, cause: Cause) -> AuditRow:
    """An employee had a file made, or took it (M14)."""
    employee_id = actor.employee_id
    return None, employee_id, None, actor.kind, actor.id, cause.kind, cause.id, None, changes, "applied", None


def _entry(event: StateEvent[Any], actor: Actor, event_id: str, outcome: str, decision: str | None) -> AuditRow:
    return (
        event.state.id if isinstance(event, CustomerEvent) else None,
        event.state.id if isinstance(event, EmployeeChanged) else None,
        event.state.id if event.topic is CLASSIFICATION else None,
        actor.kind,
        actor.id,
        event.cause.kind,
        event.cause.id,
        UUID(event_id),
        msgspec.json.encode(changes_of(event)).decode(),
        outcome,
        decision,
    )
