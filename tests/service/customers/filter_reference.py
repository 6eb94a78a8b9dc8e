"""What filters mean, in plain Python over `Known`: slow, obvious, and written without a look at the SQL."""

import re
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from services.customers.domain.customer import Customer
from services.customers.domain.filter_fields import FIELD_BY_NAME
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
    if name in ("total_revenue", "order_count"):
        return 0
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
