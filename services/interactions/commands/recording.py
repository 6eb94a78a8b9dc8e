"""Facts enter the ledger: one statement for one fact or a thousand, whatever their order (I).

Raw facts are kept, rows merge them, the summaries of their customers follow and are told, all or
nothing. What a repetition, a late fact or two writers at once could break is settled by the upserts:
each takes its locks in the order of ids, facts before rows before summaries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from services.interactions.commands.announcements import (
    CHANGED,
    OUTBOX,
    RECORDED_END,
    SUMMARY_EVENTS,
    recorded_parts,
)
from services.interactions.commands.summaries import drop_facts, recount
from services.interactions.domain.facts import LedgerFact
from shared import outbox, telemetry
from shared.contracts.interactions import INTERACTIONS, InteractionRecorded
from shared.database import Session, run
from shared.envelope import Origin, new_id


def _contact(at: str) -> str:
    """A row's contact at one of its clocks; an e-mail's may be that of a click in it (L6)."""
    return f"""CASE WHEN {at} IS NOT NULL THEN ROW(
            {at}, CASE WHEN new.sent_at IS NOT NULL AND new.clicked_at = {at} THEN 'email_click' ELSE new.kind END,
            new.source_system, new.source_id, new.employee_id
        )::contact END"""


MERGED = """
        min(occurred_at), max(occurred_at),
        latest(CASE WHEN fact IN ('sent', 'failed', 'answered', 'unanswered')
               THEN ROW(occurred_at, fact_id, fact, direction)::outcome END),
        max(occurred_at) FILTER (WHERE fact = 'sent'),
        max(occurred_at) FILTER (WHERE fact = 'read'),
        max(occurred_at) FILTER (WHERE fact = 'received'),
        max(occurred_at) FILTER (WHERE fact = 'deleted')"""
"""Facts of one row merged: occurred_at, last_fact_at, outcome, sent_at, read_at, received_at, deleted_at."""

_CLICKS = """
clicks AS (
    INSERT INTO ledger AS stored (customer_id, id, mail_id, kind, source_system, source_id, link, employee_id,
                                  occurred_at, last_fact_at, clicked_at)
    SELECT customer_id, row_id, any_value(mail_id), 'email_click', any_value(source_system), any_value(source_id),
        any_value(link), any_value(employee_id), min(occurred_at), max(occurred_at), max(occurred_at)
    FROM given WHERE kind = 'email_click' GROUP BY customer_id, row_id ORDER BY customer_id, row_id
    ON CONFLICT (customer_id, id) DO UPDATE SET
        occurred_at = least(stored.occurred_at, excluded.occurred_at),
        last_fact_at = greatest(stored.last_fact_at, excluded.last_fact_at),
        clicked_at = greatest(stored.clicked_at, excluded.clicked_at)
    RETURNING new.customer_id, new.id, new.mail_id, new.source_system, new.source_id, new.employee_id, new.clicked_at,
        old.id IS NULL AS first_seen
)"""

# Without a click this part of the statement would do nothing, which for a single fact takes a fifth of the time.
_NO_CLICKS = """
clicks AS (
    SELECT customer_id, row_id AS id, mail_id, source_system, source_id, employee_id, occurred_at AS clicked_at,
        true AS first_seen
    FROM given WHERE false
)"""

# A click's news for its e-mail (the latest click, one link more) merge with the e-mail's own facts.
_ENTRIES = f"""
entries AS (
    INSERT INTO ledger AS stored (customer_id, id, kind, source_system, source_id, employee_id, occurred_at,
                                  last_fact_at, outcome, sent_at, read_at, received_at, deleted_at, clicked_at, links)
    SELECT customer_id, row_id, any_value(kind), any_value(source_system), any_value(source_id),
        any_value(employee_id), {MERGED}, max(clicked_at), sum(links)
    FROM (
        SELECT customer_id, row_id, kind, source_system, source_id, employee_id, fact_id, fact, direction,
            occurred_at, NULL::timestamptz AS clicked_at, 0 AS links
        FROM given WHERE kind <> 'email_click'
        UNION ALL
        SELECT customer_id, mail_id, 'email', source_system, source_id, employee_id, NULL, NULL, NULL,
            NULL, clicked_at, first_seen::int
        FROM clicks
    ) AS piece
    GROUP BY customer_id, row_id ORDER BY customer_id, row_id
    ON CONFLICT (customer_id, id) DO UPDATE SET
        occurred_at = least(stored.occurred_at, excluded.occurred_at),
        last_fact_at = greatest(stored.last_fact_at, excluded.last_fact_at),
        outcome = greatest(stored.outcome, excluded.outcome),
        sent_at = greatest(stored.sent_at, excluded.sent_at),
        read_at = greatest(stored.read_at, excluded.read_at),
        clicked_at = greatest(stored.clicked_at, excluded.clicked_at),
        received_at = greatest(stored.received_at, excluded.received_at),
        deleted_at = greatest(stored.deleted_at, excluded.deleted_at),
        links = stored.links + excluded.links
    RETURNING new.customer_id, new.id, new.kind, new.contribution, new.link_contribution, new.rule,
        old.id IS NULL AS first_seen,
        new.contribution + new.links * new.link_contribution
            - coalesce(old.contribution + old.links * old.link_contribution, 0) AS gained,
        {_contact("new.contact_at")} AS contact,
        {_contact("new.two_way_at")} AS two_way,
        coalesce(old.contact_at > coalesce(new.contact_at, '-infinity'), false)
            OR coalesce(old.two_way_at > coalesce(new.two_way_at, '-infinity'), false) AS taken_back
)"""

# A contact that was taken back may have been the latest: such a summary is only locked here, and
# counted again from the ledger once its lock is held. An erased one is found erased under its lock.
_SUMMARIES = f"""
gains AS (
    SELECT customer_id, bool_or(taken_back) AS taken_back, bool_or(kind = 'created') AS known,
        sum(gained)::int AS gained, latest(contact) AS contact, latest(two_way) AS two_way
    FROM entries GROUP BY customer_id
),
changed AS (
    INSERT INTO summary AS stored (customer_id, known, interaction_count, contact, two_way, version)
    SELECT customer_id, known, CASE WHEN taken_back THEN 0 ELSE gained END,
        CASE WHEN NOT taken_back THEN contact END, CASE WHEN NOT taken_back THEN two_way END, known::int
    FROM gains ORDER BY customer_id
    ON CONFLICT (customer_id) DO UPDATE SET
        known = stored.known OR excluded.known,
        interaction_count = stored.interaction_count + excluded.interaction_count,
        contact = greatest(stored.contact, excluded.contact),
        two_way = greatest(stored.two_way, excluded.two_way),
        as_of = greatest(clock_timestamp(), stored.as_of + interval '1 microsecond'),
        version = stored.version + CASE WHEN (stored.known OR excluded.known) AND NOT stored.erased AND (
            excluded.known > stored.known
            OR excluded.interaction_count <> 0
            OR greatest(stored.two_way, excluded.two_way) IS DISTINCT FROM stored.two_way
            OR greatest(stored.contact, excluded.contact) IS DISTINCT FROM stored.contact
                AND coalesce((excluded.contact).at > stored.manual_recorded_at, true)
        ) THEN 1 ELSE 0 END
    WHERE stored.erased
        OR excluded.known > stored.known
        OR excluded.interaction_count <> 0
        OR greatest(stored.contact, excluded.contact) IS DISTINCT FROM stored.contact
        OR greatest(stored.two_way, excluded.two_way) IS DISTINCT FROM stored.two_way
    RETURNING {CHANGED}
)"""

_EVENTS = f"""
events AS (
    SELECT event_id, customer_id, '{INTERACTIONS.name}' AS topic, '{InteractionRecorded.ce_type}' AS type,
        beginning || {RECORDED_END} AS body, headers::jsonb AS headers
    FROM (
        SELECT given.customer_id, event_id, headers, beginning, recorded_at,
            CASE WHEN mail_id IS NULL THEN contribution ELSE link_contribution END AS contribution,
            CASE WHEN mail_id IS NULL THEN rule ELSE 'I3' END AS rule
        FROM fresh
        JOIN given ON given.fact_id = fresh.id
        JOIN entries ON entries.customer_id = given.customer_id AND entries.id = coalesce(mail_id, row_id)
        WHERE is_new AND given.customer_id NOT IN (SELECT customer_id FROM changed WHERE erased)
    ) AS recorded
    UNION ALL
    {SUMMARY_EVENTS}
),
told AS ({OUTBOX})"""


# Two reports of the same fact may differ in direction alone; which one came first must not matter.
def _given(condition: str) -> str:
    return f"""
