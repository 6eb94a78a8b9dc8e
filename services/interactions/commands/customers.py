"""Following `crm.customers`: the copy, the row that counts a creation, and forgetting the erased (I1, C8)."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from services.interactions.commands.care import forget_care
from services.interactions.commands.comments import follow_in_discussions, forget_discussions
from services.interactions.commands.recording import record_facts
from services.interactions.commands.summaries import drop_facts
from services.interactions.commands.tasks import forget_tasks, give_to_managers
from services.interactions.commands.trail import forget_trails
from services.interactions.domain.facts import created_fact
from shared import outbox
from shared.contracts.customers import CustomerErased
from shared.contracts.events import Event
from shared.contracts.interactions import SUMMARIES
from shared.contracts.work import ErasureCompleted
from shared.copies import apply_customers
from shared.database import Database, Session, clock, run
from shared.envelope import Envelope, Origin
from shared.settings import Settings

FOLLOWED_TOGETHER = 1_000
"""Customers whose copies one transaction holds while what hangs on a rebuilt copy is put right."""

# Of a discussion whose customer the rebuild has removed the copy says nothing any more.
_COPIED_OR_DISCUSSED = """
(SELECT id FROM customer WHERE id > $1 ORDER BY id LIMIT $2)
UNION (SELECT customer_id FROM discussion WHERE customer_id > $1 ORDER BY customer_id LIMIT $2)
ORDER BY 1 LIMIT $2
"""

_HOLD = "SELECT id, state, created_at FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR SHARE"

_COUNTED = "SELECT customer_id FROM summary WHERE customer_id = ANY($1::uuid[]) AND (known OR erased)"

_MARK_ERASED = """
INSERT INTO summary (customer_id, known, erased)
SELECT id, false, true FROM unnest($1::uuid[]) AS gone(id) ORDER BY id
ON CONFLICT (customer_id) DO UPDATE SET erased = true
"""

_FORGET_TOLD = """
WITH waiting AS (DELETE FROM outbox WHERE aggregateid = ANY($1::text[]))
DELETE FROM outbox_sent WHERE aggregateid = ANY($1::text[])
"""

_FORGET_ANSWERED = "DELETE FROM idempotency WHERE answer::text LIKE ANY($1::text[])"
"""An answer kept for a repetition may hold what somebody wrote; each names its customer."""


async def follow_customers(session: Session, envelopes: Sequence[Envelope[Event]]) -> None:
    """Write customers into the copy. One seen for the first time counts from then on, whatever its event (I1)."""
    written = await apply_customers(session, envelopes)
    await follow_in_discussions(session, [customer.id for customer in written])
    origins = {e.event.key: e.origin() for e in envelopes if e.event is not None}
    seen = [customer for customer in written if customer.first_seen]
    await _begin_counting(session, seen, [origins[str(customer.id)] for customer in seen])
    erased = {e.event.state.id: e.event.version for e in envelopes if isinstance(e.event, CustomerErased)}
    if erased:
        await erase_customers(session, erased)


async def follow_rebuilt_customers(database: Database, settings: Settings, _: date) -> None:
    """Put right what follows from a copy that was made anew, by chunks in the order of ids.

    Discussions know again who sees their customers (A2, U2); whom only the rebuild has brought into the copy counts
    from then on (I1). What is right already is not written.
    """
    last = UUID(int=0)
    while True:
        async with database.transaction() as session:
            ids = list((await run(session, _COPIED_OR_DISCUSSED, last, FOLLOWED_TOGETHER)).scalars())
            if not ids:
                return
            held = (await run(session, _HOLD, ids)).all()
            await follow_in_discussions(session, ids)
            counted = set((await run(session, _COUNTED, ids)).scalars())
            seen = [customer for customer in held if customer.state != "erased" and customer.id not in counted]
            await _begin_counting(session, seen, [outbox.origin(session)] * len(seen))
        last = ids[-1]


async def erase_customers(session: Session, versions: dict[UUID, int]) -> None:
    """Forget everything about customers but their ids, and say so; a second time changes nothing (C8)."""
    ids = list(versions)
    await run(session, _MARK_ERASED, ids)
    await drop_facts(session, ids)
    await forget_tasks(session, ids)
    await forget_care(session, ids)
    await forget_discussions(session, ids)
    await forget_trails(session, ids)
    await run(session, _FORGET_ANSWERED, [f"%{customer_id}%" for customer_id in ids])
    await run(session, _FORGET_TOLD, [str(customer_id) for customer_id in ids])
    now = await clock(session)
    for customer_id, version in versions.items():
        outbox.add_tombstone(session, SUMMARIES, str(customer_id))
        outbox.add(
            session,
            ErasureCompleted(customer_id=customer_id, service="interactions", erased_version=version, completed_at=now),
        )


async def _begin_counting(session: Session, customers: Sequence[Any], origins: Sequence[Origin]) -> None:
    """Count the creation of customers not seen before (I1); what waited for them finds them (K5)."""
    if customers:
        facts = [created_fact(customer.id, customer.created_at) for customer in customers]
        await record_facts(session, facts, origins)
        await give_to_managers(session, [customer.id for customer in customers])
