"""Consuming: batches, one transaction each, effects exactly once, nothing lost and nothing stuck.

A record's offset is committed after its effects are. What passes (database away, lock not had) is
retried at a growing pace; what does not is found by halving the batch and set aside as a dead letter,
its neighbours unharmed. `broker.subscriber` is called here only: every FastStream default that would
lose records (acknowledge first, latest offset, created topics) is overruled in one place.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from shared import foreign_records, inbox, kafka, telemetry
from shared.contracts.events import Topic
from shared.database import Database, Session, is_transient
from shared.dead_letters import DeadLetters, Record, Replayed, replay
from shared.envelope import COMPACTION_TICK, Envelope, Undecodable, decode
from shared.progress import Position, write_progress
from shared.settings import Settings

log = telemetry.logger("messaging")

END_OFFSETS_SECONDS = 5
EXIT_STUCK = 70

Handler = Callable[[Session, Sequence[Envelope[Any]]], Awaitable[None]]

Check = Callable[[Envelope[Any], Any], None]
"""Looks at one event by itself, with the service's settings. Raises Undecodable if it can never be applied."""


@dataclass(frozen=True)
class Subscription:
    """One consumed topic and what to do with its batches.

    `once` filters repeated events by the inbox; state topics rely on versions instead, and a command may
    know repetitions by an id of its own. What `check` refuses is a dead letter at once: it costs its
    neighbours neither a retry nor a halved batch.
    """

    topic: Topic
    handle: Handler
    once: bool
    check: Check | None = None

    def open(self, record: Record, settings: Settings) -> Envelope[Any]:
        """Read and check a record (a dead letter's own headers aside). Raises Undecodable."""
        envelope = decode(self.topic, record.key, record.value, _without_error(record.headers))
        if self.check is not None and envelope.event is not None:
            self.check(envelope, settings)
        return envelope


def consumes(topic: Topic, check: Check | None = None, once: bool | None = None) -> Callable[[Handler], Subscription]:
    """Declare the handler of a topic: it gets batches in order, within a transaction it must not commit.

    By default facts are filtered by the inbox; `once=False` is for a handler whose effects repeat without harm.
    """
    return lambda handle: Subscription(topic, handle, not topic.holds_state if once is None else once, check)


def subscriptions_in(module: ModuleType) -> list[Subscription]:
    """The subscriptions that a `consumers` module declares."""
    return [value for value in vars(module).values() if isinstance(value, Subscription)]


@dataclass
class _Watched:
    """What the watch over one subscription knows."""

    subscription: Subscription
    consumer: Callable[[], AIOKafkaConsumer | None]
    in_hand: dict[int, int] = field(default_factory=dict)
    """The first offset of each partition in the batch that is being applied."""
    moved_at: float = field(default_factory=time.monotonic)
    waiting_for_database: bool = False


