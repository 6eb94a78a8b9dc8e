"""What sources cost and what they bring (G3): for `crm:settings` and `customers:view_all` only (R1).

A report is about all customers, not those the reader sees; it names none of them.
"""

from datetime import date
from typing import Any
from uuid import UUID

from services.customers.queries.pages import ListPage
from shared.database import Session, run
from shared.errors import Forbidden, NotFound
from shared.identity import SETTINGS, VIEW_ALL, Actor

COST = """
json_build_object('id', id, 'source_id', source_id, 'kind', kind,
    'amount', json_build_object('amount', amount, 'currency', currency), 'from', first_day, 'to', last_day,
    'note', note, 'created_at', instant(created_at), 'version', version)
"""

_COSTS = f"""
SELECT coalesce(json_agg({COST} ORDER BY place) FILTER (WHERE place <= $2), '[]')::text AS items, max(place) AS places,
       max(first_day::text) FILTER (WHERE place = $2) AS key, max(id::text) FILTER (WHERE place = $2) AS last_id
FROM (
    SELECT *, row_number() OVER (ORDER BY first_day DESC, id DESC) AS place FROM source_cost
    WHERE source_id = $1 AND ($3::text IS NULL OR (first_day, id) < ($3::text::date, $4::uuid))
    ORDER BY first_day DESC, id DESC LIMIT $2 + 1
) page
"""

_EFFECTIVENESS = """
WITH born AS MATERIALIZED (
    SELECT c.id, c.primary_source_id AS source_id, c.source_ids, c.first_closed_at
    FROM customer c
    WHERE c.state = 'active' AND c.created_at >= start_of($1::date) AND c.created_at < start_of($2::date + 1)
      AND c.source_ids <> '{}'
),
revenue AS (
    SELECT born.id AS customer_id, sum(d.value)::bigint AS revenue
    FROM born JOIN document d ON d.customer_id = born.id
    WHERE d.purchased AND d.order_type = 'sales' AND d.currency = $3
      AND d.ordered_at < start_of(day_of(now()) + 1)
    GROUP BY born.id
),
cohort AS (
    SELECT born.source_id, count(*) AS customers, count(first_closed_at) AS closed,
           coalesce(sum(revenue.revenue), 0)::bigint AS revenue
    FROM born LEFT JOIN revenue ON revenue.customer_id = born.id GROUP BY born.source_id
),
named AS (
    SELECT any_id AS source_id, count(*) AS customers FROM born CROSS JOIN unnest(source_ids) AS any_id GROUP BY 1
),
cost AS (
    SELECT source_id, coalesce(sum(amount) FILTER (WHERE kind = 'planned'), 0)::bigint AS planned,
           coalesce(sum(amount) FILTER (WHERE kind = 'spent'), 0)::bigint AS spent
    FROM source_cost WHERE first_day BETWEEN $1 AND $2 AND currency = $3 GROUP BY source_id
)
SELECT item.id AS source_id, item.code, item.name, item.state, coalesce(cohort.customers, 0) AS customers,
       coalesce(named.customers, 0) AS any_customers, coalesce(cohort.closed, 0) AS closed,
       coalesce(cohort.revenue, 0) AS revenue, coalesce(cost.planned, 0) AS planned, coalesce(cost.spent, 0) AS spent
FROM classification_item item
LEFT JOIN cohort ON cohort.source_id = item.id
LEFT JOIN named ON named.source_id = item.id
LEFT JOIN cost ON cost.source_id = item.id
WHERE item.kind = 'source'
  AND (item.state = 'active' OR cohort.customers > 0 OR named.customers > 0 OR cost.source_id IS NOT NULL)
ORDER BY item.name_folded, item.id
"""
"""A disabled source stands in the report of a period in which it cost or brought something."""


async def list_costs(
    session: Session, actor: Actor, source_id: UUID, limit: int, after: list[Any] | None, total: bool
) -> ListPage:
    """A page of a source's entries, the latest period first. Raises Forbidden, NotFound."""
    require_figures(actor)
    found = await run(session, "SELECT 1 FROM classification_item WHERE id = $1 AND kind = 'source'", source_id)
    if found.first() is None:
        raise NotFound
    day, last_id = after or [None, None]
    row = (await run(session, _COSTS, source_id, limit, day, UUID(last_id) if last_id else None)).one()
    count = None
    if total:
        count = (await run(session, "SELECT count(*) FROM source_cost WHERE source_id = $1", source_id)).scalar_one()
    return ListPage(row["items"], [row.key, row.last_id] if (row.places or 0) > limit else None, count)


async def read_cost(session: Session, cost_id: UUID) -> str:
    """One entry as JSON text."""
    return (await run(session, f"SELECT ({COST})::text FROM source_cost WHERE id = $1", cost_id)).scalar_one()


async def effectiveness(session: Session, actor: Actor, first: date, last: date, currency: str) -> list[dict[str, Any]]:
    """Cost and yield of every source over days (inclusive), amounts of one currency. Raises Forbidden.

    `customers` were created in the period with that primary source; `closed` of them have ever reached
    Closed; `revenue` is what they have bought up to today.
    """
    require_figures(actor)
    return [_figures(row, currency) for row in await run(session, _EFFECTIVENESS, first, last, currency)]


def require_figures(actor: Actor) -> None:
    """Raises Forbidden for who may not know what sources cost and bring (R1)."""
    if not (actor.may(SETTINGS) or actor.may(VIEW_ALL)):
        raise Forbidden


def _figures(row: Any, currency: str) -> dict[str, Any]:
    def money(amount: int | None) -> dict[str, Any] | None:
        return {"amount": amount, "currency": currency} if amount is not None else None

    return {
        "source_id": row.source_id,
        "code": row.code,
        "name": row.name,
        "state": row.state,
        "customers": row.customers,
        "any_customers": row.any_customers,
        "closed": row.closed,
        "conversion": _ratio(row.closed, row.customers),
        "revenue": money(row.revenue),
        "planned": money(row.planned),
        "spent": money(row.spent),
        "cost_per_customer": money(_share(row.spent, row.customers)),
        "return_on_cost": _ratio(row.revenue, row.spent),
    }


def _ratio(part: int, whole: int) -> float | None:
    """A share, rounded to six places; None where there is nothing to divide by."""
    return round(part / whole, 6) if whole else None


def _share(amount: int, among: int) -> int | None:
    """Money for each of some, to the nearest unit; None for nobody."""
    return (2 * amount + among) // (2 * among) if among else None
