"""Purchases: orders with their lines and what they add up to for each customer, kept from `crm.documents` (P1, P3).

A document is written when its version is not older than the stored one; the difference that makes moves
the customer's lifetime values in the same transaction, so a repetition moves nothing. Filters read the
tables, whose meaning stands in the revision that makes them.
"""

from collections.abc import Sequence
from typing import Any

from shared.contracts.documents import DocumentChanged, DocumentState
from shared.copies import newest_per_key
from shared.database import Session, run
from shared.envelope import Envelope
from shared.folding import fold

LIFETIME_CURRENCY = "VND"
"""Amounts compare within one currency only; lifetime values are in this one."""


def lifetime_of(row: str) -> str:
    """What a row of `document` adds to its customer's lifetime values: revenue, orders, value purchased."""
    counts = f"{row}.purchased AND {row}.currency = '{LIFETIME_CURRENCY}'"
    sales = f"{row}.purchased AND {row}.order_type = 'sales'"
    return f"""
        CASE WHEN {counts} AND {row}.order_type = 'sales' THEN {row}.value ELSE 0 END AS revenue,
        CASE WHEN {sales} AND NOT {row}.is_return THEN 1 ELSE 0 END AS orders,
        CASE WHEN {counts} AND NOT {row}.is_return THEN {row}.total ELSE 0 END AS purchased"""


# PostgreSQL sees one snapshot per statement, so the difference is taken from what the upsert returns.
_DOCUMENTS = f"""
WITH written AS (
    INSERT INTO document AS stored (id, customer_id, kind, number, status, order_type, ordered_at, return_of, total,
                                    currency, state, created_at, version)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                         $8::uuid[], $9::bigint[], $10::text[], $11::text[], $12::timestamptz[], $13::bigint[])
        AS news(id, customer_id, kind, number, status, order_type, ordered_at, return_of, total, currency, state,
                created_at, version)
    ORDER BY id
    ON CONFLICT (id) DO UPDATE SET
        customer_id = excluded.customer_id, kind = excluded.kind, number = excluded.number, status = excluded.status,
        order_type = excluded.order_type, ordered_at = excluded.ordered_at, return_of = excluded.return_of,
        total = excluded.total, currency = excluded.currency, state = excluded.state,
        created_at = excluded.created_at, version = excluded.version
    WHERE stored.version <= excluded.version
    RETURNING old AS before, new AS after
),
moved AS (
    SELECT (after).customer_id, {lifetime_of("(after)")} FROM written
    UNION ALL
    SELECT customer_id, -revenue, -orders, -purchased
    FROM (SELECT (before).customer_id, {lifetime_of("(before)")} FROM written WHERE (before).id IS NOT NULL) AS was
),
gained AS (
    SELECT customer_id, sum(revenue)::bigint AS revenue, sum(orders)::int AS orders, sum(purchased)::bigint AS purchased
    FROM moved GROUP BY customer_id
    HAVING sum(revenue) <> 0 OR sum(orders) <> 0 OR sum(purchased) <> 0
    ORDER BY customer_id
),
told AS (
    INSERT INTO customer_contact AS stored (customer_id, as_of, total_revenue, order_count, purchased_value)
    SELECT customer_id, clock_timestamp(), revenue, orders, purchased FROM gained
    ON CONFLICT (customer_id) DO UPDATE SET
        total_revenue = stored.total_revenue + excluded.total_revenue,
        order_count = stored.order_count + excluded.order_count,
        purchased_value = stored.purchased_value + excluded.purchased_value
)
SELECT (after).id FROM written
"""

_LINES = """
WITH gone AS (
    DELETE FROM document_line USING unnest($1::uuid[], $2::int[]) AS kept(document_id, lines)
    WHERE document_line.document_id = kept.document_id AND position >= kept.lines
)
INSERT INTO document_line AS stored
SELECT * FROM unnest($3::uuid[], $4::int[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::numeric[],
                     $11::bigint[], $12::bigint[])
    AS news(document_id, position, customer_id, product_code, product_name, product_group_code, product_group_name,
            quantity, unit_price, total)
ON CONFLICT (document_id, position) DO UPDATE SET
    customer_id = excluded.customer_id, product_code = excluded.product_code, product_name = excluded.product_name,
    product_group_code = excluded.product_group_code, product_group_name = excluded.product_group_name,
    quantity = excluded.quantity, unit_price = excluded.unit_price, total = excluded.total
WHERE stored IS DISTINCT FROM excluded
"""

_PRODUCTS = """
WITH named AS (
    INSERT INTO product_group AS stored
    SELECT * FROM unnest($5::text[], $6::text[], $7::text[]) AS news(code, name, name_folded) ORDER BY code
    ON CONFLICT (code) DO UPDATE SET name = excluded.name, name_folded = excluded.name_folded
    WHERE stored.name <> excluded.name
)
INSERT INTO product AS stored
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS news(code, name, name_folded, group_code)
ORDER BY code
ON CONFLICT (code) DO UPDATE SET
    name = excluded.name, name_folded = excluded.name_folded, group_code = excluded.group_code
WHERE (stored.name, stored.group_code) IS DISTINCT FROM (excluded.name, excluded.group_code)
"""


async def keep_documents(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
    """Keep documents, the lines of orders, and the lifetime values of their customers."""
    states = [
        (envelope.event.state, envelope.event.version)
        for envelope in newest_per_key(envelopes)
        if isinstance(envelope.event, DocumentChanged)
    ]
    if not states:
        return
    rows = [_document_row(state, version) for state, version in states]
    written = set((await run(session, _DOCUMENTS, *_columns(rows))).scalars())
    orders = [state for state, _ in states if state.id in written and state.kind == "order"]
    if orders:
        await _keep_lines(session, orders)


async def _keep_lines(session: Session, orders: Sequence[DocumentState]) -> None:
    kept = {order.id: len(order.lines) if order.state == "active" else 0 for order in orders}
    lines = [row for order in orders if order.state == "active" for row in _line_rows(order)]
    await run(session, _LINES, list(kept), list(kept.values()), *(_columns(lines) or [[]] * 10))
    products = {line[3]: (line[3], line[4], fold(line[4]), line[5]) for line in lines}
    groups = {line[5]: (line[5], line[6] or line[5], fold(line[6] or line[5])) for line in lines if line[5]}
    if products:
        parameters = [*_columns(list(products.values())), *(_columns(list(groups.values())) or [[]] * 3)]
        await run(session, _PRODUCTS, *parameters)


def _document_row(state: DocumentState, version: int) -> tuple[Any, ...]:
    ordered_at = state.ordered_at or (state.created_at if state.kind == "order" else None)
    order_type = state.order_type or ("sales" if state.kind == "order" else None)
    return (
        state.id,
        state.customer_id,
        state.kind,
        state.number,
        state.status,
        order_type,
        ordered_at,
        state.return_of,
        state.total.amount,
        state.total.currency,
        state.state,
        state.created_at,
        version,
    )


def _line_rows(order: DocumentState) -> list[tuple[Any, ...]]:
    return [
        (
            order.id,
            position,
            order.customer_id,
            line.product_code,
            line.product_name,
            line.product_group_code,
            line.product_group_name,
            line.quantity,
            line.unit_price.amount,
            line.total.amount,
        )
        for position, line in enumerate(order.lines)
    ]


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return list(map(list, zip(*rows, strict=True)))
