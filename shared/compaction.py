"""Lets the broker clean up what nobody writes to any more: an erased person's records would stay there for ever (C8).

Kafka compacts closed segments only, and closes a segment when the next record comes. A partition that has
become quiet therefore keeps its last segment as it is. A record that concerns nobody closes it.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from shared.contracts.catalogue import published_by
from shared.database import Database
from shared.envelope import COMPACTION_TICK
from shared.kafka import producer, stop_bounded
from shared.settings import Settings


async def compact(_: Database, settings: Settings, today: date) -> Mapping[str, Any]:
    """Write a tombstone that concerns nobody to every partition of the service's state topics; once a day is enough."""
    ticks = 0
    client = producer(settings)
    try:
        await client.start()
        for topic in published_by(settings.service):
            for partition in range(topic.partitions if topic.holds_state else 0):
                await client.send_and_wait(topic.name, None, key=COMPACTION_TICK.encode(), partition=partition)
                ticks += 1
    finally:
        await stop_bounded(client)
    return {"ticks": ticks, "day": str(today)}
