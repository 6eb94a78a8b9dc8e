"""Don't Forget (G5): a customer whom nobody contacted for too long moves there, and back on the next contact.

It is a function of state: due is who stands in a relationship with `forget_after_days`, and whose clock
(last contact, creation, restoring, last change of relationship) started that many days ago or more. So a
sweep may run twice, late, or stop half-way. It takes customers in small batches and passes over rows that
somebody holds: nobody waits for it longer than for one batch, and it waits for no customer. Each batch holds
the relationship's days as they are then: who changes them waits for the batch, and finds what it did.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from services.customers.commands.long_work import begin_long_work
from services.customers.commands.publishing import tell, write_entries
from services.customers.commands.storing import COLUMNS
from services.customers.commands.telling import headers_json, telling
from services.customers.domain.creation import Draft
from services.customers.domain.long_work import LongWork
from services.customers.domain.relationships import DONT_FORGET
from shared import outbox
from shared.contracts.customers import CustomerRelationshipChanged
from shared.contracts.events import Cause
from shared.contracts.interactions import SUMMARIES
from shared.database import Database, Session, clock, run
from shared.envelope import Envelope
from shared.identity import Actor
from shared.progress import read_partitions
from shared.rows import Row
from shared.settings import Settings

BATCH = 500
"""Customers moved in one transaction: a writer waits for one at most, a few hundred milliseconds."""
RETURN_AT_ONCE = 1_000
"""Customers that a change of `forget_after_days` brings back within its own request."""
MAX_LAG_SECONDS = 60
WAIT_SECONDS = 30
POLL_SECONDS = 1

_MOVED = f"""
RETURNING {", ".join(f"customer.{column}" for column in COLUMNS)}, old.relationship_id AS old_relationship_id,
          old.remembered_relationship_id AS old_remembered_relationship_id
"""

_DUE = f"""
SELECT c.clock_started_at, c.id
FROM customer c JOIN customer_contact n ON n.customer_id = c.id
WHERE c.relationship_id = $1 AND c.state = 'active' AND c.clock_started_at < start_of($2::date)
  AND (n.last_contact_at IS NULL OR n.last_contact_at < start_of($2::date))
  AND (c.clock_started_at, c.id) > ($3::timestamptz, $4::uuid)
ORDER BY c.clock_started_at, c.id LIMIT {BATCH}
"""
"""Read without a lock, so that the index alone answers for customers: most of those passed were contacted since."""

_DAYS = "SELECT forget_after_days FROM relationship WHERE id = $1 FOR SHARE"

_TOLD = {name: (f"old_{name}", name) for name in ("relationship_id", "remembered_relationship_id")}
_FORGET = f"""
WITH due AS MATERIALIZED (
    SELECT c.id
    FROM customer c JOIN customer_contact n ON n.customer_id = c.id
    WHERE c.id = ANY($3::uuid[]) AND c.relationship_id = $1 AND c.state = 'active'
      AND c.clock_started_at < start_of($2::date)
      AND (n.last_contact_at IS NULL OR n.last_contact_at < start_of($2::date))
    FOR NO KEY UPDATE OF n, c SKIP LOCKED
),
changed AS (
    UPDATE customer SET relationship_id = '{DONT_FORGET}', remembered_relationship_id = customer.relationship_id,
        updated_at = $4, version = version + 1
    FROM due WHERE customer.id = due.id
    RETURNING customer.id, customer.version, customer.record, old.relationship_id AS old_relationship_id,
        old.remembered_relationship_id AS old_remembered_relationship_id,
        customer.relationship_id, customer.remembered_relationship_id,
        'sweep' AS cause_kind, $5::text AS cause_id, $6::jsonb AS headers
),
{telling(CustomerRelationshipChanged, _TOLD)}
SELECT count(*) FROM told
"""
"""Moves a batch and tells it: a sweep's fifty thousand rows never pass through this process."""

_NOT_DUE = f"""
FROM customer c JOIN customer_contact n ON n.customer_id = c.id
JOIN relationship r ON r.id = c.remembered_relationship_id
WHERE c.relationship_id = '{DONT_FORGET}' AND c.state = 'active' AND {{which}}
  AND (r.forget_after_days IS NULL
       OR greatest(n.last_contact_at, c.clock_started_at) >= start_of($1::date - r.forget_after_days + 1))
"""
"""Who is forgotten and should not be any more; `greatest` passes over a missing contact."""

_RETURN = f"""
WITH back AS MATERIALIZED (SELECT c.id {_NOT_DUE} ORDER BY c.id {{lock}})
UPDATE customer SET relationship_id = customer.remembered_relationship_id, remembered_relationship_id = NULL,
    updated_at = $2, version = version + 1
FROM back WHERE customer.id = back.id
{_MOVED}
"""
_FREE = "FOR NO KEY UPDATE OF n, c SKIP LOCKED"
_RETURN_NEXT = _RETURN.format(which="c.id > $3", lock=f"LIMIT {BATCH} {_FREE}")
_RETURN_FROM = _RETURN.format(which="c.remembered_relationship_id = $3", lock=f"LIMIT $4 {_FREE}")
_RETURN_NAMED = _RETURN.format(which="c.id = ANY($3::uuid[])", lock="FOR NO KEY UPDATE OF c")
_RETURN_REST = _RETURN.format(which="c.remembered_relationship_id = $3", lock="LIMIT $4 FOR NO KEY UPDATE OF c")
"""Waits for rows that somebody holds. Contacts stay free: who stores one holds it before the customer."""
_LEFT = f"SELECT EXISTS (SELECT {_NOT_DUE.format(which='c.remembered_relationship_id = $2')})"


class ContactsLag(TimeoutError):
    """Contacts are not known up to now: who seems forgotten may not be. Try again later."""


