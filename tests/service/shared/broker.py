"""The test run's broker as a stranger uses it: topics, raw records, and what lies on a topic."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy as PlainBuilder

from shared.contracts.events import Event, Topic
from shared.envelope import new_id
from shared.kafka import dead_letter_topic
from shared.settings import Settings

READ_MS = 200


class Broker:
    """Clients without any of the service's care, shared by the tests of a run."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        self._producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, linger_ms=1)
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()
        await self._admin.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()
        await self._admin.close()

    async def create(self, *topics: Topic, settings: Settings) -> None:
        """Create topics, and where a service puts what it cannot process of them."""
        wanted = [NewTopic(topic.name, topic.partitions, 1) for topic in topics]
        wanted += [dead_letter_topic(settings, topic, settings.service) for topic in topics]
        await self._admin.create_topics(wanted)

    async def send(
        self,
        topic: Topic,
        key: bytes | None,
        value: bytes | None,
        headers: Iterable[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> None:
        """Write one record, whatever is in it."""
        await self._producer.send(topic.name, value, key, partition=partition, headers=list(headers))

    async def send_by_hand(self, topic: Topic, key: bytes, value: bytes, headers: Any, codec: str) -> None:
        """Write one record to partition 0 by an encoder that lets everything through."""
        builder = PlainBuilder(
            magic=2,
            compression_type={"none": 0, "zstd": 4}[codec],
            is_transactional=0,
            producer_id=-1,
            producer_epoch=-1,
            base_sequence=-1,
            batch_size=100_000,
        )
        batch = self._producer.create_batch()
        batch._builder = builder
        builder.append(0, int(time.time() * 1000), key, value, headers)
        batch._relative_offset = 1
        await (await self._producer.send_batch(batch, topic.name, partition=0))

    async def tell(self, *events: Event, ids: Sequence[str] = (), partition: int | None = None, **more: str) -> None:
        """Write events as a well-behaved producer does; `more` are headers."""
        for number, event in enumerate(events):
            event_id = ids[number] if ids else str(new_id())
            await self.send(
                event.topic,
                event.key.encode(),
                event.model_dump_json().encode(),
                pairs(cloud_event(event.ce_type, event_id) | more),
                partition,
            )
        await self._producer.flush()

    async def flush(self) -> None:
        """Return when what was sent lies on its topics."""
        await self._producer.flush()

    async def read(self, topic: str) -> list[ConsumerRecord[Any, Any]]:
        """Everything on a topic, each partition in its order."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap_servers, auto_offset_reset="earliest")
        await consumer.start()
        try:
            numbers = await self._partitions(consumer, topic)
            partitions = [TopicPartition(topic, number) for number in numbers]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            found: list[ConsumerRecord[Any, Any]] = []
            while any([await consumer.position(one) < ends[one] for one in partitions]):
                for records in (await consumer.getmany(timeout_ms=READ_MS)).values():
                    found += records
            return found
        finally:
            await consumer.stop()

    async def committed(self, topic: Topic, group: str) -> int:
        """How far a group says it has come on a topic, all partitions together."""
        offsets = await self._admin.list_consumer_group_offsets(group)
        return sum(meta.offset for one, meta in offsets.items() if one.topic == topic.name)

    async def members(self, group: str) -> int:
        """How many consumers a group has."""
        [answer] = await self._admin.describe_consumer_groups([group])
        [described] = answer.to_object()["groups"]
        return len(described["members"])

    async def _partitions(self, consumer: AIOKafkaConsumer, topic: str) -> list[int]:
        [answer] = await self._admin.describe_topics([topic])
        return sorted(partition["partition"] for partition in answer["partitions"])


def cloud_event(type_name: str, event_id: str | None = None, source: str = "stranger") -> dict[str, str]:
    """The headers an event must have."""
    return {
        "ce_specversion": "1.0",
        "ce_id": event_id or str(new_id()),
        "ce_source": source,
        "ce_type": type_name,
    }


def pairs(headers: Mapping[str, str]) -> list[tuple[str, bytes]]:
    """Headers as they travel."""
    return [(name, value.encode()) for name, value in headers.items()]
