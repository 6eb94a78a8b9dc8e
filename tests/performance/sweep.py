"""Row of Don't Forget: a sweep over a million customers that moves fifty thousand, while somebody goes on writing."""

import asyncio
import random
import time

from deploy.demo.generate import SEED
from services.customers.domain.relationships import DONT_FORGET
from tests.performance.client import Connection, quantile, request
from tests.performance.commands import command
from tests.performance.multiplied import multiply
from tests.performance.report import Bar, Figure
from tests.performance.stage import Stage

WRITES_A_SECOND = 20
REST_SECONDS = 10.0

SWEPT = Bar("at most", 30, None, "s")

_SAMPLE = "SELECT id FROM customer TABLESAMPLE SYSTEM (5) WHERE state = 'active' LIMIT 20000"
_BARE_MOVE = f"""
WITH chosen AS (
    SELECT c.id FROM customer c JOIN customer_contact n ON n.customer_id = c.id
    WHERE c.clock_started_at < clock_timestamp() - interval '31 days' AND n.last_contact_at IS NULL
)
UPDATE customer SET relationship_id = '{DONT_FORGET}', remembered_relationship_id = relationship_id,
    updated_at = clock_timestamp(), version = version + 1
FROM chosen WHERE customer.id = chosen.id
"""


async def dont_forget(stage: Stage, total: int, rest_seconds: float = REST_SECONDS) -> list[Figure]:
    """The hourly job as its timer runs it, beside one plain update of as many rows that is taken back."""
    customers = await multiply(stage, total)
    bare = await _bare_move(stage)
    await stage.analyze()  # The rows that were taken back are gone.
    rest = await _written(stage, asyncio.create_task(asyncio.sleep(rest_seconds)))
    before = stage.usage()
    sweep = asyncio.create_task(command(stage, "customers", "job", "forget"))
    beside = await _written(stage, sweep)
    done = await sweep
    ended = time.perf_counter()
    cost = done.cost(stage.usage().since(before))
    await stage.settle()
    with_copies = done.cost(stage.usage().since(before))
    moved = done.said[-1]["outcome"]["forgotten"]
    p50, p99, most = (quantile(beside, share) * 1_000 for share in (0.5, 0.99, 1))
    notes = [
        f"{moved:,} of {customers:,} moved; the job's own CPU {done.cpu_seconds:.1f} s",
        f"somebody wrote {WRITES_A_SECOND} customers a second beside it: p50 {p50:.0f} ms, p99 {p99:.0f} ms, at most"
        f" {most:.0f} ms; without it p50 {quantile(rest, 0.5) * 1_000:.0f} ms,"
        f" p99 {quantile(rest, 0.99) * 1_000:.0f} ms",
        f"every copy had all {time.perf_counter() - ended:.1f} s after its end; CPU s until then:"
        f" services {with_copies.services:.1f}, PostgreSQL {with_copies.database:.1f}",
    ]
    measured = f"{done.seconds:.1f} s, writer's p99 {p99:.0f} ms"
    yardstick = f"bare update {bare:.1f} s"
    return [Figure("25 Don't Forget, 50,000 of 1,000,000", measured, done.seconds, SWEPT, yardstick, cost, notes)]


async def _bare_move(stage: Stage) -> float:
    connection = stage.connections["customers"]
    transaction = connection.transaction()
    await transaction.start()
    started = time.perf_counter()
    await connection.execute(_BARE_MOVE)
    seconds = time.perf_counter() - started
    await transaction.rollback()
    return seconds


async def _written(stage: Stage, work: "asyncio.Task[object]") -> list[float]:
    """Seconds of every write by a client that changes one customer after another, at a steady pace, during the work."""
    drawn = [row["id"] for row in await stage.connections["customers"].fetch(_SAMPLE)]
    random.Random(SEED).shuffle(drawn)
    token, took = stage.keys.administrator_token(), list[float]()
    connection = await Connection.open(stage.port("customers"))
    started = time.perf_counter()
    try:
        for number, customer_id in enumerate(drawn):
            if work.done():
                break
            due = started + number / WRITES_A_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            wire = request("PATCH", f"/customers/{customer_id}", token, {"description": f"Ghi chú {number}"})
            asked = time.perf_counter()
            answer = await connection.ask(wire)
            assert answer.status == 200, answer
            took.append(time.perf_counter() - asked)
    finally:
        connection.close()
    return took
