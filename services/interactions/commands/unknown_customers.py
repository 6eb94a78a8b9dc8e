"""Facts about customers whom `crm.customers` has never shown: after 30 days they become dead letters (I12).

Each is written as its connector wrote it, through the outbox, so that none is lost on the way and
`replay` takes it when the customer is there after all.
"""

from datetime import timedelta
from uuid import UUID

from services.interactions.commands.summaries import drop_facts, lock_summaries
from shared import outbox
from shared.contracts.interactions import INGEST, LEGAL_FACTS, InteractionFactReported
from shared.database import Database, run

WAITING_TIME = timedelta(days=30)
SET_ASIDE_TOGETHER = 500

_REASON = f"the customer was not seen for {WAITING_TIME.days} days"

# A customer of whom something else is known, such as a document, is one that somebody will yet show.
_FORSAKEN = """
SELECT customer_id FROM summary
WHERE NOT known AND NOT erased AND customer_id > $1
    AND (SELECT min(recorded_at) FROM fact WHERE fact.customer_id = summary.customer_id)
        < clock_timestamp() - $2::interval
    AND NOT EXISTS (
        SELECT FROM ledger WHERE ledger.customer_id = summary.customer_id AND kind <> ALL($3::text[])
    )
ORDER BY customer_id LIMIT $4
"""

_STILL_UNKNOWN = """
SELECT customer_id FROM summary WHERE customer_id = ANY($1::uuid[]) AND NOT known AND NOT erased
"""

_LETTERS = f"""
WITH letter AS (
    SELECT uuidv7() AS event_id, entry.customer_id, entry.source_system, recorded_at, json_build_object(
        'customer_id', entry.customer_id, 'kind', entry.kind, 'source_id', entry.source_id, 'fact', fact.fact,
        'direction', fact.direction, 'link', fact.link, 'occurred_at', instant(fact.occurred_at), 'data', fact.data
    )::text AS body
    FROM fact JOIN ledger AS entry ON entry.customer_id = fact.customer_id AND entry.id = fact.row_id
    WHERE fact.customer_id = ANY($1::uuid[])
),
told AS (
    INSERT INTO outbox (event_id, topic, aggregatetype, aggregateid, type, payload, headers)
    SELECT event_id, '{INGEST.dead_letters("interactions")}', '{INGEST.name.removeprefix("crm.")}', customer_id::text,
        '{InteractionFactReported.ce_type}', convert_to(body, 'UTF8'), jsonb_build_object(
            'content-type', 'application/json', 'ce_specversion', '1.0', 'ce_id', event_id::text,
            'ce_source', source_system, 'ce_type', '{InteractionFactReported.ce_type}',
            'dlq_error', '{_REASON}', 'dlq_topic', '{INGEST.name}', 'dlq_time', instant(clock_timestamp())
        )
    FROM letter ORDER BY recorded_at, event_id
    RETURNING 1
)
SELECT count(*) FROM told
"""


async def set_aside_unknown(database: Database) -> int:
    """Make dead letters of the facts of customers unknown for 30 days; answers how many facts."""
    total, last = 0, UUID(int=0)
    while True:
        async with database.transaction() as session:
            asked = (last, WAITING_TIME, sorted(LEGAL_FACTS), SET_ASIDE_TOGETHER)
            found = list((await run(session, _FORSAKEN, *asked)).scalars())
            if not found:
                return total
            await lock_summaries(session, found)
            forsaken = list((await run(session, _STILL_UNKNOWN, found)).scalars())
            total += (await run(session, _LETTERS, forsaken)).scalar_one()
            await drop_facts(session, forsaken)
            await run(session, "DELETE FROM summary WHERE customer_id = ANY($1::uuid[])", forsaken)
            outbox.written_by_statement(session)
        last = found[-1]
