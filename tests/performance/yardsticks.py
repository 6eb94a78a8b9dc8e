"""What the machine gives to anybody in this run: commits and bare inserts of PostgreSQL, an empty route.

A figure is only as good as the machine was while it was taken; each stands beside one of these.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from itertools import repeat
from statistics import median
from uuid import uuid4

import asyncpg

from deploy.local.ports import LOOPBACK, free_port
from deploy.local.settings import PROJECT
from tests.performance.client import Connection, Load, load, request

ROUTE_START_SECONDS = 30
STOP_SECONDS = 10
REPETITIONS = 5

_TABLE = "CREATE TABLE bench_row (id uuid PRIMARY KEY, customer_id uuid, at timestamptz, said text)"
_BARE = """
INSERT INTO bench_row SELECT id, customer_id, clock_timestamp(), said
FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS row(id, customer_id, said)
"""


@contextlib.asynccontextmanager
async def bare_table(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """A plain, durable table of narrow rows with one key, while it is needed."""
    await connection.execute(_TABLE)
    try:
        yield
    finally:
        await connection.execute("DROP TABLE bench_row")


async def commit_rate(url: str, rows: int, clients: int, seconds: float) -> float:
    """Bare inserts of `rows` rows, each committed by itself by clients at once: transactions a second."""
    connections = [await asyncpg.connect(url) for _ in range(clients)]
    done, started = 0, time.perf_counter()

    async def one(connection: asyncpg.Connection) -> None:
        nonlocal done
        while time.perf_counter() < started + seconds:
            await connection.execute(_BARE, *_rows(rows))
            done += 1

    try:
        async with bare_table(connections[0]):
            started = time.perf_counter()
            await asyncio.gather(*(one(connection) for connection in connections))
            return done / (time.perf_counter() - started)
    finally:
        for connection in connections:
            await connection.close()


async def commit_seconds(url: str) -> float:
    """One bare insert with its commit, at rest: the median of some."""
    connection = await asyncpg.connect(url)
    try:
        async with bare_table(connection):
            return median([await _timed(connection) for _ in range(100)])
    finally:
        await connection.close()


async def empty_route(jwks_url: str, token: str, clients: int, seconds: float) -> Load:
    """An empty FastAPI route behind the same token check, asked the same way."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.performance.empty_route", str(port), jwks_url),
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"]},
    )
    try:
        await until_open(port)
        asked = repeat(request("GET", "/nothing", token))
        await load(port, asked, clients, seconds / REPETITIONS)  # Warm.
        return await load(port, asked, clients, seconds)
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), STOP_SECONDS)


async def _timed(connection: asyncpg.Connection) -> float:
    started = time.perf_counter()
    await connection.execute(_BARE, *_rows(1))
    return time.perf_counter() - started


def _rows(number: int) -> Sequence[list[object]]:
    return [uuid4() for _ in range(number)], [uuid4() for _ in range(number)], ["call answered"] * number


async def until_open(port: int) -> None:
    """Wait until something listens on a port of this machine. Raises AssertionError when it never does."""
    deadline = time.monotonic() + ROUTE_START_SECONDS
    while True:
        try:
            connection = await Connection.open(port)
        except OSError:
            assert time.monotonic() < deadline, f"{LOOPBACK}:{port} does not open"
            await asyncio.sleep(0.05)
        else:
            connection.close()
            return
