"""Reads: the ledger of a customer and its summary, as JSON written by PostgreSQL.

Whether the asker sees the customer is asked first, in `customers.py`.
"""

from dataclasses import dataclass
from uuid import UUID

from services.interactions.queries.customers import VisibleCustomer
from services.interactions.queries.pages import LAST_ID, JsonPage, Position, cut
from shared.database import Session, run
from shared.errors import NotFound

MAX_FACTS_SHOWN = 100
"""Of a row with more facts (an e-mail opened every day) the latest are shown."""

MAX_WORDS_SHOWN = 20
"""Of what was said by hand the latest are shown."""

_SUMMARY = """
SELECT version, json_build_object(
    'customer_id', customer_id, 'interaction_count', interaction_count,
    'last_contact', contact_json(last_contact), 'last_two_way_contact', contact_json(two_way),
    'as_of', instant(greatest(as_of, statement_timestamp())), 'ruleset', ruleset, 'version', version,
    'allowed', $2::json
)::text
FROM summary WHERE customer_id = $1 AND known AND NOT erased
"""

# A click's contribution is its e-mail's to know. E-mails known by their clicks only are no entries yet.
_ROWS = f"""
SELECT json_build_object(
    'id', entry.id, 'customer_id', entry.customer_id, 'kind', entry.kind, 'source_system', entry.source_system,
    'source_id', entry.source_id, 'link', entry.link,
    'direction', coalesce((entry.outcome).direction, CASE WHEN entry.received_at IS NOT NULL THEN 'inbound' END),
    'employee_id', entry.employee_id, 'occurred_at', instant(entry.occurred_at),
    'last_fact_at', instant(entry.last_fact_at),
    'contribution', CASE WHEN entry.mail_id IS NULL THEN contribution($2, entry) ELSE link_contribution($2, mail) END,
    'rule', rule($2, entry), 'ruleset', $2::int,
    'contact_at', instant(contact_at($2, entry)), 'two_way_contact_at', instant(two_way_at($2, entry)),
    'facts', (
        SELECT json_agg(json_build_object('fact', fact, 'occurred_at', instant(occurred_at)) ORDER BY occurred_at, id)
        FROM (
            SELECT fact, occurred_at, id FROM fact
            WHERE customer_id = entry.customer_id AND row_id = entry.id
            ORDER BY occurred_at DESC, id DESC LIMIT {MAX_FACTS_SHOWN}
        ) AS shown
    )
)::text, entry.occurred_at, entry.id
FROM ledger AS entry
LEFT JOIN ledger AS mail ON mail.customer_id = entry.customer_id AND mail.id = entry.mail_id
WHERE entry.customer_id = $1 AND entry.occurred_at IS NOT NULL
    AND (entry.occurred_at, entry.id) < (coalesce($3::timestamptz, 'infinity'), coalesce($4::uuid, '{LAST_ID}'))
ORDER BY entry.occurred_at DESC, entry.id DESC LIMIT $5
"""


def _reason(clock: str, judge: str) -> str:
    """A contact as JSON, with the ledger row that tells of it: none for a word by hand."""
    return f"""json_build_object('contact', contact_json({clock}), 'row_id', (
        SELECT id FROM ledger AS entry
        WHERE entry.customer_id = summary.customer_id AND source_system = ({clock}).source_system
            AND source_id = ({clock}).source_id AND {judge}(summary.ruleset, entry) = ({clock}).at
        ORDER BY kind = ({clock}).kind DESC LIMIT 1
    ))::text"""


_REASONS = f"""
SELECT interaction_count, ruleset, {_reason("last_contact", "contact_at")}, {_reason("two_way", "two_way_at")}, (
    SELECT coalesce(json_agg(json_build_object(
        'at', instant(at), 'said_at', instant(recorded_at),
        'actor', json_build_object('kind', actor_kind, 'id', actor_id),
        'holds', (last_contact).kind = 'manual' AND recorded_at = manual_recorded_at
    ) ORDER BY recorded_at DESC), '[]')::text
    FROM (
        SELECT * FROM manual_contact WHERE manual_contact.customer_id = summary.customer_id
        ORDER BY recorded_at DESC LIMIT {MAX_WORDS_SHOWN}
    ) AS said
)
FROM summary WHERE customer_id = $1 AND known AND NOT erased
"""


async def summary_json(session: Session, customer: VisibleCustomer) -> tuple[str, int]:
    """A customer's summary as JSON, exact as of now, and its version. Raises NotFound."""
    allowed = '["last_contact"]' if customer.changeable else "[]"
    row = (await run(session, _SUMMARY, customer.id, allowed)).one_or_none()
    if row is None:
        raise NotFound
    version, body = row
    return body, version


@dataclass(frozen=True)
class Reasons:
    """What a customer's summary rests on: the ruleset that counted it, and as JSON why its contacts are those."""

    interaction_count: int
    ruleset: int
    last_contact: str
    last_two_way_contact: str
    said_by_hand: str


async def reasons_of(session: Session, customer_id: UUID) -> Reasons:
    """Why a customer's numbers are what they are, beside the rows of the ledger. Raises NotFound."""
    row = (await run(session, _REASONS, customer_id)).one_or_none()
    if row is None:
        raise NotFound
    return Reasons(*row)


async def ruleset_of(session: Session, customer_id: UUID) -> int:
    """The ruleset that counted a customer. Raises NotFound."""
    ruleset = (
        await run(session, "SELECT ruleset FROM summary WHERE customer_id = $1", customer_id)
    ).scalar_one_or_none()
    if ruleset is None:
        raise NotFound
    return ruleset


async def ledger_page(
    session: Session, customer_id: UUID, ruleset: int, limit: int, after: Position | None
) -> JsonPage:
    """A customer's rows, newest first, those that count 0 too (I11)."""
    at, row_id = after or (None, None)
    return cut((await run(session, _ROWS, customer_id, ruleset, at, row_id, limit + 1)).all(), limit)


async def count_rows(session: Session, customer_id: UUID) -> int:
    """How many rows a customer's ledger has."""
    result = await run(
        session, "SELECT count(*) FROM ledger WHERE customer_id = $1 AND occurred_at IS NOT NULL", customer_id
    )
    return result.scalar_one()
