"""Summaries: counted again from the ledger, corrected by hand, told again, emptied for the erased.

The usual way to change a summary is `recording`; here are the ways that look at a customer's whole
ledger or at its summary alone. Each holds the summary's lock first.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from services.interactions.commands.announcements import CHANGED, OUTBOX, SUMMARY_EVENTS, headers_json
from shared import outbox
from shared.contracts.interactions import SUMMARIES
from shared.database import Session, run
from shared.envelope import Origin

_LOCK = "SELECT customer_id FROM summary WHERE customer_id = ANY($1::uuid[]) ORDER BY customer_id FOR UPDATE"


IN_FORCE = "(SELECT number FROM ruleset WHERE in_force)"
"""The ruleset that new facts count by."""


def contact_at(at: str) -> str:
    """A ledger row's contact at one of its clocks; an e-mail's may be a click in it, a task's is a meeting (L6)."""
    return f"""CASE WHEN {at} IS NOT NULL THEN ROW(
            {at}, CASE WHEN sent_at IS NOT NULL AND clicked_at = {at} THEN 'email_click'
                       WHEN kind = 'task' THEN 'meeting' ELSE kind END,
            source_system, source_id, employee_id
        )::contact END"""


def counted(ruleset: str, condition: str) -> str:
    """A query: what customers' ledgers say by a ruleset, for rows of `ledger AS entry` that meet the condition."""
    return f"""
    SELECT customer_id, count(*) AS rows, sum(contribution)::int AS interaction_count,
        latest({contact_at("contact_at")}) AS contact, latest({contact_at("two_way_at")}) AS two_way
    FROM (
        SELECT customer_id, kind, source_system, source_id, employee_id, sent_at, clicked_at,
            contribution({ruleset}, entry) + links * link_contribution({ruleset}, entry) AS contribution,
            contact_at({ruleset}, entry) AS contact_at, two_way_at({ruleset}, entry) AS two_way_at
        FROM ledger AS entry WHERE {condition}
        OFFSET 0
    ) AS judged
    GROUP BY customer_id"""


# What keeps its numbers is not written again, or the hourly reconciliation would go through all of it;
# only by which ruleset it was counted is noted.
_OTHER_NUMBERS = """(
    stored.interaction_count <> shown.interaction_count
    OR stored.contact IS DISTINCT FROM shown.contact
    OR stored.two_way IS DISTINCT FROM shown.two_way
)"""

_RECOUNT = f"""
WITH counted AS ({counted(IN_FORCE, "customer_id = ANY($1::uuid[])")}),
shown AS (
    SELECT customer_id, coalesce(counted.interaction_count, 0) AS interaction_count, counted.contact, counted.two_way,
        CASE WHEN manual_recorded_at IS NULL OR (counted.contact).at > manual_recorded_at
             THEN counted.contact END AS last_contact, {IN_FORCE} AS ruleset
    FROM summary LEFT JOIN counted USING (customer_id)
    WHERE customer_id = ANY($1::uuid[]) AND NOT erased
),
changed AS (
    UPDATE summary AS stored SET
        interaction_count = shown.interaction_count,
        contact = shown.contact,
        two_way = shown.two_way,
        ruleset = shown.ruleset,
        as_of = CASE WHEN {_OTHER_NUMBERS}
            THEN greatest(clock_timestamp(), stored.as_of + interval '1 microsecond') ELSE stored.as_of END,
        version = stored.version + CASE WHEN stored.known AND (
            stored.interaction_count <> shown.interaction_count
            OR stored.two_way IS DISTINCT FROM shown.two_way
            OR stored.last_contact IS DISTINCT FROM coalesce(shown.last_contact, stored.manual)
        ) THEN 1 ELSE 0 END
    FROM shown WHERE stored.customer_id = shown.customer_id
        AND ({_OTHER_NUMBERS} OR stored.ruleset <> shown.ruleset)
    RETURNING {CHANGED}
),
causes AS (SELECT customer_id, uuidv7() AS event_id, $2::jsonb AS headers FROM changed),
events AS ({SUMMARY_EVENTS}),
told AS ({OUTBOX})
SELECT count(*) FILTER (WHERE ruleset = ruleset_before), count(*) FILTER (WHERE version > version_before) FROM changed
"""

_REPUBLISH = f"""
WITH locked AS (
    SELECT customer_id FROM summary
    WHERE known AND NOT erased AND customer_id > $1 ORDER BY customer_id LIMIT $2 FOR UPDATE
),
raised AS (
    UPDATE summary AS stored SET version = stored.version + $3 FROM locked
    WHERE stored.customer_id = locked.customer_id
    RETURNING {CHANGED}
),
changed AS (
    SELECT customer_id, erased, version, 0 AS version_before, as_of, ruleset, interaction_count, last_contact, two_way,
        count_before, last_contact_before, two_way_before, ruleset_before
    FROM raised
),
causes AS (SELECT customer_id, uuidv7() AS event_id, $4::jsonb AS headers FROM locked),
events AS ({SUMMARY_EVENTS}),
told AS ({OUTBOX})
SELECT customer_id FROM locked ORDER BY customer_id
"""

_ERASED = "SELECT customer_id FROM summary WHERE erased AND customer_id > $1 ORDER BY customer_id LIMIT $2"

_EMPTY = """
WITH facts AS (DELETE FROM fact WHERE customer_id = ANY($1::uuid[])),
rows AS (DELETE FROM ledger WHERE customer_id = ANY($1::uuid[])),
manual AS (DELETE FROM manual_contact WHERE customer_id = ANY($1::uuid[]))
UPDATE summary SET interaction_count = 0, contact = NULL, two_way = NULL, manual = NULL, manual_recorded_at = NULL
WHERE customer_id = ANY($1::uuid[])
"""


class Recounted(NamedTuple):
    """How many summaries a recount found wrong by their own ruleset, and of how many it told other numbers."""

    drifted: int
    told: int


async def recount(session: Session, customer_ids: Sequence[UUID], origin: Origin) -> Recounted:
    """Count customers again from their ledger rows, by the ruleset in force; tell what differs."""
    await lock_summaries(session, customer_ids)
    outbox.written_by_statement(session)
    return Recounted(*(await run(session, _RECOUNT, customer_ids, headers_json(origin))).one())


async def lock_summaries(session: Session, customer_ids: Sequence[UUID]) -> None:
    """Hold the summaries until the transaction ends; what others committed is seen by later statements."""
    await run(session, _LOCK, customer_ids)


async def drop_facts(session: Session, customer_ids: Sequence[UUID]) -> None:
    """Empty the ledgers of customers whose summary is locked and says erased (C8)."""
    await run(session, _EMPTY, customer_ids)


async def summaries_again(session: Session, after: UUID, limit: int, raise_by: int) -> list[UUID]:
    """Tell the published summaries behind a customer's again; answers whose."""
    headers = headers_json(replace(outbox.origin(session), replayed=True))
    outbox.written_by_statement(session)
    return list((await run(session, _REPUBLISH, after, limit, raise_by, headers)).scalars())


async def erasures_again(session: Session, after: UUID, limit: int, _: int) -> list[UUID]:
    """Tell again that the erased behind a customer are gone (C8); answers who."""
    gone = list((await run(session, _ERASED, after, limit)).scalars())
    for customer_id in gone:
        outbox.add_tombstone(session, SUMMARIES, str(customer_id))
    return gone
