"""Don't Forget (G5): a customer whom nobody contacted for too long moves there, and back on the next contact.

It is a function of state: due is who stands in a relationship with `forget_after_days`, and whose clock
(last contact, creation, restoring, last change of relationship) started that many days ago or more. So a
sweep may run twice, late, or stop half-way. It takes customers in small batches and passes over rows that
somebody holds: nobody waits for it longer than for one batch, and it waits for nobody.
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

_RETURN = f"""
WITH back AS MATERIALIZED (
    SELECT c.id
    FROM customer c JOIN customer_contact n ON n.customer_id = c.id
    JOIN relationship r ON r.id = c.remembered_relationship_id
    WHERE c.relationship_id = '{DONT_FORGET}' AND c.state = 'active' AND {{which}}
      AND (r.forget_after_days IS NULL
           OR greatest(n.last_contact_at, c.clock_started_at) >= start_of($1::date - r.forget_after_days + 1))
    ORDER BY c.id {{lock}}
)
UPDATE customer SET relationship_id = customer.remembered_relationship_id, remembered_relationship_id = NULL,
    updated_at = $2, version = version + 1
FROM back WHERE customer.id = back.id
{_MOVED}
"""
"""`greatest` passes over a missing contact."""

_SWEPT = f"LIMIT {BATCH} FOR NO KEY UPDATE OF n, c SKIP LOCKED"
_RETURN_NEXT = _RETURN.format(which="c.id > $3", lock=_SWEPT)
_RETURN_FROM = _RETURN.format(which="c.remembered_relationship_id = $3", lock=_SWEPT.replace(str(BATCH), "$4"))
_RETURN_NAMED = _RETURN.format(which="c.id = ANY($3::uuid[])", lock="FOR NO KEY UPDATE OF c")


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

    So many at once; the rest is left to the worker, who begins as soon as this is committed.
    """
    if await _return_some(session, relationship_id, RETURN_AT_ONCE) == RETURN_AT_ONCE:
        await begin_long_work(session, actor, "return", {"relationship_id": str(relationship_id)})


async def return_next(session: Session, work: LongWork, _: Actor) -> bool:
    """Bring back the next customers of a relationship; False behind the last (G5)."""
    returned = await _return_some(session, UUID(work.request["relationship_id"]), BATCH)
    work.done += returned
    work.total = work.done
    return returned == BATCH


async def _return_some(session: Session, relationship_id: UUID, limit: int) -> int:
    today, at = await _today(session), await clock(session)
    rows = (await run(session, _RETURN_FROM, today, at, relationship_id, limit)).all()
    await _tell(session, rows, Cause(kind="sweep", id=str(today)))
    return len(rows)


async def _forget_all(database: Database, relationship_id: UUID, allowed: int, today: date) -> int:
    """Whose clock started on `first_day` or later is not due."""
    count, first_day = 0, date.fromordinal(today.toordinal() - allowed + 1)
    last = (datetime.min.replace(tzinfo=UTC), UUID(int=0))
    while True:
        async with database.transaction() as session:
            due = (await run(session, _DUE, relationship_id, first_day, *last)).all()
            ids = [row.id for row in due]
            at, headers = await clock(session), headers_json(CustomerRelationshipChanged, outbox.origin(session))
            moved = await run(session, _FORGET, relationship_id, first_day, ids, at, str(today), headers)
            outbox.written_by_statement(session)
        count += moved.scalar_one()
        if len(due) < BATCH:
            return count
        last = (due[-1].clock_started_at, due[-1].id)


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
