"""Makes a million customers of a hundred thousand, by SQL, in all four databases at once.

A copy has an id of its own (random digits of the original's are replaced, its time stays). Everything that a list, a
sweep or a summary reads is there; phones are not claimed in the register. The clocks of the forgotten and of the
called began a year ago: these had a contact yesterday, those never had one.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Sequence

import asyncpg

from tests.performance.stage import Stage

TOTAL = 1_000_000

# Of 18 copies one is forgotten (50,000 of 900,000), five were called yesterday.
_LOT = "abs(hashtext(new_id::text)) % 18"
FORGOTTEN, CALLED = f"{_LOT} = 0", f"{_LOT} BETWEEN 1 AND 5"
INBOUND = "abs(hashtext(new_id::text)) % 180 < 20"

_COPIES = """
CREATE TEMPORARY TABLE new_copy ON COMMIT DROP AS
SELECT id AS old_id, overlay(id::text PLACING left(md5(id::text || round), 12) FROM 25)::uuid AS new_id, round
FROM (SELECT id FROM customer WHERE state = 'active' ORDER BY id LIMIT $1) AS original
CROSS JOIN generate_series(1, $2) AS round ORDER BY new_id
"""
_CUSTOMERS = """
INSERT INTO customer ({columns})
SELECT {values} FROM new_copy JOIN customer ON id = old_id WHERE round = $1 ORDER BY new_id
"""
_YEAR_AGO = f"CASE WHEN {_LOT} <= 5 THEN clock_started_at - interval '1 year' ELSE clock_started_at END"
_CONTACTS = f"""
UPDATE customer_contact SET interaction_count = CASE WHEN {INBOUND} THEN 1 ELSE 2 END,
    last_contact_at = at, version = 1,
    last_contact = json_build_object('at', instant(at), 'kind', 'call', 'employee_id', NULL,
                                     'source_system', 'bench', 'source_id', 'bench')
FROM new_copy CROSS JOIN (SELECT date_trunc('hour', clock_timestamp()) - interval '1 day' AS at) AS yesterday
WHERE customer_id = new_id AND {CALLED}
"""
# Building an index at the end costs a tenth of what keeping it through a million rows does.
_INDEXES = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
WHERE NOT indisunique AND indrelid::regclass::text IN
    ('customer', 'customer_contact', 'customer_search', 'customer_key', 'ledger', 'summary')
"""
_LEDGER = f"""
INSERT INTO ledger (customer_id, id, kind, source_system, source_id, occurred_at, last_fact_at, outcome)
SELECT new_id, new_id, 'created', 'rapport', new_id::text, created_at, created_at, NULL
FROM new_copy JOIN customer ON id = old_id
UNION ALL
SELECT new_id, gen_random_uuid(), 'call', 'bench', 'bench', at, at,
    ROW(at, gen_random_uuid(), 'answered', CASE WHEN {INBOUND} THEN 'inbound' ELSE 'outbound' END)::outcome
FROM new_copy CROSS JOIN (SELECT date_trunc('hour', clock_timestamp()) - interval '1 day' AS at) AS yesterday
WHERE {CALLED}
"""
_SUMMARIES = f"""
INSERT INTO summary (customer_id, known, interaction_count, contact, two_way, version)
SELECT new_id, true, CASE WHEN {CALLED} AND NOT {INBOUND} THEN 2 ELSE 1 END, contact, contact, 1
FROM new_copy CROSS JOIN LATERAL (
    SELECT CASE WHEN {CALLED} THEN ROW(date_trunc('hour', clock_timestamp()) - interval '1 day', 'call', 'bench',
                                       'bench', NULL)::contact END AS contact
) AS called
"""


async def multiply(stage: Stage, total: int) -> int:
    """Copy customers until there are about `total`; answers how many there are."""
    connection = stage.connections["customers"]
    present: int = await connection.fetchval("SELECT count(*) FROM customer WHERE state = 'active'") or 0
    rounds, originals = max(1, total // len(stage.customer_ids) - 1), len(stage.customer_ids)
    if present >= total:
        return present
    started = time.perf_counter()
    for service in stage.connections:
        async with stage.connections[service].transaction():
            await _copy(stage, service, originals, rounds)
    await stage.settle()
    await stage.analyze()
    print(f"multiplied in {time.perf_counter() - started:.0f} s", flush=True)
    return present + originals * rounds


async def _copy(stage: Stage, service: str, originals: int, rounds: int) -> None:
    connection = stage.connections[service]
    await connection.execute(_COPIES, originals, rounds)
    columns = await _written_columns(stage, service)
    replaced = {"id": "new_id", "code": "code || '-' || round", "clock_started_at": _YEAR_AGO}
    values = ", ".join(replaced.get(column, f"customer.{column}") for column in columns)
    async with _without_indexes(connection):
        for number in range(1, rounds + 1):
            await connection.execute(_CUSTOMERS.format(columns=", ".join(columns), values=values), number)
        for statement in {"customers": (_CONTACTS,), "interactions": (_LEDGER, _SUMMARIES)}.get(service, ()):
            await connection.execute(statement)


@contextlib.asynccontextmanager
async def _without_indexes(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Secondary indexes of what is copied are built anew behind it."""
    indexes = await connection.fetch(_INDEXES)
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    yield
    for index in indexes:
        await connection.execute(index["definition"])


async def _written_columns(stage: Stage, service: str) -> Sequence[str]:
    """The columns of customers that PostgreSQL does not write itself."""
    found = await stage.connections[service].fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'customer'::regclass AND attnum > 0"
        " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum"
    )
    return [row["attname"] for row in found]