class Consumers:
    """All subscriptions of one service in this process."""

    def __init__(self, settings: Settings, database: Database, subscriptions: Iterable[Subscription]) -> None:
        self._settings, self._database = settings, database
        self._letters = DeadLetters(settings)
        self._broker = _broker(settings)
        self._watched = [self._subscribe(subscription) for subscription in subscriptions]
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Join the consumer groups. A start that fails half-way leaves no member behind."""
        try:
            await self._broker.start()
        except BaseException:
            await self.stop()
            raise
        self._watch = asyncio.create_task(self._watch_progress())

    async def stop(self) -> None:
        """Finish the batches in hand and leave the groups, within `shutdown_seconds`."""
        if self._watch is not None:
            self._watch.cancel()
        await kafka.stop_bounded(self._broker, self._settings.shutdown_seconds)
        await self._letters.close()

    async def replay(self, topic_name: str, limit: int | None = None) -> Replayed:
        """Run the handler of a topic again over its dead letters. Raises KeyError for a foreign topic."""
        subscription = {w.subscription.topic.name: w.subscription for w in self._watched}[topic_name]

        async def handle(record: Record) -> None:
            await self._transact(subscription, [subscription.open(record, self._settings)], [])

        return await replay(self._settings, subscription.topic, handle, limit)

    def _subscribe(self, subscription: Subscription) -> _Watched:
        topic, settings = subscription.topic, self._settings
        subscriber = self._broker.subscriber(
            topic.name,
            group_id=f"{settings.service}.{topic.name}",
            batch=True,
            max_records=settings.consumer_batch,
            batch_timeout_ms=int(settings.consumer_poll_seconds * 1000),
            ack_policy=AckPolicy.NACK_ON_ERROR,
            auto_offset_reset="earliest",
            isolation_level="read_committed",  # what a stranger's transaction took back never happened
            parser=_parse,
            decoder=_decode,
        )
        watched = _Watched(subscription, lambda: subscriber.consumer)

        async def on_batch(records: tuple[Record, ...]) -> None:
            await self._on_batch(watched, records)

        subscriber(on_batch)
        return watched

    async def _on_batch(self, watched: _Watched, records: tuple[Record, ...]) -> None:
        subscription = watched.subscription
        watched.in_hand = {record.partition: record.offset for record in reversed(records)}
        try:
            with telemetry.BATCH_SECONDS.labels(self._settings.service, subscription.topic.name).time():
                batch = await self._readable(subscription, records)
                await self._apply(watched, batch, self._positions(watched, records))
        finally:
            watched.in_hand = {}
        telemetry.CONSUMED.labels(self._settings.service, subscription.topic.name, "applied").inc(len(batch))
        watched.moved_at = time.monotonic()

    async def _readable(
        self, subscription: Subscription, records: Sequence[Record]
    ) -> list[tuple[Record, Envelope[Any]]]:
        """Those of a batch that are events; the others become dead letters."""
        batch: list[tuple[Record, Envelope[Any]]] = []
        for record in records:
            if record.key == COMPACTION_TICK.encode():
                continue
            try:
                batch.append((record, subscription.open(record, self._settings)))
            except Undecodable as error:
                await self._letters.put(subscription.topic, record, str(error))
        return batch

    async def _apply(
        self, watched: _Watched, batch: Sequence[tuple[Record, Envelope[Any]]], positions: list[Position]
    ) -> None:
        """Apply a batch; halve it when it holds something that cannot be applied."""
        pause, subscription = self._settings.consumer_retry_first_seconds, watched.subscription
        for attempt in range(1, self._settings.consumer_attempts + 1):
            try:
                await self._transact(subscription, [envelope for _, envelope in batch], positions)
                watched.waiting_for_database = False
                return
            except Exception as error:
                passing, last = is_transient(error), attempt == self._settings.consumer_attempts
                watched.waiting_for_database = passing
                log.warning(
                    "batch failed", topic=subscription.topic.name, size=len(batch), attempt=attempt, error=repr(error)
                )
                if passing and last:
                    raise  # FastStream rewinds, and the batch comes again: it must not be lost, however long it takes
                if not passing and len(batch) > 1:
                    break
                if last:
                    record, _ = batch[0]
                    await self._letters.put(subscription.topic, record, repr(error))
                    return
            await asyncio.sleep(pause)
            pause = min(pause * 2, self._settings.consumer_retry_max_seconds)
        middle = len(batch) // 2
        await self._apply(watched, batch[:middle], [])
        await self._apply(watched, batch[middle:], positions)

    async def _transact(
        self, subscription: Subscription, envelopes: Sequence[Envelope[Any]], positions: list[Position]
    ) -> None:
        first = envelopes[0].traceparent if envelopes else None
        with telemetry.tracing(first, f"consume {subscription.topic.name}", size=len(envelopes)):
            async with self._database.transaction() as session:
                if subscription.once:
                    consumer = f"{self._settings.service}.{subscription.topic.name}"
                    envelopes = await inbox.unseen(session, consumer, envelopes)
                if envelopes:
                    await subscription.handle(session, envelopes)
                await write_progress(session, positions)

    def _positions(self, watched: _Watched, records: Sequence[Record]) -> list[Position]:
        consumer, topic = watched.consumer(), watched.subscription.topic.name
        last = {record.partition: record.offset + 1 for record in records}
        return [
            Position(topic, partition, offset, max(offset, _highwater(consumer, topic, partition)))
            for partition, offset in sorted(last.items())
        ]

    async def _watch_progress(self) -> None:
        """Tell, also when nothing comes, how far each partition is; end the process when one is stuck."""
        while True:
            await asyncio.sleep(self._settings.consumer_progress_seconds)
            positions: list[Position] = []
            for watched in self._watched:
                try:
                    positions += await self._look(watched)
                except Exception as error:  # of any kind: without the watch nobody would ever call this process ready
                    log.warning("no word from the broker", topic=watched.subscription.topic.name, error=repr(error))
            try:
                async with self._database.transaction() as session:
                    await write_progress(session, sorted(positions))
            except Exception as error:
                log.warning("progress not written", error=repr(error))

    async def _look(self, watched: _Watched) -> list[Position]:
        consumer, topic = watched.consumer(), watched.subscription.topic.name
        assigned = consumer.assignment() if consumer is not None else ()
        lag, waiting, positions = 0, 0, []
        if consumer is not None and assigned:
            ends = await asyncio.wait_for(consumer.end_offsets(assigned), END_OFFSETS_SECONDS)
            for partition in assigned:
                offset = await asyncio.wait_for(consumer.position(partition), END_OFFSETS_SECONDS)
                # the consumer's position is ahead of what has been applied
                offset = watched.in_hand.get(partition.partition, offset)
                behind = max(ends[partition] - offset, 0)
                lag += behind
                waiting += behind if partition.partition not in watched.in_hand else 0
                positions.append(Position(topic, partition.partition, offset, ends[partition]))
        telemetry.LAG.labels(self._settings.service, topic).set(lag)
        self._end_if_stuck(watched, waiting)
        return positions

    def _end_if_stuck(self, watched: _Watched, waiting: int) -> None:
        if waiting == 0 or watched.waiting_for_database:
            watched.moved_at = time.monotonic()
        elif time.monotonic() - watched.moved_at > self._settings.consumer_stuck_seconds:
            # aiokafka can stop fetching for good after a broker's restart; only a new process helps,
            # and everything is safe to end at any point
            log.critical(
                "consumer is stuck, ending the process", topic=watched.subscription.topic.name, waiting=waiting
            )
            os._exit(EXIT_STUCK)


async def _parse(records: tuple[Record, ...], original: Callable[[Any], Awaitable[Any]]) -> Any:
    """FastStream's parser decodes headers and raises for a whole batch; show it a bare record only."""
    bare = _Bare(records[0])
    message = await original((bare,))
    message.raw_message = records
    return message


