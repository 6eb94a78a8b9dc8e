"""Reads of documents, as JSON written by PostgreSQL (R1). Deleted ones are left out."""

from uuid import UUID

from services.interactions.queries.customers import VisibleCustomer, find_customer
from services.interactions.queries.pages import CreatedSort, JsonPage, Position, cut
from shared.database import Session, run
from shared.errors import NotFound
from shared.identity import WRITE_DOCUMENTS, Actor

# $1 whether the asker may write the customer's documents, $2 the customer.
_ITEM = """
SELECT json_build_object(
    'id', id, 'customer_id', customer_id, 'kind', kind, 'number', number, 'status', status, 'order_type', order_type,
    'ordered_at', instant(ordered_at), 'lines', lines,
    'total', json_build_object('amount', total_amount, 'currency', total_currency), 'return_of', return_of,
    'source_system', source_system, 'external_id', external_id, 'external_version', external_version,
    'created_by', created_by, 'created_at', instant(created_at), 'updated_at', instant(updated_at), 'version', version,
    'allowed', CASE WHEN $1 AND state = 'active' THEN '["change","delete"]' ELSE '[]' END::json
)::text, created_at, id, version
FROM document
WHERE customer_id = $2
"""

_ONE = f"{_ITEM} AND id = $3"

_LISTED = "AND state = 'active' AND ($3::text[] = '{}' OR kind = ANY($3)) AND ($4::text[] = '{}' OR status = ANY($4))"

_PAGES = {
    "-created_at": f"""{_ITEM} {_LISTED} AND ($5::timestamptz IS NULL OR (created_at, id) < ($5, $6::uuid))
        ORDER BY created_at DESC, id DESC LIMIT $7""",
    "created_at": f"""{_ITEM} {_LISTED} AND ($5::timestamptz IS NULL OR (created_at, id) > ($5, $6::uuid))
        ORDER BY created_at, id LIMIT $7""",
}

_COUNT = f"SELECT count(*) FROM document WHERE $1 AND customer_id = $2 {_LISTED}"


async def documents_page(
    session: Session,
    actor: Actor,
    customer: VisibleCustomer,
    kinds: list[str],
    statuses: list[str],
    sort: CreatedSort,
    limit: int,
    after: Position | None,
) -> JsonPage:
    """A customer's documents of these kinds and statuses, of any where none is named."""
    moment, document_id = after or (None, None)
    asked = (_may_write(actor, customer), customer.id, kinds, statuses, moment, document_id, limit + 1)
    return cut((await run(session, _PAGES[sort], *asked)).all(), limit)


async def count_documents(session: Session, customer: VisibleCustomer, kinds: list[str], statuses: list[str]) -> int:
    """How many documents such a list has in all."""
    return (await run(session, _COUNT, True, customer.id, kinds, statuses)).scalar_one()


async def document_json(session: Session, actor: Actor, document_id: UUID) -> tuple[str, int]:
    """One document as JSON, and its version. Raises NotFound."""
    found = await run(session, "SELECT customer_id FROM document WHERE id = $1 AND state = 'active'", document_id)
    customer_id = found.scalar_one_or_none()
    if customer_id is None:
        raise NotFound
    customer = await find_customer(session, actor, customer_id)
    return await written_document_json(session, customer.id, document_id, _may_write(actor, customer))


async def written_document_json(
    session: Session, customer_id: UUID, document_id: UUID, may_write: bool = True
) -> tuple[str, int]:
    """A document that the asker has just written, whether or not they may read others."""
    row = (await run(session, _ONE, may_write, customer_id, document_id)).one()
    return row[0], row[3]


def _may_write(actor: Actor, customer: VisibleCustomer) -> bool:
    return actor.may(WRITE_DOCUMENTS) if actor.employee_id is None else customer.changeable
