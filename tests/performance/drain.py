"""Row of catching up: a topic full of summaries drains into a million customers after the service was away."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer

from shared.contracts.events import Cause
from shared.contracts.interactions import SUMMARIES, Contact, InteractionSummaryChanged, SummaryState
from shared.envelope import Origin, encode_headers, new_id
from tests.performance.multiplied import FORGOTTEN, multiply
from tests.performance.report import Bar, Figure
from tests.performance.stage import Stage
from tests.performance.work import WAIT_SECONDS
from tests.performance.yardsticks import commit_rate

PRELOADED = 200_000
SENT_TOGETHER = 10_000
POLL_SECONDS = 0.02
YARDSTICK_SECONDS = 3.0

DRAINED = Bar("at least", 10_000, None, "summaries/s")

# What the ledger would have told, had that many customers been called, none of them about to be forgotten. Their
# rows are not written: who counts these customers again finds their calls gone.
_CALLED = f"""
UPDATE summary SET interaction_count = interaction_count + 1, version = version + 1, as_of = clock_timestamp(),
    contact = ROW(clock_timestamp(), 'call', 'bench', 'bench', NULL)::contact
WHERE customer_id = ANY(ARRAY(
    SELECT customer_id FROM (SELECT customer_id, customer_id AS new_id FROM summary WHERE known AND NOT erased) AS known
    WHERE NOT ({FORGOTTEN}) ORDER BY md5(customer_id::text) LIMIT $1))
RETURNING customer_id, interaction_count, (contact).at, as_of, ruleset, version
"""
_PROGRESS = "SELECT coalesce(sum(next_offset), 0)::bigint FROM consumer_progress WHERE topic = $1"


async def summaries_drained(stage: Stage, total: int, number: int = PRELOADED) -> list[Figure]:
    """From the moment before the first batch is taken over until the last is, after the start of a stopped service."""
    customers = await multiply(stage, total)
    bare = await commit_rate(stage.owner_url("customers"), 500, 2, YARDSTICK_SECONDS) * 500
    connection, service = stage.connections["customers"], stage.rapport.services["customers"]
    await asyncio.to_thread(service.stop)
    first = await _progress(connection)
    await _preload(stage, await stage.connections["interactions"].fetch(_CALLED, number))
    await asyncio.to_thread(service.start)
    started = await _reached(connection, first + 1)
    before = stage.usage()
    await _reached(connection, first + number)
    seconds = time.perf_counter() - started
    cost = stage.usage().since(before)
    await asyncio.to_thread(stage.rapport.wait_until_ready, "customers")
    await stage.settle()
    rate, each = number / seconds, 1_000_000 / number
    notes = [
        f"into {customers:,} customers; CPU us a summary: service {cost.services * each:.0f},"
        f" PostgreSQL {cost.database * each:.0f}, broker {cost.broker * each:.0f}"
    ]
    measured = f"{rate:,.0f}/s ({number:,} in {seconds:.1f} s)"
    yardstick = f"bare commits of 500: {bare:,.0f} rows/s"
    return [Figure("24 preloaded summaries", measured, rate, DRAINED, yardstick, cost, notes)]


async def _reached(connection: asyncpg.Connection, goal: int) -> float:
    """Wait until that many records of the topic were taken over; answers when they were last found to be fewer."""
    fewer = time.perf_counter()
    deadline = fewer + WAIT_SECONDS
    while (reached := await _progress(connection)) < goal:
        fewer = time.perf_counter()
        assert fewer < deadline, f"{reached} of {goal}"
        await asyncio.sleep(POLL_SECONDS)
    return fewer


async def _progress(connection: asyncpg.Connection) -> int:
    return await connection.fetchval(_PROGRESS, SUMMARIES.name) or 0


async def _preload(stage: Stage, summaries: Sequence[Any]) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=stage.rapport.bootstrap_servers, acks="all", enable_idempotence=True, linger_ms=5
    )
    await producer.start()
    try:
        for place in range(0, len(summaries), SENT_TOGETHER):
            records = [_record(summary) for summary in summaries[place : place + SENT_TOGETHER]]
            sent = [await producer.send(SUMMARIES.name, value, key, headers=headers) for key, value, headers in records]
            await asyncio.gather(*sent)
    finally:
        await producer.stop()


def _record(summary: Any) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    contact = Contact(at=summary["at"], kind="call", employee_id=None, source_system="bench", source_id="bench")
    state = SummaryState(
        customer_id=summary["customer_id"],
        interaction_count=summary["interaction_count"],
        last_contact=contact,
        last_two_way_contact=None,
        as_of=summary["as_of"],
        ruleset=summary["ruleset"],
    )
    changed = ("interaction_count", "last_contact")
    event = InteractionSummaryChanged(
        version=summary["version"], state=state, changed=changed, before={}, cause=Cause(kind="system")
    )
    headers = encode_headers(event, str(new_id()), "interactions", summary["as_of"], Origin())
    body = event.model_dump_json().encode()
    return event.key.encode(), body, [(name, text.encode()) for name, text in headers.items()]
