"""Gives up previews nobody confirmed and forgets the files and rows of old imports."""

from datetime import datetime

from sqlalchemy import select

from services.imports.commands.imports import forget_content
from services.imports.domain.job import CLOSED, OPEN, Import
from shared.database import Session, clock, run

BATCH = 50
"""Imports per transaction: some hundred thousand rows at most."""


async def give_up_previews(session: Session, days: int) -> int:
    """Cancel imports that were not confirmed within `days`; answers how many (at most a batch)."""
    waiting = await session.scalars(
        select(Import)
        .where(Import.state.in_(OPEN), Import.emptied_at.is_(None), Import.created_at < await _days_ago(session, days))
        .order_by(Import.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    jobs = waiting.all()
    at = await clock(session)
    for job in jobs:
        job.cancel(at, "preview_expired")
    await forget_content(session, [job.id for job in jobs])
    return len(jobs)


async def forget_old_content(session: Session, days: int) -> int:
    """Remove files and rows of imports that ended `days` ago; answers how many (at most a batch)."""
    ended = await session.scalars(
        select(Import)
        .where(
            Import.state.in_(CLOSED), Import.emptied_at.is_(None), Import.finished_at < await _days_ago(session, days)
        )
        .order_by(Import.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    jobs = ended.all()
    at = await clock(session)
    for job in jobs:
        job.emptied_at = at
    await forget_content(session, [job.id for job in jobs])
    return len(jobs)


async def _days_ago(session: Session, days: int) -> datetime:
    return (await run(session, "SELECT clock_timestamp() - make_interval(days => $1)", days)).scalar_one()
