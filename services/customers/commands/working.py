"""One step of long work: a transaction each, on behalf of who asked, with what they may do now (R2)."""

from uuid import UUID

from sqlalchemy import select

from services.customers.commands.assignments import assign_next
from services.customers.commands.selections import publish_next
from services.customers.domain.long_work import LongWork
from shared import outbox
from shared.access import actor_of
from shared.database import Session, clock
from shared.envelope import Origin
from shared.errors import RapportError

_STEPS = {"assignment": assign_next, "selection": publish_next}


async def next_work(session: Session) -> UUID | None:
    """The oldest work that is done step by step and not over."""
    statement = select(LongWork.id).where(LongWork.state == "running", LongWork.kind.in_(_STEPS))
    return await session.scalar(statement.order_by(LongWork.created_at).limit(1))


async def work_on(session: Session, work_id: UUID, service: str) -> bool:
    """Do the next step; False when somebody else is at it or it is over.

    What the asker may no longer do ends the work as failed, with the refusal's code.
    """
    work = await _lock(session, work_id)
    if work is None:
        return False
    try:
        actor = await actor_of(session, work.asked_by)
        outbox.open_box(session, service, Origin(actor, work.correlation_id))
        more = await _STEPS[work.kind](session, work, actor)
    except RapportError as refusal:
        work.end(await clock(session), refusal.code)
        return True
    if not more:
        work.end(await clock(session))
    return True


async def give_up(session: Session, work_id: UUID) -> None:
    """End work that fails by a fault of ours: trying for ever would hold up everything behind it."""
    work = await _lock(session, work_id)
    if work is not None:
        work.end(await clock(session), "internal_error")


async def _lock(session: Session, work_id: UUID) -> LongWork | None:
    statement = select(LongWork).where(LongWork.id == work_id, LongWork.state == "running")
    return await session.scalar(statement.with_for_update(skip_locked=True))