given AS MATERIALIZED (
    SELECT *
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::uuid[], $10::text[], $11::text[], $12::timestamptz[], $13::text[],
                $14::uuid[], $15::text[], $16::text[], $17::uuid[])
         AS given(customer_id, row_id, mail_id, fact_id, kind, source_system, source_id, link, employee_id, fact,
                  direction, occurred_at, data, event_id, headers, beginning, summary_event_id)
    WHERE {condition}
),
causes AS (
    SELECT customer_id, any_value(summary_event_id) AS event_id, any_value(headers)::jsonb AS headers
    FROM given GROUP BY customer_id
),
fresh AS (
    INSERT INTO fact AS stored (customer_id, row_id, id, fact, link, direction, occurred_at, data)
    SELECT customer_id, row_id, fact_id, fact, link, direction, occurred_at, data::jsonb
    FROM given ORDER BY customer_id, row_id, fact_id
    ON CONFLICT (customer_id, row_id, id) DO UPDATE SET direction = excluded.direction
        WHERE stored.direction < excluded.direction
    RETURNING new.id, new.recorded_at, old.id IS NULL AS is_new
)"""


@cache
def _record(condition: str, with_clicks: bool) -> str:
    """The statement, for facts of those customers only of which the condition holds."""
    return f"""
WITH {_given(condition)},{_CLICKS if with_clicks else _NO_CLICKS},{_ENTRIES},{_SUMMARIES},{_EVENTS}
SELECT
    ARRAY(SELECT customer_id FROM causes) AS customers,
    ARRAY(SELECT id FROM fresh WHERE is_new) AS facts,
    ARRAY(SELECT id FROM clicks WHERE first_seen UNION ALL SELECT id FROM entries WHERE first_seen) AS new_rows,
    ARRAY(SELECT customer_id FROM gains WHERE taken_back) AS taken_back,
    ARRAY(SELECT customer_id FROM changed WHERE erased) AS erased
