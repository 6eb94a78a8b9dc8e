"""What filters mean, in plain Python over `Known`: slow, obvious, and written without a look at the SQL."""

import re
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from services.customers.domain.customer import Customer
from services.customers.domain.filter_fields import FIELD_BY_NAME
from shared.contracts.documents import DocumentLine, DocumentState
from shared.folding import fold, words
from shared.identity import MANAGE_CAMPAIGNS, VIEW_ALL, Actor
from tests.service.customers.filter_world import Known

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


def sees(actor: Actor, customer: Customer) -> bool:
    """A2."""
    return (
        VIEW_ALL in actor.permissions
        or customer.manager_id in actor.reach
        or actor.employee_id in {viewer.employee_id for viewer in customer.viewers}
    )


def holds(known: Known, actor: Actor, node: dict[str, Any], customer: Customer) -> bool:
    """Whether a filter finds a customer."""
    if "and" in node:
        return all(holds(known, actor, part, customer) for part in node["and"])
    if "or" in node:
        return any(holds(known, actor, part, customer) for part in node["or"])
    if "not" in node:
        return not holds(known, actor, node["not"], customer)
    if "opportunity" in node:
        return any(_is_meant(known, actor, node["opportunity"], one, customer) for one in known.opportunities)
    if "purchases" in node:
        return _purchased(known, node["purchases"], customer) is (node["purchases"].get("status") != "not_purchased")
    return _compare(known, node["field"], node["op"], node.get("value"), customer)


def _is_meant(known: Known, actor: Actor, node: dict[str, Any], one: dict[str, Any], customer: Customer) -> bool:
    campaign = next(c for c in known.campaigns if c["id"] == one["campaign_id"])
    me = str(actor.employee_id)
    relevant = me in campaign["manager_ids"] or me in campaign["relevant_ids"] or MANAGE_CAMPAIGNS in actor.permissions
    readable = campaign["state"] == "active" and (
        relevant or (me in campaign["staff_ids"] and one["owner_id"] == actor.employee_id)
    )
    return (
        readable
        and one["customer_id"] == customer.id
        and one["state"] != "removed"
        and node.get("campaign_id") in (None, str(one["campaign_id"]))
        and (not node.get("status_ids") or str(one["status_id"]) in node["status_ids"])
        and node.get("owner_id") in (None, str(one["owner_id"]))
    )


def chosen_orders(known: Known, node: dict[str, Any], customer: Customer) -> list[DocumentState]:
    """P2: the orders that a `purchases` node is about."""
    return [
        order
        for order in known.orders
        if order.customer_id == customer.id
        and order.status in ("confirmed", "completed")
        and (order.ordered_at is not None and order.ordered_at >= _first_moment(node.get("ordered_from", "2000-01-01")))
        and _until(order.ordered_at, node.get("ordered_to", "2100-01-01"))
        and node.get("order_type") in (None, order.order_type)
        and _in_span(order.total.amount, node.get("order_value"))
        and _chosen_lines(node, order)
    ]


def sums(node: dict[str, Any], orders: list[DocumentState]) -> tuple[int, int, int]:
    """P2: total value, number of orders and quantity of chosen lines; a return subtracts and is no order."""
    signs = [-1 if order.return_of else 1 for order in orders]
    total = sum(sign * order.total.amount for sign, order in zip(signs, orders, strict=True))
    quantity = sum(
        sign * line.quantity for sign, order in zip(signs, orders, strict=True) for line in _chosen_lines(node, order)
    )
    return total, signs.count(1), int(quantity)


def _purchased(known: Known, node: dict[str, Any], customer: Customer) -> bool:
    total, count, quantity = sums(node, chosen_orders(known, node, customer))
    return (
        count >= 1
        and _in_span(total, node.get("total_value"))
        and _in_span(count, node.get("order_count"))
        and _in_span(quantity, node.get("quantity"))
    )


def _chosen_lines(node: dict[str, Any], order: DocumentState) -> list[DocumentLine]:
    codes, groups = node.get("product_codes"), node.get("product_group_codes")
    return [
        line
        for line in order.lines
        if (not codes or line.product_code in codes) and (not groups or line.product_group_code in groups)
    ]


def _in_span(value: int, span: dict[str, int] | None) -> bool:
    bounds = span or {}
    return bounds.get("gte", value) <= value <= bounds.get("lte", value)


