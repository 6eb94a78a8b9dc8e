"""The `purchases` node in SQL (P2): orders are chosen one by one, sums are taken over the chosen ones.

An order counts when it is confirmed or completed. A return subtracts at its own time and is no order of its
own. The same choice gives the period's values beside the items of a list (P3).
"""

from typing import Literal

from services.customers.domain.filter_values import CURRENCY
from services.customers.domain.purchase_filter import Purchases, Span
from services.customers.queries.parameters import Parameters

_TOTAL = "coalesce(sum(d.value), 0)"
_COUNT = "count(*) FILTER (WHERE NOT d.is_return)"
_QUANTITY = "coalesce(sum(CASE WHEN d.is_return THEN -line.quantity ELSE line.quantity END), 0)"


Way = Literal["each", "prospects", "orders", "any"]
"""Where the orders are looked for: each customer's, those of customers who ever bought for so much, all of the time
asked for; `any` leaves it to the planner. It plans without the amounts when a statement comes often, and is then wrong
by a hundred times."""


def purchased(node: Purchases, parameters: Parameters, way: Way) -> str:
    """The condition on a row of `customer_search s`."""
    orders, enough = _orders(node, parameters), _enough(node, parameters)
    if way == "each":
        found = f"(SELECT {enough} FROM {orders} AND d.customer_id = s.customer_id)"
    elif way == "prospects" and least_value(node) > 0:
        found = (
            f"s.customer_id IN (SELECT p.customer_id FROM ({_prospects(node, parameters)} OFFSET 0) p"
            f" CROSS JOIN LATERAL (SELECT {enough} AS bought FROM {orders} AND d.customer_id = p.customer_id) o"
            " WHERE o.bought)"
        )
    else:
        if way == "any" and least_value(node) > 0:
            orders += f" AND d.customer_id IN ({_prospects(node, parameters)})"
        chosen = f"SELECT d.customer_id FROM {orders} GROUP BY d.customer_id HAVING {enough}"
        found = f"s.customer_id IN ({chosen})"
        if way == "orders":  # looked up in a hash of all who bought, while customers are read in order
            found = f"({found}) IS TRUE"
    return found if node.purchased else f"NOT {found}"


def least_value(node: Purchases) -> int:
    """For how much in all a customer must have bought at least, ever."""
    return int(max(node.total_value.lowest or 0, node.order_value.lowest or 0))


def newest_buyer(node: Purchases, parameters: Parameters) -> str | None:
    """A moment behind the creation of whoever bought in the period; None where it has no end."""
    if not node.purchased or node.ordered_to is None:
        return None
    end = parameters.add(node.ordered_to, "date")
    days = f"day <= (start_of({end} + 1) AT TIME ZONE 'UTC')::date"
    if node.ordered_from is not None:
        days += f" AND day >= (start_of({parameters.add(node.ordered_from, 'date')}) AT TIME ZONE 'UTC')::date"
    return f"(SELECT (max(newest_buyer_on) + 1)::timestamp AT TIME ZONE 'UTC' FROM order_day WHERE {days})"


def period(node: Purchases, parameters: Parameters) -> str:
    """What the chosen orders of customer `c` come to, as JSON text."""
    amount = f"coalesce(sum(d.value) FILTER (WHERE d.currency = '{CURRENCY}'), 0)"
    return (
        f"(SELECT json_build_object('total_value', json_build_object('amount', {amount}, 'currency', '{CURRENCY}'),"
        f" 'order_count', {_COUNT}, 'quantity', trim_scale({_QUANTITY}))::text"
        f" FROM {_orders(node, parameters, lines=True)} AND d.customer_id = c.id)"
    )


def _orders(node: Purchases, parameters: Parameters, lines: bool = False) -> str:
    """The orders that are chosen, beginning behind FROM; their chosen lines are added up where asked for."""
    conditions = ["d.purchased"]
    if node.ordered_from is not None:
        conditions.append(f"d.ordered_at >= start_of({parameters.add(node.ordered_from, 'date')})")
    if node.ordered_to is not None:
        conditions.append(f"d.ordered_at < start_of({parameters.add(node.ordered_to, 'date')} + 1)")
    if node.order_type is not None:
        conditions.append(f"d.order_type = {parameters.add(node.order_type, 'text')}")
    if not (node.order_value.open and node.total_value.open):
        conditions.append(f"d.currency = '{CURRENCY}'")
    conditions += _within("abs(d.value)", node.order_value, "bigint", parameters)
    chosen = _chosen_lines(node, parameters)
    if chosen:
        within = " AND ".join(["l.document_id = d.id", *chosen])
        conditions.append(f"EXISTS (SELECT FROM document_line l WHERE {within})")
    source = "document d"
    if lines or not node.quantity.open:
        within = " AND ".join(["l.document_id = d.id", *chosen])
        total = f"SELECT coalesce(sum(l.quantity), 0) AS quantity FROM document_line l WHERE {within}"
        source += f" CROSS JOIN LATERAL ({total}) line"
    return f"{source} WHERE {' AND '.join(conditions)}"


def _chosen_lines(node: Purchases, parameters: Parameters) -> list[str]:
    """Of an order those lines whose product, and whose product group, is asked for."""
    return [
        f"l.{column} = ANY({parameters.add(list(codes), 'text[]')})"
        for column, codes in (("product_code", node.product_codes), ("product_group_code", node.product_group_codes))
        if codes
    ]


def _enough(node: Purchases, parameters: Parameters) -> str:
    """Whether there is an order at all, and the sums over the chosen ones lie where they should."""
    conditions = [f"{_COUNT} >= 1", *_within(_COUNT, node.order_count, "bigint", parameters)]
    conditions += _within(_TOTAL, node.total_value, "bigint", parameters)
    conditions += _within(_QUANTITY, node.quantity, "numeric", parameters)
    return " AND ".join(conditions)


def _prospects(node: Purchases, parameters: Parameters) -> str:
    """Who never bought for so much in all cannot have done so in the chosen orders: few are left, at once."""
    value = parameters.add(least_value(node), "bigint")
    return f"SELECT customer_id FROM customer_contact WHERE purchased_value >= {value}"


def _within(expression: str, span: Span, kind: str, parameters: Parameters) -> list[str]:
    bounds = ((">=", span.lowest), ("<=", span.highest))
    return [f"{expression} {sign} {parameters.add(value, kind)}" for sign, value in bounds if value is not None]
