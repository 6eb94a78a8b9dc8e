"""One topic read from Kafka by itself: no consumer group is joined, no offset is committed.

Reading ends at given offsets, never by waiting for more; what stays away is a TimeoutError.
"""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared import kafka
from shared.contracts.events import Topic
from shared.settings import Settings

POLL_MS = 500
PATIENCE_SECONDS = 20
"""How long to wait without a record; less than a transaction may be idle (`database_idle_transaction_seconds`)."""


@asynccontextmanager
async def topic_feed(settings: Settings, topic: Topic) -> AsyncIterator["TopicFeed"]:
    """A feed for the block. Raises KafkaError when the broker does not answer."""
    consumer = AIOKafkaConsumer(
        **kafka.connection(settings), enable_auto_commit=False, isolation_level="read_committed"
    )
    admin = AIOKafkaAdminClient(**kafka.connection(settings))
    try:
        await consumer.start()
        await admin.start()
        yield TopicFeed(settings, topic, consumer, admin)
    finally:
        await admin.close()
        await kafka.stop_bounded(consumer)


class TopicFeed:
    """A topic's records between offsets, and where the service's consumers are in it."""

    def __init__(
        self, settings: Settings, topic: Topic, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient
    ) -> None:
        self._settings, self._topic, self._consumer, self._admin = settings, topic, consumer, admin
        self._partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]

    async def bounds(self) -> Mapping[int, tuple[int, int]]:
        """The first offset of each partition and the one behind its last."""
        first = await self._consumer.beginning_offsets(self._partitions)
        ends = await self._consumer.end_offsets(self._partitions)
        return {one.partition: (first[one], ends[one]) for one in self._partitions}

    async def committed(self) -> Mapping[int, int]:
        """What the service's consumer group has committed."""
        group = f"{self._settings.service}.{self._topic.name}"
        found = await self._admin.list_consumer_group_offsets(group, partitions=self._partitions)
        return {one.partition: committed.offset for one, committed in found.items() if committed.offset >= 0}

    async def read(self, start: Mapping[int, int], stop: Mapping[int, int]) -> AsyncIterator[Sequence[Any]]:
        """Batches of records from `start` up to and without `stop`. Raises TimeoutError when none come."""
        reading = {one for one in self._partitions if start[one.partition] < stop[one.partition]}
        self._consumer.assign(sorted(reading))
        for one in reading:
            self._consumer.seek(one, start[one.partition])
        heard_at = time.monotonic()
        while reading:
            batches = await self._consumer.getmany(
                *reading, timeout_ms=POLL_MS, max_records=self._settings.consumer_batch
            )
            records = [one for batch in batches.values() for one in batch if one.offset < stop[one.partition]]
            if batches:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > PATIENCE_SECONDS:
                raise TimeoutError(f"{self._topic.name} gives no more records, and its end was not reached")
            if records:
                yield records
            reading = {one for one in reading if await self._consumer.position(one) < stop[one.partition]}
