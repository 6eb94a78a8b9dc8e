"""Following `crm.customers`: the copy, the row that counts a creation, and forgetting the erased (I1, C8)."""

from collections.abc import Sequence
from uuid import UUID

from services.interactions.commands.care import forget_care
from services.interactions.commands.comments import follow_in_discussions, forget_discussions
from services.interactions.commands.recording import record_facts
from services.interactions.commands.summaries import drop_facts
from services.interactions.commands.tasks import forget_tasks, give_to_managers
from services.interactions.domain.facts import created_fact
from shared import outbox
from shared.contracts.customers import CustomerErased
from shared.contracts.events import Event
from shared.contracts.interactions import SUMMARIES
from shared.contracts.work import ErasureCompleted
from shared.copies import apply_customers
from shared.database import Session, clock, run
from shared.envelope import Envelope

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
    seen = {customer.id: customer for customer in written if customer.first_seen}
    origins = {e.event.key: e.origin() for e in envelopes if e.event is not None}
    facts = [created_fact(customer.id, customer.created_at) for customer in seen.values()]
    await record_facts(session, facts, [origins[str(fact.customer_id)] for fact in facts])
    if seen:
        await give_to_managers(session, list(seen))
    erased = {e.event.state.id: e.event.version for e in envelopes if isinstance(e.event, CustomerErased)}
    if erased:
        await erase_customers(session, erased)


async def erase_customers(session: Session, versions: dict[UUID, int]) -> None:
    """Forget everything about customers but their ids, and say so; a second time changes nothing (C8)."""
    ids = list(versions)
    await run(session, _MARK_ERASED, ids)
    await drop_facts(session, ids)
    await forget_tasks(session, ids)
    await forget_care(session, ids)
    await forget_discussions(session, ids)
    await run(session, _FORGET_ANSWERED, [f"%{customer_id}%" for customer_id in ids])
    await run(session, _FORGET_TOLD, [str(customer_id) for customer_id in ids])
    now = await clock(session)
    for customer_id, version in versions.items():
        outbox.add_tombstone(session, SUMMARIES, str(customer_id))
        outbox.add(
            session,
            ErasureCompleted(customer_id=customer_id, service="interactions", erased_version=version, completed_at=now),
        )
