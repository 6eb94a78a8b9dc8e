"""Rows 3 to 5: facts by HTTP one by one and in hundreds, by topic, and how soon each is shown."""

import asyncio
import contextlib
import random
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count, islice
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from deploy.demo.generate import SEED
from shared.contracts.interactions import INGEST, InteractionFactReported
from shared.identity import INGEST_INTERACTIONS
from shared.relay import partition_of
from tests.performance.client import Connection, load, quantile, request
from tests.performance.processes import Usage
from tests.performance.report import Bar, Figure
from tests.performance.stage import INGEST_SOURCE, Stage
from tests.performance.yardsticks import commit_rate, commit_seconds

CLIENTS = 8
SECONDS = 10.0
WARM_SECONDS = 1.0
YARDSTICK_SECONDS = 3.0
BURST = 10
PACED_RATE = 300
PACED_CONNECTIONS = 32
LOOK_SECONDS = 0.005
"""How often the shown count is looked at: by so much a fact can seem later than it was."""
SHOWN_SECONDS = 120
COUNT_POLL_SECONDS = 0.05
LOOKED_AT_TOGETHER = 100

ONE_FACT = Bar("at least", 500, 1_000, "facts/s")
HUNDREDS = Bar("at least", 4_000, 10_000, "facts/s")
BY_TOPIC = Bar("at least", 3_000, 10_000, "facts/s")
IN_BURSTS = Bar("at least", 10_000, None, "facts/s")
SHOWN = Bar("at most", 250, None, "ms")

Record = tuple[bytes, bytes, list[tuple[str, bytes]]]
"""Key, value and headers."""

_COUNTS = "SELECT customer_id, interaction_count FROM customer_contact WHERE customer_id = ANY($1::uuid[])"
_numbers = count()


async def facts_by_http(stage: Stage, seconds: float = SECONDS) -> list[Figure]:
    """Facts one by one and in items of a hundred, 8 clients, each of a customer drawn by lot."""
    return [
        await _by_http(stage, "3 one fact by HTTP", 1, ONE_FACT, seconds),
        await _by_http(stage, "3 items of 100", 100, HUNDREDS, seconds),
    ]


