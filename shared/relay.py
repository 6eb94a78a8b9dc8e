"""Carries committed events from the outbox to Kafka: one leader, in id order, deleted when acknowledged.

Two relays at once would invert events of a key, so a session-level advisory lock chooses the leader.
A lock does not fence a batch that a killed predecessor has in flight: without a clean hand-over the
new leader first waits longer than that batch can live (`relay_takeover_seconds`). A record may be
sent twice (killed between acknowledgement and delete), never lost; consumers know it by id or version.
"""

import asyncio
import contextlib
import struct
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import asyncpg
import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from shared import kafka, telemetry
from shared.contracts.catalogue import TOPICS
from shared.database import connect_arguments, driver_url
from shared.settings import Settings

log = telemetry.logger("relay")

LEADER_POLL_SECONDS = 1.0
FAULT_PAUSE_SECONDS = 0.5
FAULT_PAUSE_MAX_SECONDS = 5.0
KEYS_REMEMBERED = 10_000
_MIX = 0x5BD1E995

KEPT_TOPICS = [t.name for t in TOPICS if t.cleanup == "delete" and t.name not in ("crm.imports", "crm.import-results")]
"""Fact topics whose sent rows rest in `outbox_sent` for `resend`; imports resume from their own rows."""

_IN_ORDER = {"enable_seqscan": "off", "enable_bitmapscan": "off", "enable_sort": "off"}
"""Read the outbox by its key. It is empty whenever statistics are taken, so that the planner, left to itself,
reads and sorts all of a backlog, dead rows too, for every batch."""

_LOCK = "SELECT pg_try_advisory_lock(hashtext('rapport-relay'))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtext('rapport-relay'))"
NEXT = "SELECT id, topic, aggregateid, payload, headers FROM outbox ORDER BY id LIMIT $1"
_DONE = """
WITH gone AS (DELETE FROM outbox WHERE id = ANY($1::bigint[]) RETURNING *)
INSERT INTO outbox_sent (id, event_id, topic, aggregatetype, aggregateid, type, payload, headers, created_at)
SELECT id, event_id, topic, aggregatetype, aggregateid, type, payload, headers, created_at
FROM gone WHERE topic = ANY($2::text[]) ON CONFLICT DO NOTHING
"""
PASSING = (
    OSError,
    TimeoutError,
    KafkaError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg says when its backend died in the middle of an answer
)


class Relay:
    """The relay of one service; run it in as many processes as you like, one of them leads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()
        self.leads = False
        self.last_progress = time.monotonic()

    def wake(self) -> None:
        """Look at the outbox now instead of at the next poll: somebody here has just committed."""
        self._woken.set()

    def stop(self) -> None:
        """Finish the batch in hand, hand over cleanly and return from `run`."""
        self._stopping.set()
        self._woken.set()

    async def run(self) -> None:
        """Relay until stopped. Faults that pass (database or broker away) are waited out."""
        pause = FAULT_PAUSE_SECONDS
        while not self._stopping.is_set():
            try:
                await self._lead_when_possible()
                pause = FAULT_PAUSE_SECONDS
            except PASSING as error:
                self.leads = False
                log.warning("relay interrupted", error=repr(error), retry_in_seconds=pause)
                await self._wait(pause)
                pause = min(pause * 2, FAULT_PAUSE_MAX_SECONDS)

    async def _lead_when_possible(self) -> None:
        connection = await connect(self._settings)
        try:
            while not await connection.fetchval(_LOCK):
                if await self._wait(LEADER_POLL_SECONDS):
                    return
            await self._lead(connection)
        finally:
            self.leads = False
            with contextlib.suppress(*PASSING):
                await connection.close(timeout=2)

    async def _lead(self, connection: asyncpg.Connection) -> None:
        clean = await connection.fetchval("SELECT clean FROM relay_hand_over")
        if not clean:
            log.info(
                "taking over from a relay that did not say goodbye", wait_seconds=self._settings.relay_takeover_seconds
            )
            if await self._wait(self._settings.relay_takeover_seconds, wakeable=False):
                return
        await connection.execute("UPDATE relay_hand_over SET clean = false")
        producer = kafka.producer(self._settings)
        try:
            await producer.start()
            self.leads = True
            while not self._stopping.is_set():
                began = time.monotonic()
                sent = await self.send_batch(connection, producer)
                if sent < self._settings.outbox_batch:
                    await self._wait(self._settings.outbox_poll_seconds)
                    if sent:
                        await self._gather(began)
        except KafkaError:
            # A fatal producer error (out of sequence) needs a new producer; in-flight batches may
            # still arrive, so the next leader, even this process, waits as after a crash.
            raise
        else:
            await connection.execute("UPDATE relay_hand_over SET clean = true")
            await connection.fetchval(_UNLOCK)
        finally:
            await kafka.stop_bounded(producer)

    async def send_batch(self, connection: asyncpg.Connection, producer: AIOKafkaProducer) -> int:
        """Send the oldest rows and forget them; answers how many. Raises KafkaError if any was refused.

        Rows behind a refused one of their key stay with it and go again: else the older would come
        last, and compaction keeps what comes last.
        """
        rows = await connection.fetch(NEXT, self._settings.outbox_batch)
        self.last_progress = time.monotonic()
        if not rows:
            return 0
        results = await _send(producer, rows)
        sent = _done_with(rows, results)
        if sent:
            await connection.execute(_DONE, sent, KEPT_TOPICS)
            telemetry.OUTBOX_SENT.labels(self._settings.service).inc(len(sent))
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return len(sent)

    async def _gather(self, began: float) -> None:
        """Let more come together when the batch before began a moment ago.

        A batch costs the relay, the broker and every reader about as much for one event as for twenty.
        """
        left = began + self._settings.relay_gather_seconds - time.monotonic()
        if left > 0:
            await self._wait(left, wakeable=False)

    async def _wait(self, seconds: float, wakeable: bool = True) -> bool:
        """Sleep; answers whether the relay is to stop."""
        event = self._woken if wakeable else self._stopping
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # `wait_for` makes a task, twenty times a second
                await event.wait()
        self._woken.clear()
        return self._stopping.is_set()


async def connect(settings: Settings) -> asyncpg.Connection:
    """The relay's own connection: it holds a lock of its session, and reads the outbox in order."""
    arguments = connect_arguments(settings)
    arguments["server_settings"] |= _IN_ORDER
    return await asyncpg.connect(driver_url(settings.database_url.get_secret_value()), **arguments)