async def forget(database: Database, settings: Settings, today: date) -> Mapping[str, Any]:
    """Move everybody who is due, and back who is not any more; answers how many (G5).

    Raises ContactsLag when the summaries' consumer does not catch up with what was told before.
    """
    await _wait_for_contacts(database)
    async with database.reading() as session:
        found = await run(
            session, "SELECT id, forget_after_days FROM relationship WHERE forget_after_days IS NOT NULL ORDER BY id"
        )
        days = {row.id: row.forget_after_days for row in found}
    returned = await _return_all(database, today)
    forgotten = 0
    for relationship_id, allowed in days.items():
        forgotten += await _forget_all(database, relationship_id, allowed, today)
    return {"forgotten": forgotten, "returned": returned}


async def return_contacted(session: Session, contacts: Mapping[UUID, Envelope[Any]]) -> None:
    """Bring back customers whose contact has just been stored, also a late one (G5).

    The contact's row is held by this transaction: a sweep either saw the contact or is over.
    """
    ids = sorted(contacts)
    found = await run(session, _RETURN_NAMED, await _today(session), await clock(session), ids)
    for row in found:
        contact = contacts[row["id"]]
        event = _event(row, Cause(kind="sweep", id=contact.id))
        await write_entries(session, tell(session, [event], after=contact))


async def return_from(session: Session, actor: Actor, relationship_id: UUID) -> None:
    """Bring back customers whom this relationship's days no longer let be forgotten (G5).

    So many at once, of those whom nobody holds: while this transaction holds the relationships it waits for no
    customer. The rest is left to the worker, who begins as soon as this is committed.
    """
    returned = await _return_some(session, _RETURN_FROM, relationship_id, RETURN_AT_ONCE)
    if returned == RETURN_AT_ONCE or await _are_left(session, relationship_id):
        await begin_long_work(session, actor, "return", {"relationship_id": str(relationship_id)})


async def return_next(session: Session, work: LongWork, _: Actor) -> bool:
    """Bring back the next customers of a relationship, waiting for who is held; False behind the last (G5)."""
    returned = await _return_some(session, _RETURN_REST, UUID(work.request["relationship_id"]), BATCH)
    work.done += returned
    work.total = work.done
    return returned == BATCH


async def _return_some(session: Session, statement: str, relationship_id: UUID, limit: int) -> int:
    today, at = await _today(session), await clock(session)
    rows = (await run(session, statement, today, at, relationship_id, limit)).all()
    await _tell(session, rows, Cause(kind="sweep", id=str(today)))
    return len(rows)


async def _are_left(session: Session, relationship_id: UUID) -> bool:
    return (await run(session, _LEFT, await _today(session), relationship_id)).scalar_one()


async def _forget_all(database: Database, relationship_id: UUID, allowed: int | None, today: date) -> int:
    """Batch by batch, each by the days in force when it is moved: they may change while a sweep runs (G5)."""
    count, last = 0, (datetime.min.replace(tzinfo=UTC), UUID(int=0))
    while allowed is not None:
        async with database.transaction() as session:
            due = (await run(session, _DUE, relationship_id, _first_day(today, allowed), *last)).all()
            allowed = (await run(session, _DAYS, relationship_id)).scalar_one()
            if allowed is not None:
                count += await _move(session, relationship_id, _first_day(today, allowed), due, today)
        if len(due) < BATCH:
            break
        last = (due[-1].clock_started_at, due[-1].id)
    return count


def _first_day(today: date, allowed: int) -> date:
    """Whose clock started then or later is not due."""
    return date.fromordinal(today.toordinal() - allowed + 1)


async def _move(session: Session, relationship_id: UUID, first_day: date, due: Sequence[Row], today: date) -> int:
    at, headers = await clock(session), headers_json(CustomerRelationshipChanged, outbox.origin(session))
    ids = [row.id for row in due]
    moved = await run(session, _FORGET, relationship_id, first_day, ids, at, str(today), headers)
    outbox.written_by_statement(session)
    return moved.scalar_one()


async def _return_all(database: Database, today: date) -> int:
    count, last = 0, UUID(int=0)
    while True:
        async with database.transaction() as session:
            found = await run(session, _RETURN_NEXT, today, await clock(session), last)
            rows = found.all()
            await _tell(session, rows, Cause(kind="sweep", id=str(today)))
        count += len(rows)
        if len(rows) < BATCH:
            return count
        last = max(row["id"] for row in rows)


async def _tell(session: Session, rows: Sequence[Row], cause: Cause) -> None:
    await write_entries(session, tell(session, [_event(row, cause) for row in rows]))


def _event(row: Row, cause: Cause) -> CustomerRelationshipChanged:
    """What a moved row tells: its new state, and where it stood before."""
    names = ("relationship_id", "remembered_relationship_id")
    return Draft(**row).state_event(CustomerRelationshipChanged, cause, {name: row[f"old_{name}"] for name in names})


async def _wait_for_contacts(database: Database) -> None:
    """Until every contact that was told before now is stored here, from every partition."""
    told: dict[int, int] = {}
    for _ in range(WAIT_SECONDS // POLL_SECONDS):
        async with database.reading() as session:
            partitions = await read_partitions(session, SUMMARIES.name)
        for one in partitions:
            told.setdefault(one.partition, one.end_offset)
        if len(partitions) >= SUMMARIES.partitions and all(
            one.next_offset >= told[one.partition] and one.age_seconds <= MAX_LAG_SECONDS for one in partitions
        ):
            return
        await asyncio.sleep(POLL_SECONDS)
    raise ContactsLag(f"{SUMMARIES.name} is not read up to now: nobody was forgotten")


async def _today(session: Session) -> date:
    return (await run(session, "SELECT day_of(clock_timestamp())")).scalar_one()
