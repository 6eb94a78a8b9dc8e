"""Reading how long work goes: for who asked for it, nobody else (R1)."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select

from services.customers.domain.long_work import LongWork, WorkKind
from shared.cursors import Cursors
from shared.database import Session, clock
from shared.errors import NotFound
from shared.identity import Actor


async def get_long_work(session: Session, actor: Actor, kind: WorkKind, work_id: UUID) -> LongWork:
    """One piece of the actor's own long work, until it expires. Raises NotFound."""
    work = await session.get(LongWork, work_id)
    if work is None or work.kind != kind or not work.was_asked_by(actor):
        raise NotFound
    if work.expires_at is not None and work.expires_at <= await clock(session):
        raise NotFound
    return work


async def list_long_work(
    session: Session, cursors: Cursors, actor: Actor, kind: WorkKind, limit: int, cursor: str | None, total: bool
) -> tuple[Sequence[LongWork], str | None, int | None]:
    """A page of the actor's own work that has not expired, newest first, and how many there are if asked for.

    Raises Invalid `bad_cursor`.
    """
    query = ["long-work", kind, actor.id]
    position = cursors.read(query, cursor)
    own = (
        LongWork.kind == kind,
        LongWork.actor["id"].astext == actor.id,
        LongWork.actor["kind"].astext == actor.kind,
        LongWork.expires_at > func.clock_timestamp(),
    )
    count = await session.scalar(select(func.count()).select_from(LongWork).where(*own)) if total else None
    statement = select(LongWork).where(*own).order_by(LongWork.id.desc()).limit(limit + 1)
    if position is not None:
        statement = statement.where(LongWork.id < UUID(position[0]))
    works = (await session.scalars(statement)).all()
    more = cursors.make(query, [str(works[limit - 1].id)]) if len(works) > limit else None
    return works[:limit], more, count
