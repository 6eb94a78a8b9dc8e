"""Beginning long work, and forgetting it."""

from uuid import UUID

from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.long_work import LongWork, WorkKind
from shared.database import Session, clock, run_counting
from shared.envelope import new_id
from shared.identity import Actor

KEPT_DAYS = 30


async def begin_long_work(
    session: Session, actor: Actor, kind: WorkKind, campaign: Campaign, total: int, selection_id: UUID | None = None
) -> LongWork:
    """Leave work for the worker, on behalf of the actor."""
    work = LongWork(
        id=new_id(),
        kind=kind,
        campaign_id=campaign.id,
        selection_id=selection_id,
        actor=actor.reference().model_dump(mode="json"),
        state="running",
        total=total,
        done=0,
        failed=0,
        next_chunk=0,
        created_at=await clock(session),
    )
    session.add(work)
    await session.flush()
    return work


async def forget_long_work(session: Session) -> int:
    """Forget what ended long ago. Answers how many went."""
    return await run_counting(
        session,
        "DELETE FROM long_work WHERE finished_at < clock_timestamp() - make_interval(days => $1)",
        KEPT_DAYS,
    )
