"""The filter language (P2, P4): an object of a request becomes a tree whose every part is known to be meaningful.

The same tree serves lists, views, exports, selections and assignment. What is wrong is named by its
JSON pointer. How a tree is answered, and within whose sight, is `queries/filters.py`'s.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

from services.customers.domain.filter_fields import FIELD_BY_NAME, FilterField
from services.customers.domain.filter_values import Value, flag, identifiers, one_value, span, values_of, wrong
from services.customers.domain.purchase_filter import Purchases, purchases
from services.customers.domain.search_text import toned_words
from shared.errors import FieldError, Invalid

MAX_DEPTH = 5
MAX_NODES = 50
MAX_VALUES = 1_000

TELLING = frozenset(
    {
        "text", "id", "code", "name", "company_name", "phones", "emails", "address.line", "website", "description",
        "tax_code", "referrer_customer_id",
    }
)  # fmt: skip
"""Fields whose values may name a person."""

Comparison = Literal["one_of", "within", "contains", "starts_with", "empty", "is", "words", "exact_words"]


@dataclass(frozen=True)
class All:
    """Every part must hold; without parts everything does."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Some:
    """One part must hold; without parts nothing does."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Not:
    """The part must not hold. What is unknown (an empty field) does not hold, so its negation does."""

    part: "Node"


@dataclass(frozen=True)
class Test:
    """One field compared: `values` are alternatives, or for `within` the lowest and highest (None: open)."""

    field: FilterField
    comparison: Comparison
    values: tuple[Value, ...] = ()


@dataclass(frozen=True)
class OpportunityTest:
    """The customer has an opportunity like this in a campaign that the asker may read (R3)."""

    campaign_id: UUID | None = None
    status_ids: tuple[UUID, ...] = ()
    owner_id: UUID | None = None


Node = All | Some | Not | Test | OpportunityTest | Purchases

EVERYTHING = All(())


class FilterTooLarge(Invalid):
    """Deeper than 5, more than 50 nodes or 1,000 values."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__("filter_too_large", (FieldError(pointer, "filter_too_large", detail),))


def parse_filter(raw: Any, pointer: str = "/filter") -> Node:
    """A filter as it was asked; None is everything. Raises Invalid with pointers, FilterTooLarge."""
    return EVERYTHING if raw is None else _Parser().node(raw, pointer, 1)


def named_campaigns(node: Node) -> set[UUID]:
    """The campaigns that a filter asks for: exporting needs a right to each (K6)."""
    return {one.campaign_id for one in leaves(node) if isinstance(one, OpportunityTest) and one.campaign_id is not None}


def the_purchases(node: Node) -> Purchases | None:
    """The one `purchases` node of a filter: its values stand beside the items of the list (P3)."""
    found = [one for one in leaves(node) if isinstance(one, Purchases)]
    return found[0] if len(found) == 1 else None


def without_values(raw: Any, names_somebody: Callable[[Any], bool]) -> Any:
    """A filter as it was asked, without the comparisons whose value names somebody; None when nothing is left (C8).

    Only fields that tell people apart are looked at: a province or an occupation names nobody.
    """
    if not isinstance(raw, dict):
        return raw
    for kind in ("and", "or"):
        if kind in raw:
            left = [kept for part in raw[kind] if (kept := without_values(part, names_somebody)) is not None]
            return {kind: left} if left or not raw[kind] else None
    if "not" in raw:
        inner = without_values(raw["not"], names_somebody)
        return None if inner is None else {"not": inner}
    return None if raw.get("field") in TELLING and names_somebody(raw.get("value")) else raw


def with_exact_tones(node: Node) -> Node | None:
    """The filter, where its texts have tone marks: with exactly these (P4). None where none of them has any.

    Texts below `or` and `not` stay as they are: they rank nothing.
    """
    if isinstance(node, All):
        parts = [with_exact_tones(part) for part in node.parts]
        if not any(parts):
            return None
        return All(tuple(exact or part for exact, part in zip(parts, node.parts, strict=True)))
    if isinstance(node, Test) and node.comparison == "words" and toned_words(str(node.values[0])):
        return replace(node, comparison="exact_words")
    return None


def leaves(node: Node) -> Iterator[Test | OpportunityTest | Purchases]:
    """Every comparison in a filter, however deep."""
    if isinstance(node, All | Some):
        for part in node.parts:
            yield from leaves(part)
    elif isinstance(node, Not):
        yield from leaves(node.part)
    else:
        yield node


