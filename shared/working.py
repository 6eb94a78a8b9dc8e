"""Long work done step by step, each one transaction, from where its row stands: no crash repeats or loses any.

A step is done on behalf of who asked, with what they may do by then (R2). Several processes may work at
once; each takes work that no other is at.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import select

from shared import outbox, telemetry
from shared.access import actor_of
from shared.cursors import Cursors
from shared.database import Database, Session, clock, is_transient, run
from shared.errors import Invalid, RapportError
from shared.identity import Actor
from shared.long_work import LongWorkRow

log = telemetry.logger("long-work")

W = TypeVar("W", bound=LongWorkRow)
Step = Callable[[Session, W, Actor], Awaitable[bool]]
"""Does the next part of a piece of work; answers whether there may be more."""

_OLDEST = """
SELECT id FROM long_work WHERE state = 'running' AND ($1::text[] IS NULL OR kind = ANY($1)) ORDER BY created_at LIMIT 1
"""


async def work_next(database: Database, cls: type[W], step: Step[W], kinds: Collection[str] | None = None) -> bool:
    """Do one step of the oldest work, of these kinds if given; False when there is nothing to do.

    What the asker may no longer do ends the work as failed, with the refusal's code; a fault of ours does,
    too: trying for ever would hold up everything behind it. Raises what passes by itself.
    """
    async with database.reading() as session:
        work_id = (await run(session, _OLDEST, None if kinds is None else list(kinds))).scalar_one_or_none()
    if work_id is None:
        return False
    try:
        async with database.transaction() as session:
            return await _work_on(session, database.service, cls, work_id, step)
    except Exception as error:
        if is_transient(error):
            raise
        log.error("work given up", work_id=str(work_id), exc_info=error)
    async with database.transaction() as session:
        work = await _lock(session, cls, work_id)
        if work is not None:
            work.end(await clock(session), "internal_error")
    return True


async def keep_items(session: Session, work: LongWorkRow, items: Sequence[Any], failed: int) -> None:
    """Store what became of the next items, and count them."""
    first = work.done + work.failed
    await run(
        session,
        "INSERT INTO long_work_item (work_id, position, item)"
        " SELECT $1, position, item::json FROM unnest($2::int[], $3::text[]) AS new(position, item)",
        work.id,
        list(range(first, first + len(items))),
        [msgspec.json.encode(item).decode() for item in items],
    )
    work.done, work.failed = work.done + len(items) - failed, work.failed + failed


async def items_page(session: Session, cursors: Cursors, work: LongWorkRow, limit: int, cursor: str | None) -> str:
    """A page of what became of each item, as JSON text, in the order of the work. Raises Invalid `bad_cursor`."""
    query = ["long-work-items", str(work.id)]
    position = cursors.read(query, cursor) or [-1]
    if not isinstance(position[0], int):
        raise Invalid("bad_cursor")
    found = await run(
        session,
        "SELECT position, item::text FROM long_work_item"
        " WHERE work_id = $1 AND position > $2 ORDER BY position LIMIT $3",
        work.id,
        position[0],
        limit + 1,
    )
    rows = found.all()
    next_cursor = cursors.make(query, [rows[limit - 1].position]) if len(rows) > limit else None
    end = msgspec.json.encode({"next_cursor": next_cursor, "total": work.done + work.failed}).decode()
    return f'{{"items":[{",".join(row.item for row in rows[:limit])}],{end[1:]}'


async def _work_on(session: Session, service: str, cls: type[W], work_id: UUID, step: Step[W]) -> bool:
    """Do the next step; False when somebody else is at it or it is over."""
    work = await _lock(session, cls, work_id)
    if work is None:
        return False
    try:
        actor = await actor_of(session, work.asked_by)
        outbox.open_box(session, service, work.origin(actor))
        more = await step(session, work, actor)
    except RapportError as refusal:
        work.end(await clock(session), refusal.code)
        return True
    if not more:
        work.end(await clock(session))
    return True


async def _lock(session: Session, cls: type[W], work_id: UUID) -> W | None:
    statement = select(cls).where(cls.id == work_id, cls.state == "running")
    return await session.scalar(statement.with_for_update(skip_locked=True))
