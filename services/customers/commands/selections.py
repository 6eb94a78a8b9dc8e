"""Selections: frozen lists of customers that travel to other services as events (R1, R2)."""

from datetime import timedelta

from services.customers.commands.lists import Chosen, freeze_chosen
from services.customers.commands.long_work import begin_long_work, chunk_of
from services.customers.domain.long_work import LongWork
from shared import outbox
from shared.contracts.work import SelectionChunkResolved, SelectionResolved
from shared.database import Session, clock
from shared.identity import Actor

KEPT_DAYS = 7
"""How long a selection can be used: as long as its topic keeps its records."""


async def select_customers(session: Session, actor: Actor, chosen: Chosen) -> LongWork:
    """Freeze a list and publish its first chunk; the worker the rest. Raises Invalid `selection_too_large`."""
    work = await begin_long_work(session, actor, "selection", {})
    work.expires_at = work.created_at + timedelta(days=KEPT_DAYS)
    await freeze_chosen(session, actor, work, chosen)
    more = await publish_next(session, work, actor)
    if more and work.done == work.total:
        more = await publish_next(session, work, actor)
    if not more:
        work.end(await clock(session))
    return work


async def publish_next(session: Session, work: LongWork, actor: Actor) -> bool:
    """Publish the next chunk, or behind the last one that the selection is complete; False then."""
    customer_ids = await chunk_of(session, work)
    if customer_ids is not None:
        chunk = SelectionChunkResolved(selection_id=work.id, chunk=work.next_chunk, customer_ids=tuple(customer_ids))
        outbox.add(session, chunk)
        work.next_chunk, work.done = work.next_chunk + 1, work.done + len(customer_ids)
        return True
    assert work.expires_at is not None, "a selection expires"
    complete = SelectionResolved(
        selection_id=work.id,
        chunks=work.next_chunk,
        total=work.total,
        left_out=work.left_out,
        actor=work.asked_by,
        resolved_at=await clock(session),
        expires_at=work.expires_at,
    )
    outbox.add(session, complete)
    return False
