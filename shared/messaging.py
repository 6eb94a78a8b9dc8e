"""Consuming: batches, one transaction each, effects exactly once, nothing lost and nothing stuck.

A record's offset is committed after its effects are. What passes (database away, lock not had) is
retried at a growing pace; what does not is found by halving the batch and set aside as a dead letter,
its neighbours unharmed. `broker.subscriber` is called here only: every FastStream default that would
lose records (acknowledge first, latest offset, created topics) is overruled in one place.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from shared import foreign_records, inbox, kafka, prompt_fetching, telemetry
from shared.consumer_watch import ConsumerWatch, Watched
from shared.contracts.events import Topic
from shared.database import Database, Session, is_transient
from shared.dead_letters import DeadLetters, Record, Replayed, replay
from shared.envelope import COMPACTION_TICK, Envelope, Undecodable, decode
from shared.progress import Position, write_progress
from shared.rebuilding import Copy
from shared.settings import Settings

log = telemetry.logger("messaging")

Handler = Callable[[Session, Sequence[Envelope[Any]]], Awaitable[None]]

Check = Callable[[Envelope[Any], Any], None]
"""Looks at one event by itself, with the service's settings. Raises Undecodable if it can never be applied."""

Batch = Sequence[tuple[Record, Envelope[Any]]]
"""Records with what they say."""


@dataclass(frozen=True)
class Subscription:
    """One consumed topic and what to do with its batches.

    `once` filters repeated events by the inbox; state topics rely on versions instead, and a command may
    know repetitions by an id of its own. What `check` refuses is a dead letter at once: it costs its
    neighbours neither a retry nor a halved batch. Where each record is much work by itself it is a transaction
    of its own, and so many are `at_once` under way: one is worked out while another is with the database.
    `members` of the group share the topic's partitions in this process, to the same end. `copy` is what `rebuild`
    makes anew.
    """

    topic: Topic
    handle: Handler
    once: bool
    check: Check | None = None
    at_once: int | None = None
    members: int = 1
    copy: Copy | None = None

    def open(self, record: Record, settings: Settings) -> Envelope[Any]:
        """Read and check a record (a dead letter's own headers aside). Raises Undecodable."""
        envelope = decode(self.topic, record.key, record.value, record.headers)
        if self.check is not None and envelope.event is not None:
            self.check(envelope, settings)
        return envelope


def consumes(
    topic: Topic,
    check: Check | None = None,
    once: bool | None = None,
    at_once: int | None = None,
    members: int = 1,
    copy: Copy | None = None,
) -> Callable[[Handler], Subscription]:
    """Declare the handler of a topic: it gets batches in order, within a transaction it must not commit.

    By default facts are filtered by the inbox; `once=False` is for a handler whose effects repeat without harm. A batch
    has at most `consumer_batch` records. With `at_once` each record is a batch by itself, and so many are handled at
    the same time, whatever their order was: for commands that wait for one another's answers where order matters.
    With more than one of `members` batches of different partitions are handled at the same time; order holds within a
    partition. A state topic of which the service keeps a `copy` says what that consists of.
    """
    filtered = not topic.holds_state if once is None else once
    return lambda handle: Subscription(topic, handle, filtered, check, at_once, members, copy)


def subscriptions_in(module: ModuleType) -> list[Subscription]:
    """The subscriptions that a `consumers` module declares."""
    return [value for value in vars(module).values() if isinstance(value, Subscription)]