@dataclass
class _Parser:
    nodes: int = 0
    values: int = 0

    def node(self, raw: Any, pointer: str, depth: int) -> Node:
        self.nodes += 1
        if depth > MAX_DEPTH:
            raise FilterTooLarge(pointer, f"deeper than {MAX_DEPTH} levels")
        if self.nodes > MAX_NODES:
            raise FilterTooLarge(pointer, f"more than {MAX_NODES} nodes")
        if not isinstance(raw, dict):
            raise wrong(pointer, "validation_failed", "a node is an object")
        if "field" in raw or "op" in raw:
            return self._test(raw, pointer)
        if len(raw) != 1:
            raise wrong(
                pointer, "validation_failed", "a node has one of: and, or, not, field with op, purchases, opportunity"
            )
        kind, content = next(iter(raw.items()))
        inner = f"{pointer}/{_escaped(kind)}"
        if kind in ("and", "or"):
            return (All if kind == "and" else Some)(self._parts(content, inner, depth))
        if kind == "not":
            return Not(self.node(content, inner, depth + 1))
        if kind == "opportunity":
            return self._opportunity(content, inner)
        if kind == "purchases":
            found = purchases(content, inner)
            self._count(len(found.product_codes) + len(found.product_group_codes), inner)
            return found
        raise wrong(inner, "unknown_field", "no kind of node")

    def _parts(self, content: Any, pointer: str, depth: int) -> tuple[Node, ...]:
        if not isinstance(content, list):
            raise wrong(pointer, "validation_failed", "a list of nodes")
        return tuple(self.node(part, f"{pointer}/{index}", depth + 1) for index, part in enumerate(content))

    def _test(self, raw: dict[str, Any], pointer: str) -> Node:
        _only(raw, ("field", "op", "value"), pointer)
        name, operator = raw.get("field"), raw.get("op")
        known = FIELD_BY_NAME.get(name) if isinstance(name, str) else None
        if known is None:
            raise wrong(f"{pointer}/field", "unknown_field", "no such field")
        if operator not in known.operators:
            raise wrong(f"{pointer}/op", "unknown_operator", f"one of {', '.join(known.operators)}")
        if "value" not in raw and operator != "is_empty":
            raise wrong(f"{pointer}/value", "required")
        return self._compared(known, operator, raw.get("value", True), f"{pointer}/value")

    def _compared(self, known: FilterField, operator: str, value: Any, pointer: str) -> Node:
        if operator == "is_empty":
            empty = Test(known, "empty")
            return empty if flag(value, pointer) else Not(empty)
        if known.kind in ("boolean", "words"):
            test = Test(known, "is" if known.kind == "boolean" else "words", (one_value(known, value, pointer),))
            return Not(test) if operator == "ne" else test
        if operator in ("gte", "lte", "between"):
            return Test(known, "within", span(known, operator, value, pointer))
        if operator in ("eq", "ne") and known.kind in ("day", "instant", "money"):
            exactly = one_value(known, value, pointer)
            test = Test(known, "within", (exactly, exactly))
        elif operator == "starts_with" or (operator == "contains" and known.kind in ("text", "phone", "email")):
            test = Test(known, operator, (one_value(known, value, pointer, piece=True),))
        else:
            listed = values_of(known, value, pointer, single=operator in ("eq", "ne", "contains"))
            self._count(len(listed), pointer)
            test = Test(known, "one_of", listed)
        return Not(test) if operator in ("ne", "not_in") else test

    def _opportunity(self, content: Any, pointer: str) -> OpportunityTest:
        _only(content, ("campaign_id", "status_ids", "owner_id"), pointer)
        statuses = identifiers(content.get("status_ids") or [], f"{pointer}/status_ids")
        self._count(len(statuses), f"{pointer}/status_ids")
        ids = {
            name: identifiers([content[name]], f"{pointer}/{name}", spread=False)[0]
            for name in ("campaign_id", "owner_id")
            if content.get(name) is not None
        }
        return OpportunityTest(ids.get("campaign_id"), statuses, ids.get("owner_id"))

    def _count(self, number: int, pointer: str) -> None:
        self.values += number
        if self.values > MAX_VALUES:
            raise FilterTooLarge(pointer, f"more than {MAX_VALUES} values")


def _only(raw: Any, names: tuple[str, ...], pointer: str) -> None:
    if not isinstance(raw, dict):
        raise wrong(pointer, "validation_failed", "an object")
    for name in raw:
        if name not in names:
            raise wrong(f"{pointer}/{_escaped(name)}", "unknown_field")


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")[:200]