async def facts_by_topic(stage: Stage, number: int) -> list[Figure]:
    """From the first record sent until the last count is shown: distinct customers, then bursts of ten."""
    distinct = list(_drawn(stage, min(number, len(stage.customer_ids))))
    bursts = [customer_id for customer_id in distinct[: number // BURST] for _ in range(BURST)]
    return [
        await _by_topic(stage, "4 topic, distinct customers", distinct, BY_TOPIC),
        await _by_topic(stage, "4 topic, bursts of ten", bursts, IN_BURSTS),
    ]


async def facts_shown(stage: Stage, seconds: float) -> list[Figure]:
    """At a steady pace: from the moment a fact was due to be posted until its customer's count has it."""
    customer_ids = list(_drawn(stage, int(PACED_RATE * seconds)))
    bare = await commit_seconds(stage.owner_url("interactions"))
    connection = stage.connections["customers"]
    waiting = _Waiting({row[0]: row[1] for row in await connection.fetch(_COUNTS, customer_ids)})
    before = stage.usage()
    looking = asyncio.create_task(waiting.look(connection))
    try:
        await _post_paced(stage, customer_ids, waiting)
        async with asyncio.timeout(SHOWN_SECONDS):
            await looking
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
    cost = stage.usage().since(before)
    p50, p99 = (quantile(waiting.seen_after, share) * 1_000 for share in (0.5, 0.99))
    answered = quantile(waiting.answered_after, 0.99) * 1_000
    return [
        Figure(
            f"5 fact posted -> shown, {PACED_RATE}/s",
            f"p50 {p50:.0f} ms, p99 {p99:.0f} ms",
            p99,
            SHOWN,
            f"bare commit {bare * 1_000:.1f} ms",
            cost,
            [f"answered p99 {answered:.0f} ms; looked every {LOOK_SECONDS * 1_000:.0f} ms"],
        )
    ]


async def _by_http(stage: Stage, name: str, items: int, bar: Bar, seconds: float) -> Figure:
    url = stage.owner_url("interactions")
    bare = await commit_rate(url, items, CLIENTS, YARDSTICK_SECONDS) * items
    port = stage.port("interactions")
    await load(port, _requests(stage, items), CLIENTS, WARM_SECONDS)
    await stage.settle()
    before = stage.usage()
    done = await load(port, _requests(stage, items), CLIENTS, seconds)
    settling = time.perf_counter()
    await stage.settle()
    cost = stage.usage().since(before)
    rate, facts = done.rate * items, len(done.latencies) * items
    return Figure(
        name,
        f"{rate:,.0f} facts/s, p99 {done.quantile_ms(0.99):.0f} ms",
        rate,
        bar,
        f"bare commits of {items}: {bare:,.0f} rows/s",
        cost,
        [_spent(cost, facts), f"all shown {time.perf_counter() - settling:.1f} s after the last answer"],
    )


async def _by_topic(stage: Stage, name: str, customer_ids: Sequence[UUID], bar: Bar) -> Figure:
    bare = await commit_rate(stage.owner_url("interactions"), 500, 2, YARDSTICK_SECONDS) * 500
    records = [_record(customer_id) for customer_id in customer_ids]
    connection = stage.connections["customers"]
    last = list(dict.fromkeys(reversed(customer_ids)))[:1_000]
    goal = {row[0]: row[1] for row in await connection.fetch(_COUNTS, last)}
    for customer_id in customer_ids:
        if customer_id in goal:
            goal[customer_id] += 1
    producer = AIOKafkaProducer(
        bootstrap_servers=stage.rapport.bootstrap_servers, acks="all", enable_idempotence=True, linger_ms=5
    )
    await producer.start()
    try:
        before, started = stage.usage(), time.perf_counter()
        await _send(producer, records)
        sent_after = time.perf_counter() - started
    finally:
        await producer.stop()
    await _until_shown(connection, goal)
    await stage.settle()
    seconds = time.perf_counter() - started
    cost = stage.usage().since(before)
    rate = len(records) / seconds
    measured = f"{rate:,.0f} facts/s ({len(records):,} in {seconds:.1f} s)"
    notes = [_spent(cost, len(records)), f"the broker had all after {sent_after:.1f} s"]
    return Figure(name, measured, rate, bar, f"bare commits of 500: {bare:,.0f} rows/s", cost, notes)


async def _send(producer: AIOKafkaProducer, records: Sequence[Record]) -> None:
    """Send records in their order, by the batch: one by one they would take more of the machine than their reader."""
    batches, sent = dict[int, BatchBuilder](), list[asyncio.Future[Any]]()
    for key, value, headers in records:
        partition = partition_of(key, INGEST.partitions)
        batch = batches.get(partition) or batches.setdefault(partition, producer.create_batch())
        if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:  # it is full
            sent.append(await producer.send_batch(batch, INGEST.name, partition=partition))
            batches[partition] = batch = producer.create_batch()
            batch.append(timestamp=None, key=key, value=value, headers=headers)
    for partition, batch in batches.items():
        sent.append(await producer.send_batch(batch, INGEST.name, partition=partition))
    await asyncio.gather(*sent)


async def _until_shown(connection: asyncpg.Connection, counts: dict[UUID, int]) -> None:
    """Look at some at a time, or looking would be much of what is measured."""
    deadline, waiting = time.perf_counter() + SHOWN_SECONDS, dict(counts)
    while waiting:
        found = await connection.fetch(_COUNTS, list(islice(waiting, LOOKED_AT_TOGETHER)))
        shown = [customer_id for customer_id, count in found if count == waiting[customer_id]]
        for customer_id in shown:
            del waiting[customer_id]
        assert time.perf_counter() < deadline, "counts do not follow"
        if not shown:
            await asyncio.sleep(COUNT_POLL_SECONDS)


class _Waiting:
    """Facts that were posted and are not shown yet; every customer has one."""

    def __init__(self, counts: dict[UUID, int]) -> None:
        self._counts = counts
        self._due: dict[UUID, float] = {}
        self._left = len(counts)
        self.seen_after: list[float] = []
        self.answered_after: list[float] = []

    def begin(self, customer_id: UUID, due: float) -> None:
        self._due[customer_id] = due

    async def look(self, connection: asyncpg.Connection) -> None:
        """Look until all are shown."""
        while self._left:
            found = await connection.fetch(_COUNTS, list(self._due)) if self._due else []
            now = time.perf_counter()
            for customer_id, shown in found:
                if shown > self._counts[customer_id]:
                    self.seen_after.append(now - self._due.pop(customer_id))
                    self._left -= 1
            await asyncio.sleep(LOOK_SECONDS)


async def _post_paced(stage: Stage, customer_ids: Sequence[UUID], waiting: _Waiting) -> None:
    """Post at a steady pace, whether or not earlier facts were answered."""
    token, started, places = _token(stage), time.perf_counter(), iter(range(len(customer_ids)))
    connections = [await Connection.open(stage.port("interactions")) for _ in range(PACED_CONNECTIONS)]

    async def post(connection: Connection) -> None:
        for place in places:
            due = started + place / PACED_RATE
            wire = _fact_request(token, [customer_ids[place]])
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            waiting.begin(customer_ids[place], due)
            answer = await connection.ask(wire)
            waiting.answered_after.append(time.perf_counter() - due)
            assert answer.status == 200, answer
            assert not answer.json()["failed"], answer

    try:
        await asyncio.gather(*(post(connection) for connection in connections))
    finally:
        for connection in connections:
            connection.close()


def _requests(stage: Stage, items: int) -> Iterator[bytes]:
    token, lots = _token(stage), random.Random(next(_numbers))
    while True:
        yield _fact_request(token, lots.sample(stage.customer_ids, items))


def _fact_request(token: str, customer_ids: Sequence[UUID]) -> bytes:
    return request("POST", "/interactions/facts", token, {"items": [_fact(one) for one in customer_ids]})


def _fact(customer_id: UUID) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    source_id = f"call-{next(_numbers)}"
    about = {"customer_id": str(customer_id), "kind": "call", "source_id": source_id}
    return {**about, "fact": "answered", "occurred_at": now}


def _record(customer_id: UUID) -> Record:
    """A record as a connector writes it."""
    headers = {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": str(uuid4()),
        "ce_source": INGEST_SOURCE,
        "ce_type": InteractionFactReported.ce_type,
    }
    key = str(customer_id).encode()
    return key, msgspec.json.encode(_fact(customer_id)), [(name, text.encode()) for name, text in headers.items()]


def _drawn(stage: Stage, number: int) -> Iterator[UUID]:
    yield from random.Random(SEED + next(_numbers)).sample(stage.customer_ids, number)


def _token(stage: Stage) -> str:
    return stage.keys.token("bench-connector", [INGEST_INTERACTIONS], "service")


def _spent(cost: Usage, facts: int) -> str:
    each = 1_000_000 / facts
    return (
        f"CPU us a fact: services {cost.services * each:.0f}, PostgreSQL {cost.database * each:.0f},"
        f" broker {cost.broker * each:.0f}, this bench {cost.bench * each:.0f}"
    )
