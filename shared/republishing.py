"""Saying again what was said: repairing copies (`republish`) and readers of facts (`resend`).

Compaction keeps the last offset, not the highest version, so a republished state goes out under the
row lock, with its version unchanged; `raise_version` is for a database restored from a backup, whose
versions lie behind what copies have seen.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.contracts.catalogue import find
from shared.database import Database, run_counting
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.service import Service


async def republish_topic(service: "Service", settings: Settings, topic_name: str, raise_version: bool) -> int:
    """Emit every aggregate of one of the service's state topics again; answers how many.

    Raises ValueError for a topic that is not the service's or holds no state.
    """
    topic = find(topic_name)
    if service.name not in topic.producers or not topic.holds_state or service.republish is None:
        raise ValueError(f"{service.name} publishes no state on {topic_name}")
    database = Database(settings, pool_size=2)
    try:
        async with database.transaction() as session:
            count = await service.republish(session, topic, raise_version)
    finally:
        await database.close()
    return count


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