class Consumers:
    """All subscriptions of one service in this process."""

    def __init__(self, settings: Settings, database: Database, subscriptions: Iterable[Subscription]) -> None:
        self._settings, self._database = settings, database
        self._letters = DeadLetters(settings)
        self._broker = _broker(settings)
        self._subscriptions = {one.topic.name: one for one in subscriptions}
        self._watched = [
            self._subscribe(subscription)
            for subscription in self._subscriptions.values()
            for _ in range(subscription.members)
        ]
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Join the consumer groups. A start that fails half-way leaves no member behind."""
        try:
            await self._broker.start()
        except BaseException:
            await self.stop()
            raise
        self._watch = asyncio.create_task(ConsumerWatch(self._settings, self._database, self._watched).run())

    async def stop(self) -> None:
        """Finish the batches in hand and leave the groups, within `shutdown_seconds`."""
        if self._watch is not None:
            self._watch.cancel()
        await kafka.stop_bounded(self._broker, self._settings.shutdown_seconds)
        await self._letters.close()

    async def replay(self, topic_name: str, limit: int | None = None) -> Replayed:
        """Run the handler of a topic again over its dead letters. Raises KeyError for a foreign topic."""
        subscription = self._subscriptions[topic_name]

        async def handle(record: Record) -> None:
            await self._transact(subscription, [subscription.open(record, self._settings)], [])

        return await replay(self._settings, subscription.topic, handle, limit)

    def _subscribe(self, subscription: Subscription) -> Watched:
        topic, settings = subscription.topic, self._settings
        subscriber = self._broker.subscriber(
            topic.name,
            group_id=f"{settings.service}.{topic.name}",
            batch=True,
            max_records=subscription.at_once or settings.consumer_batch,
            batch_timeout_ms=int(settings.consumer_poll_seconds * 1000),
            fetch_max_wait_ms=int(prompt_fetching.FETCH_WAIT_SECONDS * 1000),
            ack_policy=AckPolicy.NACK_ON_ERROR,
            auto_offset_reset="earliest",
            isolation_level="read_committed",  # what a stranger's transaction took back never happened
            parser=_parse,
            decoder=_decode,
        )
        watched = Watched(topic, lambda: subscriber.consumer)

        async def on_batch(records: tuple[Record, ...]) -> None:
            await self._on_batch(subscription, watched, records)

        subscriber(on_batch)
        return watched

    async def _on_batch(self, subscription: Subscription, watched: Watched, records: tuple[Record, ...]) -> None:
        watched.in_hand = {record.partition: record.offset for record in reversed(records)}
        try:
            with telemetry.BATCH_SECONDS.labels(self._settings.service, subscription.topic.name).time():
                batch = await self._readable(subscription, records)
                positions = self._positions(watched, records)
                if subscription.at_once is None:
                    await self._apply(subscription, watched, batch, positions)
                else:
                    await self._apply_at_once(subscription, watched, batch, positions)
        finally:
            watched.in_hand = {}
        telemetry.CONSUMED.labels(self._settings.service, subscription.topic.name, "applied").inc(len(batch))
        watched.moved_at = time.monotonic()

    async def _readable(self, subscription: Subscription, records: Sequence[Record]) -> Batch:
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

    async def _apply_at_once(
        self, subscription: Subscription, watched: Watched, batch: Batch, positions: list[Position]
    ) -> None:
        """Apply each record by itself, all at the same time; what passes is raised when none is under way any more."""
        singly = [self._apply(subscription, watched, [one], []) for one in batch]
        for outcome in await asyncio.gather(*singly, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        async with self._database.transaction() as session:
            await write_progress(session, positions)

    async def _apply(
        self, subscription: Subscription, watched: Watched, batch: Batch, positions: list[Position]
    ) -> None:
        """Apply a batch; halve it when it holds something that cannot be applied."""
        pause = self._settings.consumer_retry_first_seconds
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
        await self._apply(subscription, watched, batch[:middle], [])
        await self._apply(subscription, watched, batch[middle:], positions)

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

    def _positions(self, watched: Watched, records: Sequence[Record]) -> list[Position]:
        consumer, topic = watched.consumer(), watched.topic.name
        last = {record.partition: record.offset + 1 for record in records}
        return [
            Position(topic, partition, offset, max(offset, _highwater(consumer, topic, partition)))
            for partition, offset in sorted(last.items())
        ]


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


def _highwater(consumer: AIOKafkaConsumer | None, topic: str, partition: int) -> int:
    if consumer is None or TopicPartition(topic, partition) not in consumer.assignment():
        return 0
    return consumer.highwater(TopicPartition(topic, partition)) or 0


def _broker(settings: Settings) -> KafkaBroker:
    foreign_records.install()
    prompt_fetching.install()
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
