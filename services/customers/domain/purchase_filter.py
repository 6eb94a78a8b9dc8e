"""The `purchases` node (P2): which orders count, and what they must come to together.

Status, days, type, products and the value of one order choose orders; totals, number and quantity are
taken over the chosen ones.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from services.customers.domain.filter_values import CURRENCY, amount, day, number, quantity, texts, wrong

_NAMES = (
    "status", "ordered_from", "ordered_to", "order_type", "product_codes", "product_group_codes", "order_value",
    "total_value", "order_count", "quantity", "currency",
)  # fmt: skip
_STATUSES = ("purchased", "not_purchased")
_TYPES = ("sales", "purchase")


@dataclass(frozen=True)
class Span:
    """From the lowest to the highest, both included; None is open."""

    lowest: int | Decimal | None = None
    highest: int | Decimal | None = None

    @property
    def open(self) -> bool:
        """Whether everything lies in it."""
        return self.lowest is None and self.highest is None


@dataclass(frozen=True)
class Purchases:
    """Customers by their purchased orders. `purchased` False: those of whom no purchased order meets the rest."""

    purchased: bool = True
    ordered_from: date | None = None
    ordered_to: date | None = None
    order_type: Literal["sales", "purchase"] | None = None
    product_codes: tuple[str, ...] = ()
    product_group_codes: tuple[str, ...] = ()
    order_value: Span = Span()
    total_value: Span = Span()
    order_count: Span = Span()
    quantity: Span = Span()


def purchases(raw: Any, pointer: str) -> Purchases:
    """A node as it was asked. Raises Invalid with a pointer."""
    if not isinstance(raw, dict):
        raise wrong(pointer, "validation_failed", "an object")
    for name in raw:
        if name not in _NAMES:
            raise wrong(f"{pointer}/{name[:200].replace('~', '~0').replace('/', '~1')}", "unknown_field")
    given = {name: value for name, value in raw.items() if value is not None}
    if given.get("currency", CURRENCY) != CURRENCY:
        raise wrong(f"{pointer}/currency", "validation_failed", f"amounts are compared in {CURRENCY}")
    order_type: Any = _one_of(given, "order_type", _TYPES, pointer)
    return Purchases(
        purchased=_one_of(given, "status", _STATUSES, pointer) != "not_purchased",
        ordered_from=_day(given, "ordered_from", pointer),
        ordered_to=_day(given, "ordered_to", pointer),
        order_type=order_type,
        product_codes=texts(given.get("product_codes", []), f"{pointer}/product_codes"),
        product_group_codes=texts(given.get("product_group_codes", []), f"{pointer}/product_group_codes"),
        order_value=_span(given, "order_value", pointer),
        total_value=_span(given, "total_value", pointer),
        order_count=_span(given, "order_count", pointer),
        quantity=_span(given, "quantity", pointer),
    )


def _day(given: dict[str, Any], name: str, pointer: str) -> date | None:
    return day(given[name], f"{pointer}/{name}") if name in given else None


def _one_of(given: dict[str, Any], name: str, choices: tuple[str, ...], pointer: str) -> str | None:
    value = given.get(name)
    if value is not None and value not in choices:
        raise wrong(f"{pointer}/{name}", "validation_failed", f"one of {', '.join(choices)}")
    return value


def _span(given: dict[str, Any], name: str, pointer: str) -> Span:
    """Lowest and highest as `gte` and `lte`; amounts may carry their currency."""
    raw, inner = given.get(name), f"{pointer}/{name}"
    if raw is None:
        return Span()
    if not isinstance(raw, dict):
        raise wrong(inner, "validation_failed", "an object with gte, lte or both")
    read = amount if name.endswith("_value") else quantity if name == "quantity" else number
    for bound in raw:
        if bound not in ("gte", "lte"):
            raise wrong(f"{inner}/{bound[:200]}", "unknown_operator", "one of gte, lte")
    bounds = {bound: read(value, f"{inner}/{bound}") for bound, value in raw.items() if value is not None}
    return Span(bounds.get("gte"), bounds.get("lte"))
