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
from services.interactions.commands.summaries import IN_FORCE, contact_at, drop_facts, recount
from services.interactions.domain.facts import LedgerFact
from services.interactions.domain.ledger import CANCELLATIONS, DELETIONS, OUTCOMES
from shared import outbox, telemetry
from shared.contracts.interactions import INTERACTIONS, InteractionRecorded
from shared.database import Session, run
from shared.envelope import Origin


def _latest_of(*facts: str) -> str:
    """Which of opposing facts holds: the one that occurred last. Others never reach the aggregate, which is dear."""
    names = ", ".join(f"'{fact}'" for fact in facts)
    return f"latest(ROW(occurred_at, fact_id, fact, direction)::outcome) FILTER (WHERE fact IN ({names}))"


def _done_by() -> str:
    """Whose the row is: whose outcome holds did it, of the rest anybody (L6)."""
    names = ", ".join(f"'{fact}'" for fact in OUTCOMES)
    latest = f"array_agg(employee_id ORDER BY occurred_at DESC, fact_id DESC) FILTER (WHERE fact IN ({names}))"
    return f"coalesce(({latest})[1], any_value(employee_id))"


MERGED = f"""
        min(occurred_at), max(occurred_at), {_latest_of(*OUTCOMES)},
        {_latest_of(*CANCELLATIONS)}, {_latest_of(*DELETIONS)},
        max(occurred_at) FILTER (WHERE fact = 'sent'),
        max(occurred_at) FILTER (WHERE fact = 'read'),
        max(occurred_at) FILTER (WHERE fact = 'received')"""
"""Facts of one row merged; the columns are `MERGED_COLUMNS`."""

MERGED_COLUMNS = "occurred_at, last_fact_at, outcome, cancellation, deletion, sent_at, read_at, received_at"

_CLICKS = f"""
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
        rule({IN_FORCE}, new) AS rule, old.id IS NULL AS first_seen
)"""

# Without a click this part of the statement would do nothing, which for a single fact takes a fifth of the time.
_NO_CLICKS = """
clicks AS (
    SELECT customer_id, row_id AS id, mail_id, source_system, source_id, employee_id, occurred_at AS clicked_at,
        NULL AS rule, true AS first_seen
    FROM given WHERE false
)"""

# A click's news for its e-mail (the latest click, one link more) merge with the e-mail's own facts. Whose
# outcome holds is who did it: a meeting was held by whoever completed it (L6).
_ENTRIES = f"""
entries AS (
    INSERT INTO ledger AS stored (customer_id, id, kind, source_system, source_id, employee_id, {MERGED_COLUMNS},
                                  clicked_at, links)
    SELECT customer_id, row_id, any_value(kind), any_value(source_system), any_value(source_id),
        {_done_by()}, {MERGED}, max(clicked_at), sum(links)
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
        employee_id = CASE WHEN greatest(stored.outcome, excluded.outcome) IS DISTINCT FROM stored.outcome
                           THEN excluded.employee_id ELSE stored.employee_id END,
        outcome = greatest(stored.outcome, excluded.outcome),
        cancellation = greatest(stored.cancellation, excluded.cancellation),
        deletion = greatest(stored.deletion, excluded.deletion),
        sent_at = greatest(stored.sent_at, excluded.sent_at),
        read_at = greatest(stored.read_at, excluded.read_at),
        clicked_at = greatest(stored.clicked_at, excluded.clicked_at),
        received_at = greatest(stored.received_at, excluded.received_at),
        links = stored.links + excluded.links
    RETURNING new.customer_id, new.id, new.kind, new.source_system, new.source_id, new.employee_id,
        new.sent_at, new.clicked_at, old.id IS NULL AS first_seen,
        contribution({IN_FORCE}, new) AS contribution, link_contribution({IN_FORCE}, new) AS link_contribution,
        rule({IN_FORCE}, new) AS rule,
        contribution({IN_FORCE}, new) + new.links * link_contribution({IN_FORCE}, new)
            - coalesce(contribution({IN_FORCE}, old) + old.links * link_contribution({IN_FORCE}, old), 0) AS gained,
        contact_at({IN_FORCE}, new) AS contact_at, contact_at({IN_FORCE}, old) AS contact_before,
        two_way_at({IN_FORCE}, new) AS two_way_at, two_way_at({IN_FORCE}, old) AS two_way_before
)"""

