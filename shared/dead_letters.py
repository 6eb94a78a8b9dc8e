"""What a service could not process: set aside with its error, and tried again on command.

A dead letter is the record as it came with `dlq_*` headers added; of one that is larger than any of
ours may be, its beginning (`dlq_cut`). `replay` runs the handler again and never writes back to the
topic; what fails once more goes to the end of the dead letters.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from shared import kafka, telemetry
from shared.contracts.events import Topic
from shared.settings import Settings

log = telemetry.logger("dead-letters")

MAX_ERROR_BYTES = 4_000
KEPT_BYTES = 1_000_000
KEPT_KEY_BYTES = 1_000
REPLAY_BATCH = 100
REPLAY_POLL_SECONDS = 5

Record = Any
"""An aiokafka ConsumerRecord."""


@dataclass(frozen=True)
class Replayed:
    """How a replay went: handled now, or failed again."""

    handled: int
    failed: int


class DeadLetters:
    """Writes dead letters of one service. A send that fails raises, so that nothing is passed over."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def put(self, topic: Topic, record: Record, error: str) -> None:
        """Set one record aside. Raises KafkaError when the broker does not take it."""
        producer = await self._started()
        key, value, headers = _kept(record)
        headers += [
            ("dlq_error", error.encode("utf-8", "replace")[:MAX_ERROR_BYTES]),
            ("dlq_topic", record.topic.encode()),
            ("dlq_partition", str(record.partition).encode()),
            ("dlq_offset", str(record.offset).encode()),
            ("dlq_time", datetime.now(UTC).isoformat().encode()),
        ]
        try:
            await producer.send_and_wait(
                topic.dead_letters(self._settings.service), key=key, value=value, headers=headers
            )
        except KafkaError:
            await (
                self.close()
            )  # an idempotent producer does not recover from every error; the next call makes a new one
            raise
        telemetry.CONSUMED.labels(self._settings.service, topic.name, "dead_letter").inc()
        log.error("dead letter", topic=topic.name, partition=record.partition, offset=record.offset, error=error[:500])

    async def close(self) -> None:
        """Stop the producer, if one was needed."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await kafka.stop_bounded(producer)

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = kafka.producer(self._settings, kafka.MAX_DEAD_LETTER_BYTES)
                try:
                    await producer.start()
                except BaseException:
                    await kafka.stop_bounded(producer)
                    raise
                self._producer = producer
            return self._producer


def _kept(record: Record) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]:
    """Key, body and headers of a letter. A stranger's record of any size must fit, or it would block its partition."""
    headers = [(name, value) for name, value in record.headers if not name.startswith("dlq_")]
    size = len(record.key or b"") + len(record.value or b"") + sum(len(n) + len(v or b"") for n, v in headers)
    if size <= KEPT_BYTES:
        return record.key, record.value, headers
    key, value = record.key and record.key[:KEPT_KEY_BYTES], record.value and record.value[:KEPT_BYTES]
    return key, value, [("dlq_cut", str(size).encode())]


async def replay(
    settings: Settings, topic: Topic, handle: Callable[[Record], Awaitable[None]], limit: int | None = None
) -> Replayed:
    """Run `handle` for every dead letter there is now (at most `limit`); failures become dead letters again.

    Positions are kept in the consumer group `<service>.<topic>.replay`, so a second call goes on
    where the first ended.
    """
    letters = DeadLetters(settings)
    name = topic.dead_letters(settings.service)
    consumer = AIOKafkaConsumer(
        **kafka.connection(settings),
        group_id=f"{settings.service}.{topic.name}.replay",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    handled = failed = 0
    try:
        consumer.assign([TopicPartition(name, 0)])
        end = (await consumer.end_offsets([TopicPartition(name, 0)]))[TopicPartition(name, 0)]
        while limit is None or handled + failed < limit:
            if await consumer.position(TopicPartition(name, 0)) >= end:
                break
            wanted = REPLAY_BATCH if limit is None else min(REPLAY_BATCH, limit - handled - failed)
            batches = await consumer.getmany(timeout_ms=REPLAY_POLL_SECONDS * 1000, max_records=wanted)
            for record in (record for batch in batches.values() for record in batch if record.offset < end):
                try:
                    await handle(record)
                    handled += 1
                except Exception as error:
                    await letters.put(topic, record, repr(error))
                    failed += 1
            await consumer.commit()
    finally:
        await letters.close()
        await kafka.stop_bounded(consumer)
    return Replayed(handled, failed)