def value_of(known: Known, name: str, customer: Customer) -> Any:
    """A field as plain Python."""
    numbers = known.numbers[customer.id]
    if name in numbers:
        return numbers[name]
    if name.startswith("address."):
        return (customer.address or {}).get(name.removeprefix("address."))
    if name == "unassigned":
        return customer.manager_id is None
    if name == "manager_inactive":
        return customer.manager_id in known.inactive
    if name == "days_left":
        days = known.forget_after_days[customer.relationship_id]
        start = max(filter(None, (customer.clock_started_at, numbers["last_contact_at"])))
        today = datetime.now(ZONE).date()
        return None if days is None else days - (today - start.astimezone(ZONE).date()).days
    return getattr(customer, {"origin.kind": "origin_kind", "origin.id": "origin_id"}.get(name, name))


def _compare(known: Known, name: str, operator: str, value: Any, customer: Customer) -> bool:
    if name == "text":
        return _found_by_text(value, customer)
    if operator in ("ne", "not_in"):
        return not _compare(known, name, "eq" if operator == "ne" else "in", value, customer)
    stored = value_of(known, name, customer)
    if operator == "is_empty":
        return (stored in (None, "", [])) == (value is not False)
    if operator in ("gte", "lte", "between"):
        low, high = (value, None) if operator == "gte" else (None, value) if operator == "lte" else value
        return stored is not None and _within(stored, low, high)
    if FIELD_BY_NAME[name].kind in ("day", "instant", "money"):
        return stored is not None and _within(stored, value, value)
    if operator in ("contains", "starts_with") and FIELD_BY_NAME[name].kind not in ("tree", "reference"):
        return _has_piece(name, operator, value, stored)
    wanted = value if operator == "in" else [value]
    if FIELD_BY_NAME[name].kind == "tree":
        return bool(known.below(map(UUID, wanted)) & set(stored))
    plain = {_plain(name, one) for one in (stored if isinstance(stored, list) else [stored])}
    return bool(plain & {_plain(name, one) for one in wanted})


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if value is None or name in ("origin.id", "created_by"):
        return value
    as_compared = {"text": fold, "email": str.lower, "phone": lambda phone: "+84" + phone[-9:]}
    return as_compared.get(FIELD_BY_NAME[name].kind, lambda same: same)(value)


def _within(stored: Any, low: Any, high: Any) -> bool:
    low, high = (bound["amount"] if isinstance(bound, dict) else bound for bound in (low, high))
    if not isinstance(stored, datetime | date):
        return (low is None or stored >= low) and (high is None or stored <= high)
    if not isinstance(stored, datetime):
        return (low is None or str(stored) >= low) and (high is None or str(stored) <= high)
    return (low is None or stored >= _first_moment(low)) and (high is None or _until(stored, high))


def _first_moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if len(text) > 10 else moment.replace(tzinfo=ZONE)


def _until(stored: datetime, text: str) -> bool:
    if len(text) > 10:
        return stored <= datetime.fromisoformat(text)
    return stored < datetime.fromisoformat(text).replace(tzinfo=ZONE) + timedelta(days=1)


def _has_piece(name: str, operator: str, value: str, stored: Any) -> bool:
    kind = FIELD_BY_NAME[name].kind
    if kind == "phone":
        digits = re.sub(r"\D", "", value)
        piece = f"84{digits[1:]}" if digits.startswith("0") and len(digits) > 4 else digits.removeprefix("0")
        pieces = [phone.removeprefix("+") for phone in stored]
    else:
        piece = value.lower() if kind == "email" else fold(value)
        pieces = stored if kind == "email" else [fold(stored)] if stored is not None else []
    return any(piece in one if operator == "contains" else one.startswith(piece) for one in pieces)


def _found_by_text(text: str, customer: Customer) -> bool:
    if not text.strip():
        return True
    known = [*words(customer.name), *words(customer.code)]
    for one in (*customer.emails, *(customer.address or {}).values()):
        known += words(one or "")
    digits = re.sub(r"\D", "", text)
    if len(digits) >= 4 and not re.sub(r"[\d\s.+()-]", "", text):
        piece = f"84{digits[1:]}" if digits.startswith("0") and len(digits) > 4 else digits.removeprefix("0")
        if any(piece in phone for phone in customer.phones):
            return True
        if " " in text.strip():
            return False
    wanted = words(text)
    return bool(wanted) and all(any(have.startswith(word) for have in known) for word in wanted)
