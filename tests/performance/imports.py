"""Imports in full: preview, confirm, overwrite, undo, contacts, five at once; each beside what it needs at least."""

import asyncio
import csv
import io
import time
from collections.abc import Awaitable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import httpx

from tests.performance.processes import Usage
from tests.performance.report import Bar, Figure
from tests.performance.stage import Stage
from tests.performance.work import ROWS, bare_inserts, client_of, good, import_file, reach, wide_csv_of

FIVE = 5
CONTACTS = 1_000
PAGE = 200
REPEATS = 3

PREVIEWED = Bar("at most", 2, 1, "s")
CONFIRMED = Bar("at most", 1.5, 0.5, "s")
OVERWRITTEN = Bar("at most", 20, 8, "times the bare update")
UNDONE = Bar("at most", 1.5, 0.5, "s")
AT_ONCE = Bar("at most", 5, 3, "times one")
FIRST_OUTCOME = Bar("at most", 2, None, "s")
SYNCED = Bar("at most", 1, 0.5, "s")

_BARE_UPDATE = """
UPDATE customer SET occupation = news.occupation, description = news.description, updated_at = clock_timestamp(),
    version = version + 1
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS news(id, occupation, description) WHERE customer.id = news.id
"""
_BARE_CELLS = """
INSERT INTO import_row (import_id, row, cells)
SELECT $1, row, cells::jsonb FROM unnest($2::int[], $3::text[]) AS sheet(row, cells)
"""

T = TypeVar("T")


async def imports_in_full(stage: Stage, people: Iterator[dict[str, Any]]) -> list[Figure]:
    """The figures of the second table; the CPU of each is counted until every copy has it."""
    async with client_of(stage, "imports") as client:
        await import_file(client, wide_csv_of(list(islice(people, ROWS))))
        await stage.settle()
        figures: list[Figure] = []
        runs = [
            await _with_cost(stage, import_file(client, wide_csv_of(list(islice(people, ROWS)))))
            for _ in range(REPEATS)
        ]
        one, cost = sorted(runs, key=lambda run: run[0].confirm_seconds)[REPEATS // 2]
        insert = await bare_inserts(stage, list(islice(people, ROWS)))
        cells = await _bare_cells(stage.connections["imports"], UUID(one.import_id))
        preview = min(run[0].preview_seconds for run in runs)
        figures += [
            _figure("7 preview of 2,000 x 20 cells", preview, PREVIEWED, f"bare insert of cells {cells:.2f} s", cost),
            _figure("8 confirm of 2,000, every outcome", one.confirm_seconds, CONFIRMED, f"bare {insert:.2f} s", cost),
        ]
        ids = await _customer_ids(client, one.import_id)
        overwritten, cost = await _with_cost(stage, import_file(client, _changes(ids), overwrite=True))
        bare = await _bare_update(stage.connections["customers"], ids)
        yardstick = f"bare update {bare:.2f} s"
        times, seconds = overwritten.confirm_seconds / bare, f"{overwritten.confirm_seconds:.2f} s"
        figures.append(Figure("9 overwrite of 2,000", seconds, times, OVERWRITTEN, yardstick, cost))
        undone, cost = await _with_cost(stage, _undo(client, overwritten.import_id))
        figures.append(_figure("10 undo of 2,000", undone, UNDONE, yardstick, cost))
        synced, cost = await _with_cost(stage, _sync(client, list(islice(people, CONTACTS))))
        figures.append(_figure("11 sync of 1,000 contacts", synced, SYNCED, f"bare {insert / 2:.2f} s", cost))
        return figures + await _five(stage, client, people, one.confirm_seconds)


async def _with_cost(stage: Stage, work: Awaitable[T]) -> tuple[T, Usage]:
    before = stage.usage()
    result = await work
    await stage.settle()
    return result, stage.usage().since(before)


def _figure(name: str, seconds: float, bar: Bar, yardstick: str, cost: Usage) -> Figure:
    return Figure(name, f"{seconds:.2f} s", seconds, bar, yardstick, cost)


async def _customer_ids(client: httpx.AsyncClient, import_id: str) -> list[UUID]:
    ids: list[UUID] = []
    cursor: str | None = None
    while True:
        parameters: dict[str, Any] = {"limit": PAGE} | ({"cursor": cursor} if cursor else {})
        page = good(await client.get(f"/imports/{import_id}/rows", params=parameters)).json()
        ids += [UUID(row["customer_id"]) for row in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return ids


def _changes(ids: Sequence[UUID]) -> bytes:
    target = io.StringIO(newline="")
    writer = csv.writer(target)
    writer.writerow(("Customer ID", "Occupation", "Description"))
    writer.writerows((str(one), f"Nghề {number}", f"Mô tả mới {number}") for number, one in enumerate(ids))
    return target.getvalue().encode()


async def _bare_update(connection: asyncpg.Connection, ids: Sequence[UUID]) -> float:
    """Seconds of a bare update of as many rows, which is taken back again."""
    transaction = connection.transaction()
    await transaction.start()
    started = time.perf_counter()
    await connection.execute(_BARE_UPDATE, list(ids), ["Nghề"] * len(ids), ["Mô tả"] * len(ids))
    taken = time.perf_counter() - started
    await transaction.rollback()
    return taken


async def _bare_cells(connection: asyncpg.Connection, import_id: UUID) -> float:
    """Seconds of an insert of as many rows of cells, which is taken back again."""
    cells = [
        row[0] for row in await connection.fetch("SELECT cells::text FROM import_row WHERE import_id = $1", import_id)
    ]
    transaction = connection.transaction()
    await transaction.start()
    started = time.perf_counter()
    await connection.execute(_BARE_CELLS, import_id, [10_000_000 + number for number in range(len(cells))], cells)
    taken = time.perf_counter() - started
    await transaction.rollback()
    return taken


async def _undo(client: httpx.AsyncClient, import_id: str) -> float:
    started = time.perf_counter()
    good(await client.post(f"/imports/{import_id}/undo"))
    job = await reach(client, import_id, "undone")
    assert job["counts"] == {"undone": ROWS}, job["counts"]
    return time.perf_counter() - started


async def _sync(client: httpx.AsyncClient, people: Sequence[dict[str, Any]]) -> float:
    contacts = [
        {
            "name": person["name"],
            "phone": person["phones"][0],
            "device_contact_id": f"bench-{number}-{person['phones'][0]}",
        }
        for number, person in enumerate(people)
    ]
    started = time.perf_counter()
    sync = good(await client.post("/contact-syncs", json={"contacts": contacts})).json()
    answer = good(await client.get(f"/contact-syncs/{sync['id']}", params={"wait": 20})).json()
    assert {item["status"] for item in answer["items"]} == {"created"}, answer["state"]
    return time.perf_counter() - started


async def _five(
    stage: Stage, client: httpx.AsyncClient, people: Iterator[dict[str, Any]], one_seconds: float
) -> list[Figure]:
    files = [wide_csv_of(list(islice(people, ROWS))) for _ in range(FIVE)]
    together = asyncio.gather(*(import_file(client, file) for file in files))
    imports, cost = await _with_cost(stage, together)
    slowest = max(one.confirm_seconds for one in imports)
    first = max(one.first_outcome_seconds for one in imports)
    yardstick = f"one {one_seconds:.2f} s"
    return [
        Figure("12 five imports at once", f"{slowest:.2f} s", slowest / one_seconds, AT_ONCE, yardstick, cost),
        Figure("13 the last first outcome of five", f"{first:.2f} s", first, FIRST_OUTCOME, yardstick, cost),
    ]
