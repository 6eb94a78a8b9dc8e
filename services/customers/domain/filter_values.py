"""Values of a filter as what they mean: ids, days, moments, numbers, texts in the form they are stored."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from services.customers.domain.filter_fields import FilterField, Kind
from shared.errors import FieldError, Invalid
from shared.fields import MAX_TEXT
from shared.folding import composed
from shared.phones import BadPhone, normalize

Value = UUID | str | int | bool | date | datetime | None

CURRENCY = "VND"
"""Amounts compare within one currency, and filters know this one."""

MAX_NUMBER = 2**53 - 1
"""The largest integer that every reader of JSON keeps exactly."""


def wrong(pointer: str, code: str, detail: str = "") -> Invalid:
    """The refusal of one part of a filter; its own code stands beside the pointer."""
    return Invalid(errors=(FieldError(pointer, code, detail),))


def one_value(field: FilterField, raw: Any, pointer: str, piece: bool = False) -> Value:
    """A value of a field; as a `piece` it is part of a text. Raises Invalid."""
    if piece:
        return _text(raw, pointer)
    return _READ[field.kind](raw, pointer) if not field.choices else _choice(field, raw, pointer)


def values_of(field: FilterField, raw: Any, pointer: str, single: bool) -> tuple[Value, ...]:
    """One value or a list of alternatives, repeated ones once. Raises Invalid."""
    if single:
        return (one_value(field, raw, pointer),)
    if not isinstance(raw, list):
        raise wrong(pointer, "validation_failed", "a list of values")
    return tuple(dict.fromkeys(one_value(field, one, f"{pointer}/{index}") for index, one in enumerate(raw)))


def span(field: FilterField, operator: str, raw: Any, pointer: str) -> tuple[Value, Value]:
    """The lowest and the highest value that `gte`, `lte` or `between` let through; None is open. Raises Invalid."""
    if operator != "between":
        value = one_value(field, raw, pointer)
        return (value, None) if operator == "gte" else (None, value)
    if not isinstance(raw, list) or len(raw) != 2:
        raise wrong(pointer, "validation_failed", "two values: lowest and highest")
    return one_value(field, raw[0], f"{pointer}/0"), one_value(field, raw[1], f"{pointer}/1")


def identifiers(raw: Any, pointer: str, spread: bool = True) -> tuple[UUID, ...]:
    """A list of ids; `spread` adds the place in the list to the pointer. Raises Invalid."""
    if not isinstance(raw, list):
        raise wrong(pointer, "validation_failed", "a list of ids")
    return tuple(dict.fromkeys(_id(one, f"{pointer}/{index}" if spread else pointer) for index, one in enumerate(raw)))


def texts(raw: Any, pointer: str) -> tuple[str, ...]:
    """A list of short texts. Raises Invalid."""
    if not isinstance(raw, list):
        raise wrong(pointer, "validation_failed", "a list of texts")
    return tuple(dict.fromkeys(_text(one, f"{pointer}/{index}") for index, one in enumerate(raw)))


def flag(raw: Any, pointer: str) -> bool:
    """True or false. Raises Invalid."""
    if not isinstance(raw, bool):
        raise wrong(pointer, "validation_failed", "true or false")
    return raw


def day(raw: Any, pointer: str) -> date:
    """A calendar day, `YYYY-MM-DD`. Raises Invalid."""
    try:
        if isinstance(raw, str) and len(raw) == len("YYYY-MM-DD") and raw.isascii() and raw[4] == raw[7] == "-":
            return date.fromisoformat(raw)
    except ValueError:
        pass
    raise wrong(pointer, "validation_failed", "a day is YYYY-MM-DD")


def number(raw: Any, pointer: str) -> int:
    """A whole number. Raises Invalid."""
    if isinstance(raw, bool) or not isinstance(raw, int) or abs(raw) > MAX_NUMBER:
        raise wrong(pointer, "validation_failed", "a whole number")
    return raw


def quantity(raw: Any, pointer: str) -> Decimal:
    """A number that may have decimals. Raises Invalid."""
    if isinstance(raw, float) and abs(raw) <= MAX_NUMBER:
        return Decimal(str(raw))
    return Decimal(number(raw, pointer))


def amount(raw: Any, pointer: str) -> int:
    """Money in the one currency of filters: its minor units, bare or with the currency. Raises Invalid."""
    if not isinstance(raw, dict):
        return number(raw, pointer)
    if set(raw) != {"amount", "currency"}:
        raise wrong(pointer, "validation_failed", "money is an amount and a currency")
    if raw["currency"] != CURRENCY:
        raise wrong(f"{pointer}/currency", "validation_failed", f"amounts are compared in {CURRENCY}")
    return number(raw["amount"], f"{pointer}/amount")


def _id(raw: Any, pointer: str) -> UUID:
    try:
        if isinstance(raw, str) and len(raw) == 36:
            return UUID(raw)
    except ValueError:
        pass
    raise wrong(pointer, "validation_failed", "an id")


def _moment(raw: Any, pointer: str) -> date | datetime:
    if isinstance(raw, str) and len(raw) > len("YYYY-MM-DD") and raw.isascii():
        try:
            moment = datetime.fromisoformat(raw)
            if moment.tzinfo is not None and raw[4:5] == "-":
                moment.astimezone()  # the first and last hours of time have no other zone
                return moment
        except (ValueError, OverflowError):
            pass
        raise wrong(pointer, "validation_failed", "a moment is RFC 3339 with its zone")
    return day(raw, pointer)


def _text(raw: Any, pointer: str) -> str:
    if not isinstance(raw, str) or len(raw) > MAX_TEXT:
        raise wrong(pointer, "validation_failed", f"a text of at most {MAX_TEXT} characters")
    return composed(raw)


def _phone(raw: Any, pointer: str) -> str:
    try:
        return normalize(_text(raw, pointer))
    except BadPhone:
        raise wrong(pointer, "validation_failed", "not a phone number") from None


def _email(raw: Any, pointer: str) -> str:
    return _text(raw, pointer).lower()


def _choice(field: FilterField, raw: Any, pointer: str) -> str:
    if raw not in field.choices:
        raise wrong(pointer, "validation_failed", f"one of {', '.join(field.choices)}")
    return str(raw)


_READ: dict[Kind, Callable[[Any, str], Value]] = {
    "words": _text,
    "text": _text,
    "phone": _phone,
    "email": _email,
    "choice": _text,
    "reference": _id,
    "tree": _id,
    "day": day,
    "instant": _moment,
    "integer": number,
    "money": amount,
    "boolean": flag,
}