"""


@dataclass(frozen=True)
class About:
    """Facts about which customers are taken: a condition on `given.customer_id`.

    Its parameters are numbered from `FIRST_PARAMETER`.
    """

    condition: str
    parameters: tuple[object, ...] = ()


FIRST_PARAMETER = 18
EVERYBODY = About("true")


@dataclass(frozen=True)
class Recorded:
    """What a batch brought: the customers it was taken for, the facts that were new, the rows they began."""

    customers: frozenset[UUID] = frozenset()
    facts: frozenset[UUID] = frozenset()
    rows: frozenset[UUID] = frozenset()


async def record_facts(
    session: Session, facts: Sequence[LedgerFact], origins: Sequence[Origin], about: About = EVERYBODY
) -> Recorded:
    """Take facts into the ledger, each with what it comes from; repetitions change nothing.

    Facts of erased customers are dropped and counted in a metric (I12).
    """
    given = _once_each(facts, origins)
    if not given:
        return Recorded()
    statement = _record(about.condition, any(fact.mail_id is not None for fact in facts))
    row = (await run(session, statement, *map(list, zip(*given, strict=True)), *about.parameters)).one()
    if row.facts:
        outbox.written_by_statement(session)
    if row.erased:
        await drop_facts(session, row.erased)
        dropped = sum(1 for fact in facts if fact.customer_id in set(row.erased))
        telemetry.FACTS_DROPPED.labels("interactions").inc(dropped)
    if row.taken_back:
        await recount(session, row.taken_back, origins[0])
    return Recorded(frozenset(row.customers), frozenset(row.facts), frozenset(row.new_rows))


def _once_each(facts: Sequence[LedgerFact], origins: Sequence[Origin]) -> list[tuple[object, ...]]:
    """The statement's rows. Repetitions that differ in direction resolve as they do in the table: outbound."""
    once: dict[UUID, tuple[LedgerFact, Origin]] = {}
    for fact, origin in zip(facts, origins, strict=True):
        known = once.get(fact.fact_id)
        if known is None or (known[0].direction or "") < (fact.direction or ""):
            once[fact.fact_id] = (fact, origin)
    return [(*fact, *recorded_parts(fact, origin), new_id()) for fact, origin in once.values()]
