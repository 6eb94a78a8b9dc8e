"""Rows of imports in full: preview, overwrite, undo, five at once, contacts; each beside what it needs at least."""

import asyncio
import csv
import io
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from tests.performance.report import Bar, Figure
from tests.performance.stage import Stage
from tests.performance.work import ROWS, client_of, csv_of, good, import_file, reach

FIVE = 5
CONTACTS = 1_000
PAGE = 200

PREVIEWED = Bar("at most", 2, 1, "s")
OVERWRITTEN = Bar("at most", 20, 8, "times the bare update")
UNDONE = Bar("at most", 1.5, 0.5, "s")
AT_ONCE = Bar("at most", 5, 3, "times one")
SYNCED = Bar("at most", 1, 0.5, "s")

_BARE_UPDATE = """
UPDATE customer SET occupation = news.occupation, description = news.description, updated_at = clock_timestamp(),
    version = version + 1
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS news(id, occupation, description) WHERE customer.id = news.id
"""


async def imports_in_full(stage: Stage, people: Iterator[dict[str, Any]]) -> list[Figure]:
    """What follows the first import of a file: the figures of the second table."""
    async with client_of(stage, "imports") as client:
        import_id, previewed, applied = await import_file(client, csv_of(list(islice(people, ROWS))))
        ids = await _customer_ids(client, import_id)
        before = stage.usage()
        overwritten = await _overwrite(client, ids)
        bare = await _bare_update(stage.connections["customers"], ids)
        undone = await _undo(client, import_id=overwritten[1])
        synced = await _sync(client, list(islice(people, CONTACTS)))
        five = await _five(client, people)
        await stage.settle()
        cost = stage.usage().since(before)
    yardstick = f"bare update {bare * 1_000:.0f} ms"
    return [
        Figure("7 preview of 2,000 rows", f"{previewed:.2f} s", previewed, PREVIEWED, "", cost, []),
        Figure(
            "8 overwrite of 2,000", f"{overwritten[0]:.2f} s", overwritten[0] / bare, OVERWRITTEN, yardstick, cost, []
        ),
        Figure("9 undo of 2,000", f"{undone:.2f} s", undone, UNDONE, yardstick, cost, []),
        Figure("10 five imports at once", f"{five:.2f} s", five / applied, AT_ONCE, f"one {applied:.2f} s", cost, []),
        Figure("11 sync of 1,000 contacts", f"{synced:.2f} s", synced, SYNCED, "", cost, []),
    ]


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


async def _overwrite(client: httpx.AsyncClient, ids: Sequence[UUID]) -> tuple[float, str]:
    target = io.StringIO(newline="")
    writer = csv.writer(target)
    writer.writerow(("Customer ID", "Occupation", "Description"))
    writer.writerows((str(one), f"Nghề {number}", f"Mô tả mới {number}") for number, one in enumerate(ids))
    import_id, _, applied = await import_file(client, target.getvalue().encode(), overwrite=True)
    return applied, import_id


async def _bare_update(connection: asyncpg.Connection, ids: Sequence[UUID]) -> float:
    started = time.perf_counter()
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(_BARE_UPDATE, list(ids), ["Nghề"] * len(ids), ["Mô tả"] * len(ids))
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


async def _five(client: httpx.AsyncClient, people: Iterator[dict[str, Any]]) -> float:
    files = [csv_of(list(islice(people, ROWS))) for _ in range(FIVE)]
    started = time.perf_counter()
    took = await asyncio.gather(*(import_file(client, file) for file in files))
    whole = time.perf_counter() - started
    return min(whole, max(applied for _, _, applied in took))
