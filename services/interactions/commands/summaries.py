"""Summaries: counted again from the ledger, corrected by hand, told again, emptied for the erased.

The usual way to change a summary is `recording`; here are the ways that look at a customer's whole
ledger or at its summary alone. Each holds the summary's lock first.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from services.interactions.commands.announcements import CHANGED, OUTBOX, SUMMARY_EVENTS, headers_json
from shared import outbox
from shared.contracts.events import Topic
from shared.contracts.interactions import SUMMARIES
from shared.database import Session, run
from shared.envelope import Origin

REPUBLISH_CHUNK = 5_000

_LOCK = "SELECT customer_id FROM summary WHERE customer_id = ANY($1::uuid[]) ORDER BY customer_id FOR UPDATE"


def _latest(at: str) -> str:
    """The latest contact among a customer's rows at one of their clocks."""
    return f"""(
        SELECT ROW({at}, CASE WHEN sent_at IS NOT NULL AND clicked_at = {at} THEN 'email_click' ELSE kind END,
                   source_system, source_id, employee_id)::contact AS contact
        FROM ledger WHERE customer_id = summary.customer_id AND {at} IS NOT NULL
        ORDER BY contact DESC LIMIT 1
    )"""


_RECOUNT = f"""
WITH counted AS (
    SELECT customer_id, manual_recorded_at, {_latest("contact_at")} AS contact, {_latest("two_way_at")} AS two_way,
        (SELECT coalesce(sum(contribution + links * link_contribution), 0)::int
         FROM ledger WHERE customer_id = summary.customer_id) AS interaction_count
    FROM summary WHERE customer_id = ANY($1::uuid[]) AND NOT erased
),
shown AS (
    SELECT *, CASE WHEN manual_recorded_at IS NULL OR (contact).at > manual_recorded_at
                   THEN contact END AS last_contact
    FROM counted
),
changed AS (
    UPDATE summary AS stored SET
        interaction_count = shown.interaction_count,
        contact = shown.contact,
        two_way = shown.two_way,
        as_of = greatest(clock_timestamp(), stored.as_of + interval '1 microsecond'),
        version = stored.version + CASE WHEN stored.known AND (
            stored.interaction_count <> shown.interaction_count
            OR stored.two_way IS DISTINCT FROM shown.two_way
            OR stored.last_contact IS DISTINCT FROM coalesce(shown.last_contact, stored.manual)
        ) THEN 1 ELSE 0 END
    FROM shown WHERE stored.customer_id = shown.customer_id AND (
        stored.interaction_count <> shown.interaction_count
        OR stored.contact IS DISTINCT FROM shown.contact
        OR stored.two_way IS DISTINCT FROM shown.two_way
    )
    RETURNING {CHANGED}
),
causes AS (SELECT customer_id, uuidv7() AS event_id, $2::jsonb AS headers FROM changed),
events AS ({SUMMARY_EVENTS}),
told AS ({OUTBOX})
SELECT count(*) FROM changed
"""

_REPUBLISH = f"""
WITH locked AS (
    SELECT customer_id FROM summary
    WHERE known AND NOT erased AND ($1::uuid IS NULL OR customer_id > $1)
    ORDER BY customer_id LIMIT {REPUBLISH_CHUNK} FOR UPDATE
),
raised AS (
    UPDATE summary AS stored SET version = stored.version + $2 FROM locked
    WHERE stored.customer_id = locked.customer_id
    RETURNING {CHANGED}
),
changed AS (
    SELECT customer_id, erased, version, 0 AS version_before, as_of, ruleset, interaction_count, last_contact, two_way,
        count_before, last_contact_before, two_way_before
    FROM raised
),
causes AS (SELECT customer_id, uuidv7() AS event_id, $3::jsonb AS headers FROM locked),
events AS ({SUMMARY_EVENTS}),
told AS ({OUTBOX})
SELECT count(*), (SELECT customer_id FROM locked ORDER BY customer_id DESC LIMIT 1) FROM locked
"""

_EMPTY = """
WITH facts AS (DELETE FROM fact WHERE customer_id = ANY($1::uuid[])),
rows AS (DELETE FROM ledger WHERE customer_id = ANY($1::uuid[])),
manual AS (DELETE FROM manual_contact WHERE customer_id = ANY($1::uuid[]))
UPDATE summary SET interaction_count = 0, contact = NULL, two_way = NULL, manual = NULL, manual_recorded_at = NULL
WHERE customer_id = ANY($1::uuid[])
"""


async def recount(session: Session, customer_ids: Sequence[UUID], origin: Origin) -> int:
    """Count customers again from their ledger rows; answers how many summaries differed."""
    await lock_summaries(session, customer_ids)
    outbox.written_by_statement(session)
    return (await run(session, _RECOUNT, customer_ids, headers_json(origin))).scalar_one()


async def lock_summaries(session: Session, customer_ids: Sequence[UUID]) -> None:
    """Hold the summaries until the transaction ends; what others committed is seen by later statements."""
    await run(session, _LOCK, customer_ids)


async def drop_facts(session: Session, customer_ids: Sequence[UUID]) -> None:
    """Empty the ledgers of customers whose summary is locked and says erased (C8)."""
    await run(session, _EMPTY, customer_ids)


async def republish(session: Session, topic: Topic, raise_version: bool) -> int:
    """Tell every published summary again, and that the erased are gone; answers how many summaries.

    Of `crm.documents` there is nothing yet.
    """
    if topic is not SUMMARIES:
        return 0
    headers = headers_json(replace(outbox.origin(session), replayed=True))
    total, last, count = 0, None, REPUBLISH_CHUNK
    while count == REPUBLISH_CHUNK:
        count, last = (await run(session, _REPUBLISH, last, int(raise_version), headers)).one()
        total += count
    outbox.written_by_statement(session)
    for customer_id in (await run(session, "SELECT customer_id FROM summary WHERE erased")).scalars():
        outbox.add_tombstone(session, topic, str(customer_id))
    return total
