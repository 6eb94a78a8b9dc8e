"""Row 1: a file of 2,000 new customers."""

import contextlib
import csv
import io
import json
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from deploy.local.ports import LOOPBACK
from tests.performance.report import Bar, Figure
from tests.performance.stage import Stage

ROWS = 2_000
IMPORTS = 3
WARM_ROWS = 200
INSERTS = 5
WAIT_SECONDS = 1_200

IMPORTED = Bar("at most", 20, 8, "times the bare insert")

_WRITTEN = frozenset({"created", "updated"})
_HEADER = ("Customer Name", "Phone", "Email", "Birth Date", "Company Name", "Tax Code", "Occupation", "Description")

_WIDE = {
    "Customer Type": "type", "Gender": "gender", "Income": "income_band", "Website": "website", "Province": "province",
}  # fmt: skip
_EMPTY = (
    "Customer Code", "Customer Groups", "Customer Sources", "Business Sector", "Referrer", "Total Interactions",
    "Address",
)  # fmt: skip

# Every column that may not be null, and those the file fills; index, trigger and search row as for anybody.
_BARE = """
INSERT INTO customer (id, code, type, name, phones, emails, birth_date, company_name, tax_code, occupation,
                      description, group_ids, source_ids, sector_ids, relationship_id, viewer_ids, origin_kind,
                      state, created_at, created_by, updated_at, clock_started_at, search_text, version)
SELECT id, id::text, 'person', name, ARRAY[phone], string_to_array(coalesce(email, ''), ','), birth_date::date,
       company_name, tax_code, occupation, description, '{}', '{}', '{}',
       (SELECT id FROM relationship ORDER BY position LIMIT 1), '{}', 'import', 'active',
       clock_timestamp(), 'bench', clock_timestamp(), clock_timestamp(), lower(name), 1
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
     AS row(id, name, phone, email, birth_date, company_name, tax_code, occupation, description)
"""


async def imported_file(stage: Stage, people: Iterator[dict[str, Any]]) -> list[Figure]:
    """From confirm to every outcome readable, beside a bare insert of as many rows into the same table."""
    async with client_of(stage, "imports") as client:
        await import_file(client, csv_of(list(islice(people, WARM_ROWS))))
        await stage.settle()
        before = stage.usage()
        took = [await import_file(client, csv_of(list(islice(people, ROWS)))) for _ in range(IMPORTS)]
        await stage.settle()
        cost = stage.usage().since(before)
    bare = await bare_inserts(stage, list(islice(people, ROWS)))
    whole, seconds = median(one.preview_seconds for one in took), median(one.confirm_seconds for one in took)
    each = ", ".join(f"{one.confirm_seconds:.2f}" for one in took)
    notes = [
        f"each of {IMPORTS}: {each} s; CPU of all {IMPORTS} with copies",
        f"upload, reading and preview of {ROWS:,} rows before the confirm: {whole:.2f} s",
        "the bare insert goes into `customer` itself with its indexes and search row, in one transaction",
    ]
    yardstick = f"bare insert {bare * 1_000:.0f} ms"
    return [Figure("1 import of 2,000 rows", f"{seconds:.2f} s", seconds / bare, IMPORTED, yardstick, cost, notes)]


@dataclass(frozen=True)
class Imported:
    """One import: seconds from upload to the preview; from confirm to its first outcome, and to the last."""

    import_id: str
    preview_seconds: float
    first_outcome_seconds: float
    confirm_seconds: float


async def import_file(client: httpx.AsyncClient, content: bytes, **options: Any) -> Imported:
    """Import a file to the end. Raises AssertionError unless every row is written."""
    started = time.perf_counter()
    import_id = good(await client.post("/imports", files={"file": ("customers.csv", content)})).json()["id"]
    await reach(client, import_id, "awaiting_mapping")
    if options:
        good(await client.put(f"/imports/{import_id}/options", json=options))
    mapping = good(await client.get(f"/imports/{import_id}")).json()["mapping"]
    good(await client.put(f"/imports/{import_id}/mapping", json={"columns": mapping["columns"]}))
    [(asked, rows)] = (await reach(client, import_id, "ready"))["counts"].items()
    previewed = time.perf_counter()
    good(await client.post(f"/imports/{import_id}/confirm", json={}))
    first, job = 0.0, dict[str, Any]()
    async with contextlib.aclosing(follow(client, import_id, "finished")) as steps:
        async for job in steps:
            if not first and _WRITTEN & job["counts"].keys():
                first = time.perf_counter()
    applied = time.perf_counter()
    assert job["counts"] == {f"{asked}d": rows}, job["counts"]
    return Imported(import_id, previewed - started, first - previewed, applied - previewed)


