"""Telling the state of campaigns and opportunities again, to repair the copies of others."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.opportunity import Opportunity
from shared import outbox
from shared.contracts.campaigns import CAMPAIGNS
from shared.contracts.events import Topic
from shared.database import Session
from shared.envelope import Origin

BATCH = 1_000

RAISE = 1_000
"""How far versions jump after a restore from backup: more than any record can have changed since."""

REPLAYED = Origin(replayed=True)


async def republish(session: Session, topic: Topic, raise_version: bool) -> int:
    """Emit every campaign or opportunity again, under its row's lock; answers how many."""
    kind = Campaign if topic == CAMPAIGNS else Opportunity
    told, after = 0, UUID(int=0)
    while batch := await _lock_next(session, kind, after):
        for record in batch if raise_version else ():
            record.version += RAISE
        await session.flush()
        outbox.add(session, [record.told_again() for record in batch], REPLAYED)
        told, after = told + len(batch), batch[-1].id
        session.expunge_all()
    return told


async def _lock_next(
    session: Session, kind: type[Campaign] | type[Opportunity], after: UUID
) -> Sequence[Campaign | Opportunity]:
    statement = select(kind).where(kind.id > after).order_by(kind.id).limit(BATCH).with_for_update()
    return (await session.scalars(statement)).all()
