"""Reading how long work goes: who asked for it, and the campaign's managers."""

from uuid import UUID

from services.campaigns.domain.access import is_manager
from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.long_work import LongWork, WorkKind
from shared.database import Session
from shared.errors import NotFound
from shared.identity import Actor


async def get_long_work(session: Session, actor: Actor, kind: WorkKind, work_id: UUID) -> LongWork:
    """One piece of long work. Raises NotFound."""
    work = await session.get(LongWork, work_id)
    if work is None or work.kind != kind:
        raise NotFound
    if not work.was_asked_by(actor) and not is_manager(actor, await session.get_one(Campaign, work.campaign_id)):
        raise NotFound
    return work
