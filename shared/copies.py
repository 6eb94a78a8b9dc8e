"""The small copies of customers and employees that services beside `customers` keep (R1).

Fed by `crm.customers` and `crm.directory`; a record is written when its version is not older than
the stored one, so that a repetition changes nothing and a republish can repair a copy. Copies have
no foreign keys: topics are not ordered among themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from shared.contracts.customers import CustomerErased, CustomerEvent, CustomerState
from shared.contracts.directory import EmployeeChanged
from shared.contracts.events import Event
from shared.database import Session, run
from shared.envelope import Envelope

E = TypeVar("E", bound=Event)

KEPT_WHEN_ERASED = "stored.state = 'erased'"
"""Whom a copy made anew keeps though the topic knows nothing of them any more (C8)."""

_CUSTOMERS = """
INSERT INTO customer AS stored
    (id, code, name, manager_id, viewer_ids, relationship_id, phones, state, created_at, version)
SELECT id, code, name, manager_id, viewers::uuid[], relationship_id, phones::text[], state, created_at, version
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::uuid[], $7::text[], $8::text[],
            $9::timestamptz[], $10::bigint[])
     AS news(id, code, name, manager_id, viewers, relationship_id, phones, state, created_at, version)
ORDER BY id
ON CONFLICT (id) DO UPDATE SET
    code = excluded.code, name = excluded.name, manager_id = excluded.manager_id,
    viewer_ids = excluded.viewer_ids, relationship_id = excluded.relationship_id, phones = excluded.phones,
    state = excluded.state, created_at = excluded.created_at, version = excluded.version
WHERE stored.version <= excluded.version AND stored.state <> 'erased'
RETURNING new.id, old.id IS NULL AS first_seen, old.state AS old_state, new.state, new.created_at
"""

_EMPLOYEES = """
INSERT INTO employee AS stored (id, code, name, email, superior_id, active, successor_id, version)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::bool[], $7::uuid[], $8::bigint[])
     AS news(id, code, name, email, superior_id, active, successor_id, version)
ORDER BY id
ON CONFLICT (id) DO UPDATE SET
    code = excluded.code, name = excluded.name, email = excluded.email, superior_id = excluded.superior_id,
    active = excluded.active, successor_id = excluded.successor_id, version = excluded.version
WHERE stored.version <= excluded.version
RETURNING new.id, old.active AS old_active, new.active, new.successor_id
"""

_ERASED = """
INSERT INTO customer AS stored (id, code, name, viewer_ids, phones, state, created_at, version)
SELECT id, '', '', '{}', '{}', 'erased', '-infinity', version
FROM unnest($1::uuid[], $2::bigint[]) AS gone(id, version) ORDER BY id
ON CONFLICT (id) DO UPDATE SET
    code = '', name = '', manager_id = NULL, viewer_ids = '{}', relationship_id = NULL, phones = '{}',
    state = 'erased', version = excluded.version
"""


@dataclass(frozen=True)
class CustomerSeen:
    """One customer whose copy was written: whether it was unknown before, and how its state moved."""

    id: UUID
    first_seen: bool
    old_state: str | None
    state: str
    created_at: datetime


@dataclass(frozen=True)
class EmployeeSeen:
    """One employee whose copy was written, and whether they were active before."""

    id: UUID
    old_active: bool | None
    active: bool
    successor_id: UUID | None


def newest_per_key(envelopes: Sequence[Envelope[E]]) -> list[Envelope[E]]:
    """The newest event of every key in a batch: enough to build a copy, after side effects have run.

    By version where events have one: an operator may have written an old record again behind the new.
    """
    newest: dict[str, Envelope[E]] = {}
    for envelope in envelopes:
        known = newest.get(envelope.key)
        if known is None or not _is_older(envelope.event, known.event):
            newest[envelope.key] = envelope
    return list(newest.values())


def _is_older(event: Event | None, known: Event | None) -> bool:
    if event is None or known is None or event.key_version is None or known.key_version is None:
        return False
    return event.key_version < known.key_version


async def apply_customers(session: Session, envelopes: Sequence[Envelope[Event]]) -> list[CustomerSeen]:
    """Write a batch of `crm.customers` into the copy; answers the customers whose copy was written.

    An erased customer is remembered by its id for ever and shown to nobody (C8).
    """
    newest = newest_per_key([envelope for envelope in envelopes if envelope.event is not None])
    states = [(e.event.state, e.event.version) for e in newest if isinstance(e.event, CustomerEvent)]
    erased = [(e.event.state.id, e.event.version) for e in newest if isinstance(e.event, CustomerErased)]
    seen: list[CustomerSeen] = []
    if states:
        columns = list(zip(*(_customer_row(state, version) for state, version in states), strict=True))
        seen = [CustomerSeen(*row) for row in await run(session, _CUSTOMERS, *map(list, columns))]
    if erased:
        await run(session, _ERASED, [key for key, _ in erased], [version for _, version in erased])
    return seen


async def apply_employees(session: Session, envelopes: Sequence[Envelope[Event]]) -> list[EmployeeSeen]:
    """Write a batch of `crm.directory` into the copy; answers the employees whose copy was written."""
    rows = []
    for envelope in newest_per_key(envelopes):
        if isinstance(envelope.event, EmployeeChanged):
            state = envelope.event.state
            rows.append(
                (
                    state.id,
                    state.code,
                    state.name,
                    state.email,
                    state.superior_id,
                    state.active,
                    state.successor_id,
                    envelope.event.version,
                )
            )
    if not rows:
        return []
    result = await run(session, _EMPLOYEES, *map(list, zip(*rows, strict=True)))
    return [EmployeeSeen(*row) for row in result]


def _customer_row(state: CustomerState, version: int) -> tuple[object, ...]:
    return (
        state.id,
        state.code,
        state.name,
        state.manager_id,
        array_text(state.viewer_ids),
        state.relationship_id,
        array_text(state.phones),
        state.state,
        state.created_at,
        version,
    )


def array_text(values: Sequence[object]) -> str:
    """A PostgreSQL array literal of plain values: `unnest` cannot take arrays of unequal length."""
    return "{" + ",".join('"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values) + "}"