async def _send(producer: AIOKafkaProducer, rows: Sequence[Any]) -> list[Any]:
    """Send rows in their order, as one batch a partition where that holds them; what became of each, by row.

    A batch of a thousand records costs the client little more than one record that is sent by itself.
    """
    batches: dict[tuple[str, int], tuple[BatchBuilder, list[int]]] = {}
    under_way: list[tuple[asyncio.Future[Any], list[int]]] = []

    async def submit(place: tuple[str, int]) -> None:
        builder, members = batches.pop(place)
        under_way.append((await producer.send_batch(builder, place[0], partition=place[1]), members))

    partitions = {topic: len(await producer.partitions_for(topic)) for topic in {row["topic"] for row in rows}}
    for index, row in enumerate(rows):
        topic, key = row["topic"], row["aggregateid"].encode()
        place = topic, partition_of(key, partitions[topic])
        headers = [(name, value.encode()) for name, value in msgspec.json.decode(row["headers"]).items()]
        for _ in range(2):
            if place not in batches:
                batches[place] = producer.create_batch(), []
            builder, members = batches[place]
            if builder.append(timestamp=None, key=key, value=row["payload"], headers=headers) is not None:
                members.append(index)
                break
            await submit(place)  # it is full
    for place in list(batches):
        await submit(place)
    answers = await asyncio.gather(*(future for future, _ in under_way), return_exceptions=True)
    results: list[Any] = [None] * len(rows)
    for answer, (_, members) in zip(answers, under_way, strict=True):
        for index in members:
            results[index] = answer
    return results


@lru_cache(maxsize=KEYS_REMEMBERED)
def partition_of(key: bytes, count: int) -> int:
    """The partition that every client of Kafka chooses for a key."""
    return (_murmur2(key) & 0x7FFFFFFF) % count


def _murmur2(key: bytes) -> int:
    """Kafka's hash of a key, word by word: aiokafka's own goes byte by byte and takes three times as long."""
    words, rest = divmod(len(key), 4)
    hashed = 0x9747B28C ^ len(key)
    for word in struct.unpack_from(f"<{words}I", key):
        mixed = word * _MIX & 0xFFFFFFFF
        hashed = (hashed * _MIX & 0xFFFFFFFF) ^ ((mixed ^ mixed >> 24) * _MIX & 0xFFFFFFFF)
    if rest:
        hashed = (hashed ^ int.from_bytes(key[-rest:], "little")) * _MIX & 0xFFFFFFFF
    hashed = (hashed ^ hashed >> 13) * _MIX & 0xFFFFFFFF
    return hashed ^ hashed >> 15


def _done_with(rows: Sequence[Any], results: Sequence[Any]) -> list[int]:
    """Ids of the acknowledged rows that no refused row of the same key precedes."""
    refused: set[tuple[str, str]] = set()
    done: list[int] = []
    for row, result in zip(rows, results, strict=True):
        key = row["topic"], row["aggregateid"]
        if isinstance(result, BaseException):
            refused.add(key)
        elif key not in refused:
            done.append(row["id"])
    return done
