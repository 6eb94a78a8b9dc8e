"""Row of bulk assignment: two thousand customers get other managers by two calls of a thousand ids each."""

import asyncio
import time
from collections.abc import Sequence
from statistics import median
from uuid import UUID

import asyncpg
import httpx

from tests.performance.report import Bar, Figure
from tests.performance.stage import Stage
from tests.performance.work import WAIT_SECONDS, client_of, good

CUSTOMERS = 2_000
A_CALL = 1_000
ROUNDS = 5
EMPLOYEES = 4
POLL_SECONDS = 0.01
COPIES = ("interactions", "imports", "campaigns")

ANSWERED = Bar("at most", 1, 0.3, "s")
EVERYWHERE = Bar("at most", 3, None, "s")

_VERSIONS = "SELECT id, version FROM customer WHERE id = ANY($1::uuid[])"
_ARRIVED = """
SELECT count(*) FROM unnest($1::uuid[], $2::bigint[]) AS told(id, version)
JOIN customer USING (id) WHERE customer.version >= told.version
"""
_BARE_UPDATE = """
UPDATE customer SET manager_id = $2, manager_set_at = clock_timestamp(), updated_at = clock_timestamp(),
    version = version + 1
WHERE id = ANY($1::uuid[])
"""


async def bulk_assignment(stage: Stage) -> list[Figure]:
    """From the first call until the second is answered, and until every copy has the new managers."""
    chosen = stage.customer_ids[:CUSTOMERS]
    answered, everywhere = list[float](), list[float]()
    async with client_of(stage, "customers") as client:
        await _assign(client, chosen, stage.seller_ids[-EMPLOYEES:])
        await stage.settle()
        bare = await _bare_update(stage, chosen)
        before = stage.usage()
        for number in range(ROUNDS):
            staff = stage.seller_ids[number * EMPLOYEES : (number + 1) * EMPLOYEES]
            started = time.perf_counter()
            await _assign(client, chosen, staff)
            answered.append(time.perf_counter() - started)
            await _until_everywhere(stage, chosen)
            everywhere.append(time.perf_counter() - started)
        await stage.settle()
        cost = stage.usage().since(before)
    yardstick = f"bare update {bare * 1_000:.0f} ms"
    notes = [
        f"median of {ROUNDS}; each: {', '.join(f'{one:.2f}' for one in answered)} s; CPU of all {ROUNDS} with copies",
        "the bare update writes manager and version of the same rows, in one transaction without audit and events",
    ]
    half, whole = median(answered), median(everywhere)
    return [
        Figure("21 assignment of 2,000", f"{half:.2f} s", half, ANSWERED, yardstick, cost, notes),
        Figure("21 assignment of 2,000, in every copy", f"{whole:.2f} s", whole, EVERYWHERE, yardstick),
    ]


async def _assign(client: httpx.AsyncClient, customer_ids: Sequence[UUID], employee_ids: Sequence[UUID]) -> None:
    for first in range(0, len(customer_ids), A_CALL):
        named = [str(customer_id) for customer_id in customer_ids[first : first + A_CALL]]
        body = {"customer_ids": named, "employee_ids": [str(employee_id) for employee_id in employee_ids]}
        answer = good(await client.post("/customers/assign", json=body)).json()
        assert answer["succeeded"] == len(named), {**answer, "items": answer["items"][:3]}


async def _until_everywhere(stage: Stage, customer_ids: Sequence[UUID]) -> None:
    rows = await stage.connections["customers"].fetch(_VERSIONS, customer_ids)
    told = [row["id"] for row in rows], [row["version"] for row in rows]
    await asyncio.gather(*(_until_arrived(stage.connections[name], told) for name in COPIES))


async def _until_arrived(connection: asyncpg.Connection, told: tuple[list[UUID], list[int]]) -> None:
    deadline = time.perf_counter() + WAIT_SECONDS
    while (await connection.fetchval(_ARRIVED, *told) or 0) < len(told[0]):
        assert time.perf_counter() < deadline, "copies do not follow"
        await asyncio.sleep(POLL_SECONDS)


async def _bare_update(stage: Stage, customer_ids: Sequence[UUID]) -> float:
    """Seconds of the plain statement, the median of some; each is taken back."""
    connection, took = stage.connections["customers"], list[float]()
    for number in range(ROUNDS):
        transaction = connection.transaction()
        await transaction.start()
        started = time.perf_counter()
        await connection.execute(_BARE_UPDATE, customer_ids, stage.seller_ids[number])
        took.append(time.perf_counter() - started)
        await transaction.rollback()
    return median(took)
