"""Facts enter the ledger: one statement for one fact or a thousand, whatever their order (I).

Raw facts are kept, rows merge them, the summaries of their customers follow and are told, all or
nothing. What a repetition, a late fact or two writers at once could break is settled by the upserts:
each takes its locks in the order of ids, facts before rows before summaries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.interactions.commands.announcements import CHANGED, OUTBOX, SUMMARY_EVENTS, origin_json
from services.interactions.commands.summaries import drop_facts, recount
from services.interactions.domain.facts import LedgerFact
from shared import outbox, telemetry
from shared.contracts.interactions import INTERACTIONS, InteractionRecorded
from shared.database import Session, run
from shared.envelope import Origin


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

# Two reports of the same fact may differ in direction alone; which one came first must not matter.
_GIVEN = """
given AS MATERIALIZED (
    SELECT customer_id, row_id, mail_id, fact_id, kind, source_system, source_id, link, employee_id, fact, direction,
        occurred_at, data::jsonb AS data, origin::jsonb AS origin
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::uuid[], $10::text[], $11::text[], $12::timestamptz[], $13::text[], $14::text[])
         AS given(customer_id, row_id, mail_id, fact_id, kind, source_system, source_id, link, employee_id, fact,
                  direction, occurred_at, data, origin)
),
origins AS (SELECT customer_id, any_value(origin) AS origin FROM given GROUP BY customer_id),
fresh AS (
    INSERT INTO fact AS stored (customer_id, row_id, id, fact, link, direction, occurred_at, data)
    SELECT customer_id, row_id, fact_id, fact, link, direction, occurred_at, data
    FROM given ORDER BY customer_id, row_id, fact_id
    ON CONFLICT (customer_id, row_id, id) DO UPDATE SET direction = excluded.direction
        WHERE stored.direction < excluded.direction
    RETURNING new.id, new.recorded_at, old.id IS NULL AS is_new
)"""

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
    SELECT given.customer_id, '{INTERACTIONS.name}' AS topic, '{InteractionRecorded.ce_type}' AS type, given.origin,
        json_build_object(
            'row_id', given.row_id, 'customer_id', given.customer_id, 'kind', given.kind,
            'source_system', given.source_system, 'source_id', given.source_id, 'fact', given.fact,
            'direction', given.direction, 'occurred_at', instant(given.occurred_at),
            'recorded_at', instant(fresh.recorded_at),
            'contribution', CASE WHEN mail_id IS NULL THEN contribution ELSE link_contribution END,
            'rule', CASE WHEN mail_id IS NULL THEN rule ELSE 'I3' END,
            'actor', json_build_object(
                'kind', origin->>'ce_actorkind', 'id', origin->>'ce_actorid', 'permissions', '[]'::json)
        ) AS body
    FROM fresh
    JOIN given ON given.fact_id = fresh.id
    JOIN entries ON entries.customer_id = given.customer_id AND entries.id = coalesce(given.mail_id, given.row_id)
    WHERE is_new AND given.customer_id NOT IN (SELECT customer_id FROM changed WHERE erased)
    UNION ALL
    {SUMMARY_EVENTS}
),
told AS ({OUTBOX})"""

_RECORD = f"""
WITH {_GIVEN},{_CLICKS},{_ENTRIES},{_SUMMARIES},{_EVENTS}
SELECT
    ARRAY(SELECT id FROM fresh WHERE is_new) AS fresh,
    ARRAY(SELECT id FROM clicks WHERE first_seen UNION ALL SELECT id FROM entries WHERE first_seen) AS new_rows,
    ARRAY(SELECT customer_id FROM gains WHERE taken_back) AS taken_back,
    ARRAY(SELECT customer_id FROM changed WHERE erased) AS erased
"""


@dataclass(frozen=True)
class Recorded:
    """What a batch brought: ids of the facts that were new, and of the rows that began with them."""

    facts: frozenset[UUID] = frozenset()
    rows: frozenset[UUID] = frozenset()


async def record_facts(session: Session, facts: Sequence[LedgerFact], origins: Sequence[Origin]) -> Recorded:
    """Take facts into the ledger, each with what it comes from; repetitions change nothing.

    Facts of erased customers are dropped and counted in a metric (I12).
    """
    given = _once_each(facts, origins)
    if not given:
        return Recorded()
    fresh, rows, taken_back, erased = (await run(session, _RECORD, *map(list, zip(*given, strict=True)))).one()
    if fresh:
        outbox.written_by_statement(session)
    if erased:
        await drop_facts(session, erased)
        dropped = sum(1 for fact in facts if fact.customer_id in set(erased))
        telemetry.FACTS_DROPPED.labels("interactions").inc(dropped)
    if taken_back:
        await recount(session, taken_back, origins[0])
    return Recorded(frozenset(fresh), frozenset(rows))


def _once_each(facts: Sequence[LedgerFact], origins: Sequence[Origin]) -> list[tuple[object, ...]]:
    """The statement's rows. Repetitions that differ in direction resolve as they do in the table: outbound."""
    once: dict[UUID, tuple[LedgerFact, Origin]] = {}
    for fact, origin in zip(facts, origins, strict=True):
        known = once.get(fact.fact_id)
        if known is None or (known[0].direction or "") < (fact.direction or ""):
            once[fact.fact_id] = (fact, origin)
    return [(*fact, origin_json(origin)) for fact, origin in once.values()]