async def follow(client: httpx.AsyncClient, import_id: str, state: str) -> AsyncGenerator[dict[str, Any]]:
    """What an import's stream of events tells, as a page shows it, up to a state.

    Asking for the import twenty times a second took a tenth of what importing it cost. Raises AssertionError
    when it fails, takes too long or ends otherwise.
    """
    deadline = time.perf_counter() + WAIT_SECONDS
    async with client.stream("GET", f"/imports/{import_id}/events") as answer:
        async for line in answer.aiter_lines():
            assert time.perf_counter() < deadline, line
            if line.startswith("data: "):
                job: dict[str, Any] = json.loads(line.removeprefix("data: "))
                assert job["state"] != "failed", job
                yield job
                if job["state"] == state:
                    return
    raise AssertionError(f"an import never came to {state}")


async def reach(client: httpx.AsyncClient, import_id: str, state: str) -> dict[str, Any]:
    """What an import says when it has come to a state. Raises AssertionError when it never does."""
    async with contextlib.aclosing(follow(client, import_id, state)) as steps:
        return [job async for job in steps][-1]


async def bare_inserts(stage: Stage, people: Sequence[dict[str, Any]]) -> float:
    """Seconds of a bare insert with its commit, the median of some; what was inserted is taken away again."""
    connection, took = stage.connections["customers"], list[float]()
    for _ in range(INSERTS):
        rows = [(uuid4(), *_cells(person)) for person in people]
        columns = [list(column) for column in zip(*rows, strict=True)]
        started = time.perf_counter()
        await connection.execute(_BARE, *columns)
        took.append(time.perf_counter() - started)
        await _forget(connection, columns[0])
    return median(took)


async def _forget(connection: asyncpg.Connection, ids: Sequence[Any]) -> None:
    for table, column in (("customer_search", "customer_id"), ("customer_contact", "customer_id"), ("customer", "id")):
        await connection.execute(f"DELETE FROM {table} WHERE {column} = ANY($1::uuid[])", list(ids))


def client_of(stage: Stage, service: str) -> httpx.AsyncClient:
    """A client of one service with the administrator's token."""
    headers = {"Authorization": f"Bearer {stage.keys.administrator_token()}"}
    url = f"http://{LOOPBACK}:{stage.port(service)}/api/v1"
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=WAIT_SECONDS)


def good(answer: httpx.Response) -> httpx.Response:
    """The answer, if it is a success. Raises AssertionError."""
    assert answer.is_success, answer.text
    return answer


def csv_of(people: Sequence[dict[str, Any]]) -> bytes:
    target = io.StringIO(newline="")
    writer = csv.writer(target)
    writer.writerow(_HEADER)
    writer.writerows(_cells(person) for person in people)
    return target.getvalue().encode()


def wide_csv_of(people: Sequence[dict[str, Any]]) -> bytes:
    """The same with twenty columns, some of them empty, as files are."""
    target = io.StringIO(newline="")
    writer = csv.writer(target)
    writer.writerow((*_HEADER, *_WIDE, *_EMPTY))
    for person in people:
        given = person | {"province": (person.get("address") or {}).get("province")}
        writer.writerow((*_cells(person), *(given.get(name) for name in _WIDE.values()), *("" for _ in _EMPTY)))
    return target.getvalue().encode()


def _cells(person: dict[str, Any]) -> tuple[str | None, ...]:
    return (
        person["name"],
        person["phones"][0],
        ",".join(person["emails"]) or None,
        person["birth_date"],
        person["company_name"],
        person["tax_code"],
        person["occupation"],
        person["description"],
    )