async def _decode(message: Any) -> Any:
    return message.raw_message


class _Bare:
    """A record as FastStream may see it: nothing in it can fail to decode."""

    headers: tuple[()] = ()
    value = b""
    key = None

    def __init__(self, record: Record) -> None:
        self.topic, self.partition, self.offset, self.timestamp = (
            record.topic,
            record.partition,
            record.offset,
            record.timestamp,
        )


def _without_error(headers: Iterable[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [(name, value) for name, value in headers if not name.startswith("dlq_")]


def _highwater(consumer: AIOKafkaConsumer | None, topic: str, partition: int) -> int:
    if consumer is None or TopicPartition(topic, partition) not in consumer.assignment():
        return 0
    return consumer.highwater(TopicPartition(topic, partition)) or 0


def _broker(settings: Settings) -> KafkaBroker:
    foreign_records.install()
    return KafkaBroker(
        settings.kafka_bootstrap_servers,
        client_id=f"rapport-{settings.service}",
        acks="all",
        enable_idempotence=True,
        allow_auto_create_topics=False,
        graceful_timeout=settings.shutdown_seconds,
        apply_types=False,
        security=_security(settings),
        logger=None,
    )


def _security(settings: Settings) -> BaseSecurity | None:
    context = kafka.tls_context(settings) if "ssl" in settings.kafka_security else None
    if "sasl" not in settings.kafka_security:
        return BaseSecurity(ssl_context=context, use_ssl=context is not None) if context else None
    kinds = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    password = settings.kafka_password.get_secret_value() if settings.kafka_password else ""
    return kinds[settings.kafka_sasl_mechanism](
        username=settings.kafka_username or "", password=password, ssl_context=context, use_ssl=context is not None
    )
