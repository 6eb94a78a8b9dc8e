"""The check that lifetime values are what documents say (P3): 0 repairs is the promise.

The usual way moves them by differences (`purchases.py`); here they are added up anew, a chunk of
customers at a time, each chunk's values locked first: a document that arrives meanwhile waits.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from services.customers.commands.purchases import lifetime_of
from shared import telemetry
from shared.database import Database, run, run_counting
from shared.settings import Settings

log = telemetry.logger("purchases")

CHUNK = 2_000

_LOCK = """
SELECT customer_id FROM customer_contact
WHERE customer_id > $1 AND (order_count <> 0 OR total_revenue <> 0 OR purchased_value <> 0
    OR EXISTS (SELECT FROM document WHERE document.customer_id = customer_contact.customer_id AND purchased))
ORDER BY customer_id LIMIT $2 FOR NO KEY UPDATE
"""

_REPAIR = f"""
WITH counted AS (
    SELECT held.customer_id, coalesce(revenue, 0) AS revenue, coalesce(orders, 0) AS orders,
        coalesce(purchased, 0) AS purchased
    FROM unnest($1::uuid[]) AS held(customer_id) CROSS JOIN LATERAL (
        SELECT sum(revenue)::bigint AS revenue, sum(orders)::int AS orders, sum(purchased)::bigint AS purchased
        FROM (SELECT {lifetime_of("d")} FROM document d WHERE purchased AND d.customer_id = held.customer_id) AS each
    ) AS total
)
UPDATE customer_contact AS stored
SET total_revenue = counted.revenue, order_count = counted.orders, purchased_value = counted.purchased
FROM counted
WHERE stored.customer_id = counted.customer_id
    AND (stored.total_revenue, stored.order_count, stored.purchased_value)
        <> (counted.revenue, counted.orders, counted.purchased)
"""


async def recount_purchases(database: Database, settings: Settings, today: date) -> Mapping[str, Any]:
    """Add up every customer's purchases anew and put right what differs; answers how many were checked and repaired."""
    checked = repaired = 0
    last = UUID(int=0)
    while True:
        async with database.transaction() as session:
            ids: list[UUID] = list((await run(session, _LOCK, last, CHUNK)).scalars())
            if ids:
                repaired += await run_counting(session, _REPAIR, ids)
        if not ids:
            break
        checked, last = checked + len(ids), ids[-1]
    if repaired:
        log.error("lifetime values had drifted from their documents", customers=repaired)
    return {"checked": checked, "repaired": repaired}
