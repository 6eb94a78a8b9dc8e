"""Rows of exports: 100,000 customers as .xlsx and .csv, what that takes of memory, and lists beside it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import httpx

from tests.performance.client import Load, load, request
from tests.performance.processes import family, pss_bytes
from tests.performance.report import Bar, Figure
from tests.performance.stage import Stage
from tests.performance.work import WAIT_SECONDS, client_of, good

XLSX_COLUMNS = (
    "code", "name", "phones", "emails", "birth_date", "company_name", "relationship", "manager", "interaction_count",
    "created_at",
)  # fmt: skip
CSV_COLUMNS = (
    *XLSX_COLUMNS, "type", "gender", "occupation", "tax_code", "address", "province", "description", "groups",
    "sources", "last_contact_at",
)  # fmt: skip
EVERYBODY: dict[str, Any] = {"and": []}
LIST_CLIENTS = 2
REST_SECONDS = 5.0
LOOK_SECONDS = 0.2
POLL_SECONDS = 0.1
MEBIBYTE = 1_048_576

XLSX = Bar("at most", 30, None, "s")
CSV = Bar("at most", 12, None, "s")
MEMORY = Bar("at most", 50, None, "MiB above idle")

_COPY = """
SELECT code, name, phones, emails, birth_date, company_name, relationship_id, manager_id, interaction_count, created_at,
    type, gender, occupation, tax_code, address, group_ids, source_ids, sector_ids, description, last_contact_at
FROM customer JOIN customer_contact ON customer_id = id
"""


@dataclass(frozen=True)
class _Made:
    """One export: seconds from the request to the finished file, its rows and bytes, memory, and lists meanwhile."""

    seconds: float
    rows: int
    size_bytes: int
    memory_bytes: int
    own_process: bool
    lists: Load


async def exported_files(stage: Stage, rest_seconds: float = REST_SECONDS) -> list[Figure]:
    """Each kind of file by itself while clients ask for lists, beside a plain COPY of the same customers."""
    async with client_of(stage, "customers") as client:
        await _made(stage, client, "csv", CSV_COLUMNS)  # What a first file loads stays.
        rest = await load(stage.port("customers"), _lists(stage), LIST_CLIENTS, rest_seconds)
        figures: list[Figure] = []
        for kind, columns, bar in (("xlsx", XLSX_COLUMNS, XLSX), ("csv", CSV_COLUMNS, CSV)):
            before = stage.usage()
            made = await _made(stage, client, kind, columns)
            cost = stage.usage().since(before)
            bare = await _bare_copy(stage)
            name = f"22 export of 100,000, .{kind} of {len(columns)}"
            whole = made.seconds * min(1, 100_000 / made.rows)
            memory = made.memory_bytes / MEBIBYTE
            notes = [
                f"{made.rows:,} rows, {made.size_bytes / MEBIBYTE:.1f} MiB; a process of its own: {made.own_process}",
                f"lists of 50 by {LIST_CLIENTS} clients beside it: {_said(made.lists)}; without it: {_said(rest)};"
                " CPU is of both",
            ]
            yardstick = f"bare COPY {bare:.2f} s"
            figures.append(Figure(name, f"{made.seconds:.1f} s", whole, bar, yardstick, cost, notes))
            beside = f"lists' p99 {made.lists.quantile_ms(0.99):.0f} ms, {rest.quantile_ms(0.99):.0f} ms without"
            figures.append(Figure(f"{name}, memory", f"{memory:.0f} MiB", memory, MEMORY, beside))
    return figures


async def _made(stage: Stage, client: httpx.AsyncClient, kind: str, columns: Sequence[str]) -> _Made:
    async with _watched(stage) as memory:
        lists = asyncio.create_task(_lists_until(stage, done := asyncio.Event()))
        started = time.perf_counter()
        body = {"filter": EVERYBODY, "columns": columns, "format": kind}
        export_id = good(await client.post("/exports", json=body)).json()["id"]
        while (export := good(await client.get(f"/exports/{export_id}")).json())["state"] == "running":
            assert time.perf_counter() < started + WAIT_SECONDS, export
            await asyncio.sleep(POLL_SECONDS)
        seconds = time.perf_counter() - started
        done.set()
        asked = await lists
    assert export["state"] == "finished", export
    content = good(await client.get(f"/exports/{export_id}/file")).content
    return _Made(seconds, export["total"], len(content), memory.most - memory.idle, memory.processes > 1, asked)


async def _lists_until(stage: Stage, done: asyncio.Event) -> Load:
    """Lists asked for without pause until `done`, a second at a time."""
    whole = Load()
    while not done.is_set():
        part = await load(stage.port("customers"), _lists(stage), LIST_CLIENTS, 1.0)
        whole.seconds += part.seconds
        whole.latencies += part.latencies
    return whole


@dataclass
class _Memory:
    idle: int = 0
    most: int = 0
    processes: int = 0


@contextlib.asynccontextmanager
async def _watched(stage: Stage) -> AsyncIterator[_Memory]:
    """The memory of the service with its children, looked at again and again."""
    pid = stage.rapport.services["customers"].pid
    assert pid is not None
    memory = _Memory(idle=pss_bytes(family(pid)))

    async def look() -> None:
        while True:
            pids = family(pid)
            memory.processes = max(memory.processes, len(pids))
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a child that has just ended
                memory.most = max(memory.most, pss_bytes(pids))
            await asyncio.sleep(LOOK_SECONDS)

    looking = asyncio.create_task(look())
    try:
        yield memory
    finally:
        looking.cancel()


async def _bare_copy(stage: Stage) -> float:
    """Seconds that PostgreSQL takes to write as many columns of the same rows as CSV, formatted by nobody."""
    started = time.perf_counter()
    await stage.connections["customers"].copy_from_query(_COPY, output=_nowhere, format="csv")
    return time.perf_counter() - started


async def _nowhere(_: bytes) -> None:
    """What is copied is not kept."""


def _lists(stage: Stage) -> Iterator[bytes]:
    token = stage.keys.administrator_token()
    return cycle([request("GET", f"/customers?manager={seller_id}&limit=50", token) for seller_id in stage.seller_ids])


def _said(lists: Load) -> str:
    return f"p50 {lists.quantile_ms(0.5):.0f} ms, p99 {lists.quantile_ms(0.99):.0f} ms"
