"""The hourly check that the ledger is what its facts say (I10): 0 repairs is the promise.

Every summary changed since the last run is merged and counted again from raw facts. What differs is
put right, told, and reported; it never should. Facts of customers nobody has shown for long are set aside
with it.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from services.interactions.commands.recording import MERGED, MERGED_COLUMNS
from services.interactions.commands.summaries import lock_summaries, recount
from services.interactions.commands.unknown_customers import set_aside_unknown
from shared import outbox, telemetry
from shared.database import Database, Session, run, run_counting
from shared.settings import Settings

log = telemetry.logger("reconciliation")

CHUNK = 500
OVERLAP = timedelta(minutes=10)
"""How far before the last run to look: longer than any transaction that it could not see lives."""

_SINCE = "SELECT max(started_at) FROM job_run WHERE job = 'reconcile' AND finished_at IS NOT NULL"

_CHANGED = """
SELECT customer_id FROM summary
WHERE NOT erased AND as_of >= $1 AND ($2::uuid IS NULL OR customer_id > $2)
ORDER BY customer_id LIMIT $3
"""

_COLUMNS = [*MERGED_COLUMNS.split(", "), "clicked_at", "links"]
_STORED, _RIGHT = (f"ROW({', '.join(f'{row}.{column}' for column in _COLUMNS)})" for row in ("stored", "r"))

_REBUILD = f"""
WITH link AS (
    SELECT customer_id, mail_id, count(DISTINCT row_id)::int AS links, max(occurred_at) AS clicked_at
    FROM (
        SELECT entry.customer_id, entry.mail_id, entry.id AS row_id, fact.occurred_at
        FROM ledger AS entry LEFT JOIN fact ON fact.customer_id = entry.customer_id AND fact.row_id = entry.id
        WHERE entry.customer_id = ANY($1::uuid[]) AND entry.mail_id IS NOT NULL
    ) AS click
    GROUP BY customer_id, mail_id
),
merged(customer_id, id, {MERGED_COLUMNS}, clicked_at) AS (
    SELECT customer_id, row_id, {MERGED},
        max(occurred_at) FILTER (WHERE fact = 'clicked')
    FROM (
        SELECT entry.customer_id, entry.id AS row_id, fact.id AS fact_id, fact.fact, fact.direction, fact.occurred_at
        FROM ledger AS entry LEFT JOIN fact ON fact.customer_id = entry.customer_id AND fact.row_id = entry.id
        WHERE entry.customer_id = ANY($1::uuid[])
    ) AS told
    GROUP BY customer_id, row_id
),
right_values AS (
    SELECT merged.customer_id, merged.id, {MERGED_COLUMNS}, coalesce(link.clicked_at, merged.clicked_at) AS clicked_at,
        coalesce(link.links, 0) AS links
    FROM merged LEFT JOIN link ON link.customer_id = merged.customer_id AND link.mail_id = merged.id
)
UPDATE ledger AS stored SET ({MERGED_COLUMNS}, clicked_at, links) = {_RIGHT}
FROM right_values AS r
WHERE stored.customer_id = r.customer_id AND stored.id = r.id AND {_STORED} IS DISTINCT FROM {_RIGHT}
"""

_KEEP = """
UPDATE reconciliation SET repaired_rows = repaired_rows + $1, repaired_summaries = repaired_summaries + $2
"""


async def reconcile(database: Database, settings: Settings, today: date) -> Mapping[str, Any]:
    """Check and repair what changed since the last finished run; answers how much was checked and repaired."""
    async with database.reading() as session:
        since: datetime | None = (await run(session, _SINCE)).scalar_one()
        now: datetime = (await run(session, "SELECT clock_timestamp()")).scalar_one()
    start = since - OVERLAP if since else datetime.min.replace(tzinfo=now.tzinfo)
    checked = rows = summaries = 0
    last: UUID | None = None
    while True:
        async with database.reading() as session:
            ids = list((await run(session, _CHANGED, start, last, CHUNK)).scalars())
        if not ids:
            break
        repaired = await _repair(database, ids)
        checked, rows, summaries, last = checked + len(ids), rows + repaired[0], summaries + repaired[1], ids[-1]
    if rows or summaries:
        log.error("the ledger had drifted from its facts", rows=rows, summaries=summaries)
        async with database.transaction() as session:
            await run(session, _KEEP, rows, summaries)
    aside = await set_aside_unknown(database)
    return {"checked": checked, "repaired_rows": rows, "repaired_summaries": summaries, "set_aside": aside}


async def measure_drift(session: Session) -> None:
    """Show as a metric what was ever repaired (I10)."""
    found = (await run(session, "SELECT repaired_rows, repaired_summaries FROM reconciliation")).one()
    telemetry.LEDGER_DRIFT.labels("rows").set(found.repaired_rows)
    telemetry.LEDGER_DRIFT.labels("summaries").set(found.repaired_summaries)


async def _repair(database: Database, customer_ids: Sequence[UUID]) -> tuple[int, int]:
    async with database.transaction() as session:
        await lock_summaries(session, customer_ids)
        rows = await run_counting(session, _REBUILD, customer_ids)
        return rows, (await recount(session, customer_ids, outbox.origin(session))).drifted
