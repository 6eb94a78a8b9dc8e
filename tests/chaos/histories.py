"""What lies on the topics in the end: of every key all versions, each told by one event, the newest last."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contracts.events import Topic

POLL_MS = 500


@dataclass
class History:
    """All records of one key, in the order of the topic; repeated ones are there repeatedly."""

    records: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def events(self) -> list[dict[str, Any]]:
        """Bodies of the distinct events, each where it came first."""
        first: dict[str, dict[str, Any]] = {}
        for event_id, body in self.records:
            first.setdefault(event_id, body)
        return list(first.values())

    def require_gapless(self) -> None:
        """Raises AssertionError unless the versions are 1, 2, 3 … and the last record is the newest.

        A relay that was killed may say something twice; it may not say two things under one version,
        nor leave an older one behind as the last word, which compaction would keep.
        """
        versions = [event["version"] for event in self.events()]
        assert versions == list(range(1, len(versions) + 1)), f"versions on the topic: {versions}"
        assert self.records[-1][1]["version"] == versions[-1], "an older version came last"


async def histories(bootstrap_servers: str, topic: Topic, keys: Collection[str]) -> dict[str, History]:
    """The histories of some keys."""
    found = {key: History() for key in keys}
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(one) < ends[one] for one in partitions]):
            for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                for record in records:
                    history = found.get((record.key or b"").decode())
                    if history is not None and record.value is not None:
                        headers = dict(record.headers)
                        history.records.append((headers["ce_id"].decode(), msgspec.json.decode(record.value)))
    finally:
        await consumer.stop()
    return found