# A contact that was taken back may have been the latest, and a summary counted by another ruleset takes
# no gains of this one: such a summary is only locked here, and counted again from the ledger once its
# lock is held. An erased one is found erased under its lock.
_SAME = "stored.ruleset = excluded.ruleset"
_CONTACT = f"CASE WHEN {_SAME} THEN greatest(stored.contact, excluded.contact) ELSE stored.contact END"
_TWO_WAY = f"CASE WHEN {_SAME} THEN greatest(stored.two_way, excluded.two_way) ELSE stored.two_way END"
_GAINED = f"CASE WHEN {_SAME} THEN excluded.interaction_count ELSE 0 END"

_SUMMARIES = f"""
gains AS (
    SELECT customer_id, bool_or(kind = 'created') AS known,
        coalesce(bool_or(contact_before > coalesce(contact_at, '-infinity')
            OR two_way_before > coalesce(two_way_at, '-infinity')), false) AS taken_back,
        sum(gained)::int AS gained, latest({contact_at("contact_at")}) AS contact,
        latest({contact_at("two_way_at")}) AS two_way
    FROM entries GROUP BY customer_id
),
changed AS (
    INSERT INTO summary AS stored (customer_id, known, ruleset, interaction_count, contact, two_way, version)
    SELECT customer_id, known, {IN_FORCE}, CASE WHEN taken_back THEN 0 ELSE gained END,
        CASE WHEN NOT taken_back THEN contact END, CASE WHEN NOT taken_back THEN two_way END, known::int
    FROM gains ORDER BY customer_id
    ON CONFLICT (customer_id) DO UPDATE SET
        known = stored.known OR excluded.known,
        interaction_count = stored.interaction_count + {_GAINED},
        contact = {_CONTACT},
        two_way = {_TWO_WAY},
        as_of = greatest(clock_timestamp(), stored.as_of + interval '1 microsecond'),
        version = stored.version + CASE WHEN (stored.known OR excluded.known) AND NOT stored.erased AND (
            excluded.known > stored.known
            OR {_GAINED} <> 0
            OR {_TWO_WAY} IS DISTINCT FROM stored.two_way
            OR {_CONTACT} IS DISTINCT FROM stored.contact
                AND coalesce((excluded.contact).at > stored.manual_recorded_at, true)
        ) THEN 1 ELSE 0 END
    WHERE stored.erased
        OR excluded.known > stored.known
        OR stored.ruleset <> excluded.ruleset
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
            CASE WHEN given.mail_id IS NULL THEN contribution ELSE link_contribution END AS contribution,
            coalesce(clicks.rule, entries.rule) AS rule
        FROM fresh
        JOIN given ON given.fact_id = fresh.id
        JOIN entries ON entries.customer_id = given.customer_id AND entries.id = coalesce(given.mail_id, row_id)
        LEFT JOIN clicks ON clicks.customer_id = given.customer_id AND clicks.id = row_id
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
                $14::uuid[], $15::text[], $16::text[])
         AS given(customer_id, row_id, mail_id, fact_id, kind, source_system, source_id, link, employee_id, fact,
                  direction, occurred_at, data, event_id, headers, beginning)
    WHERE {condition}
),
causes AS (
    SELECT customer_id, uuidv7() AS event_id, any_value(headers)::jsonb AS headers
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
    ARRAY(SELECT customer_id FROM gains WHERE taken_back UNION
          SELECT customer_id FROM changed WHERE ruleset <> {IN_FORCE}) AS uncounted,
    ARRAY(SELECT customer_id FROM changed WHERE erased) AS erased
"""


@dataclass(frozen=True)
class About:
    """Facts about which customers are taken: a condition on `given.customer_id`.

    Its parameters are numbered from `FIRST_PARAMETER`.
    """

    condition: str
    parameters: tuple[object, ...] = ()


FIRST_PARAMETER = 17
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
    if row.uncounted:
        await recount(session, row.uncounted, origins[0])
    return Recorded(frozenset(row.customers), frozenset(row.facts), frozenset(row.new_rows))


def _once_each(facts: Sequence[LedgerFact], origins: Sequence[Origin]) -> list[tuple[object, ...]]:
    """The statement's rows. Repetitions that differ in direction resolve as they do in the table: outbound."""
    once: dict[UUID, tuple[LedgerFact, Origin]] = {}
    for fact, origin in zip(facts, origins, strict=True):
        known = once.get(fact.fact_id)
        if known is None or (known[0].direction or "") < (fact.direction or ""):
            once[fact.fact_id] = (fact, origin)
    return [(*fact, *recorded_parts(fact, origin)) for fact, origin in once.values()]
