"""Saying again what was said: repairing copies (`republish`) and readers of facts (`resend`).

Compaction keeps the last offset, not the highest version, so a republished state goes out under the
row lock, with its version unchanged; `raise_version` is for a database restored from a backup, whose
versions lie behind what copies have seen. A topic may hold a million aggregates: they are told by chunks
in the order of ids, each a transaction of its own.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import select

from shared import outbox
from shared.contracts.events import Event
from shared.database import Database, Session, run_counting
from shared.envelope import Origin
from shared.settings import Settings

CHUNK = 1_000
"""How many aggregates are told in one transaction, which holds their rows."""

RAISE = 1_000
"""How far versions jump after a restore from backup: more than any record can have changed since."""

REPLAYED = Origin(replayed=True)

_FIRST = UUID(int=0)

Source: TypeAlias = Callable[[Session, UUID, int, int], Awaitable[Sequence[UUID]]]
"""Tells up to so many aggregates behind an id again, their rows locked, their versions raised by so many.

Answers their ids in order: fewer than asked for are the last.
"""


def rows_of(kind: type[Any], again: Callable[[Any], Event]) -> Source:
    """The rows of a mapped class; `again` says a row's event."""

    async def tell(session: Session, after: UUID, limit: int, raise_by: int) -> Sequence[UUID]:
        statement = select(kind).where(kind.id > after).order_by(kind.id).limit(limit).with_for_update()
        rows = list(await session.scalars(statement))
        for row in rows:
            row.version += raise_by
        outbox.add(session, [again(row) for row in rows], REPLAYED)
        return [row.id for row in rows]

    return tell


async def republish_topic(
    sources: Mapping[str, Sequence[Source]], settings: Settings, topic: str, raise_version: bool
) -> int:
    """Emit every aggregate of one of a service's state topics again, chunk by chunk; answers how many.

    `sources` are by topic, one told behind the other. What was told stays told if a later chunk fails. Raises
    ValueError for a topic of which the service holds no state.
    """
    if topic not in sources:
        raise ValueError(f"{settings.service} publishes no state on {topic}")
    database = Database(settings, pool_size=2)
    try:
        return sum([await _tell(database, source, RAISE if raise_version else 0) for source in sources[topic]])
    finally:
        await database.close()


async def _tell(database: Database, source: Source, raise_by: int) -> int:
    told, after, last = 0, _FIRST, False
    while not last:
        async with database.transaction() as session:
            ids = await source(session, after, CHUNK, raise_by)
        told, last = told + len(ids), len(ids) < CHUNK
        after = ids[-1] if ids else after
    return told


async def resend_since(settings: Settings, since: datetime) -> int:
    """Put acknowledged events of fact topics back into the outbox, ids unchanged; answers how many.

    They rest there for a day; older ones are gone. Readers know them by their ids.
    """
    moment = since if since.tzinfo else since.replace(tzinfo=UTC)
    database = Database(settings, pool_size=2)
    try:
        async with database.transaction() as session:
            return await run_counting(
                session,
                "WITH again AS (DELETE FROM outbox_sent WHERE sent_at >= $1 RETURNING *)"
                " INSERT INTO outbox (event_id, topic, aggregatetype, aggregateid, type, payload, headers)"
                " SELECT event_id, topic, aggregatetype, aggregateid, type, payload, headers FROM again ORDER BY id",
                moment,
            )
    finally:
        await database.close()
