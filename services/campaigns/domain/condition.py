"""Conditions of automation rules: the filter's and/or/not over a customer's public state only (K5).

A condition is refused when the rule is written (`unsupported_condition`, `filter_too_large`), so that one that
was stored can always be asked. Groups and sectors stand for everything below them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from shared.errors import FieldError, Invalid
from shared.folding import fold

MAX_DEPTH = 5
MAX_NODES = 50
MAX_VALUES = 1_000

Node = dict[str, Any]
Subtrees = Mapping[UUID, frozenset[UUID]]
"""For a group or sector, itself and everything below it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a condition may ask of a customer."""

    type: str
    relationship_id: UUID
    group_ids: frozenset[UUID]
    source_ids: frozenset[UUID]
    primary_source_id: UUID | None
    sector_ids: frozenset[UUID]
    has_manager: bool
    province: str | None
    origin: str


Check = Callable[[Facts], bool]

_IDS, _MANY, _CHOICE, _FLAG, _TEXT = "id", "ids", "choice", "flag", "text"
_OPERATORS = {
    _IDS: {"eq", "ne", "in", "not_in", "is_empty"},
    _MANY: {"eq", "ne", "in", "not_in", "contains", "is_empty"},
    _CHOICE: {"eq", "ne", "in", "not_in"},
    _FLAG: {"eq", "ne"},
    _TEXT: {"eq", "ne", "in", "not_in", "contains", "starts_with", "is_empty"},
}
_LISTED = {"in", "not_in"}


@dataclass(frozen=True)
class _Field:
    kind: str
    read: Callable[[Facts], Any]
    tree: bool = False


_FIELDS = {
    "relationship_id": _Field(_IDS, lambda facts: facts.relationship_id),
    "primary_source_id": _Field(_IDS, lambda facts: facts.primary_source_id),
    "group_ids": _Field(_MANY, lambda facts: facts.group_ids, tree=True),
    "sector_ids": _Field(_MANY, lambda facts: facts.sector_ids, tree=True),
    "source_ids": _Field(_MANY, lambda facts: facts.source_ids),
    "has_manager": _Field(_FLAG, lambda facts: facts.has_manager),
    "unassigned": _Field(_FLAG, lambda facts: not facts.has_manager),
    "type": _Field(_CHOICE, lambda facts: facts.type),
    "origin.kind": _Field(_CHOICE, lambda facts: facts.origin),
    "address.province": _Field(_TEXT, lambda facts: facts.province),
}
_SHORT = {
    "relationship": "relationship_id",
    "groups": "group_ids",
    "sources": "source_ids",
    "sectors": "sector_ids",
    "origin": "origin.kind",
    "province": "address.province",
}
"""The words people use for the record's names."""


def require_supported(condition: Node | None) -> None:
    """Raises Invalid `unsupported_condition` or `filter_too_large`, with the pointer of what is wrong."""
    if condition is not None:
        _Reader({}).check(condition, "/condition", 1)


def trees_in(condition: Node | None) -> set[UUID]:
    """The groups and sectors a stored condition names: their subtrees are needed to ask it."""
    reader = _Reader({})
    if condition is not None:
        reader.check(condition, "/condition", 1)
    return reader.trees


def check_of(condition: Node | None, subtrees: Subtrees) -> Check:
    """A stored condition, ready to be asked; without one everything is met."""
    return _Reader(subtrees).check(condition, "/condition", 1) if condition is not None else lambda _: True


class _Reader:
    """Turns nodes into checks, and counts what it reads."""

    def __init__(self, subtrees: Subtrees) -> None:
        self._subtrees, self._nodes, self._values = subtrees, 0, 0
        self.trees: set[UUID] = set()

    def check(self, node: Any, pointer: str, depth: int) -> Check:
        """The check that a node means. Raises Invalid."""
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            raise _refused(pointer, "too deep or too many nodes", "filter_too_large")
        if not isinstance(node, dict):
            raise _refused(pointer, "not a node of a filter")
        if node.keys() == {"not"}:
            return partial(_none_of, self.check(node["not"], f"{pointer}/not", depth + 1))
        for word, met in (("and", all), ("or", any)):
            if node.keys() == {word}:
                parts = node[word]
                if not isinstance(parts, list) or not parts:
                    raise _refused(f"{pointer}/{word}", "a list of nodes")
                checks = [self.check(part, f"{pointer}/{word}/{i}", depth + 1) for i, part in enumerate(parts)]
                return partial(_combined, met, checks)
        if not node.keys() <= {"field", "op", "value"} or "field" not in node:
            raise _refused(pointer, "automation asks a customer's public state only")
        return self._leaf(node, pointer)

    def _leaf(self, node: Node, pointer: str) -> Check:
        name = node["field"]
        field = _FIELDS.get(_SHORT.get(name, name)) if isinstance(name, str) else None
        if field is None:
            raise _refused(f"{pointer}/field", "automation asks a customer's public state only")
        operator = node.get("op", "eq")
        if not isinstance(operator, str) or operator not in _OPERATORS[field.kind]:
            raise _refused(f"{pointer}/op", "not an operator of this field")
        if operator == "is_empty":
            wanted = node.get("value", True)
            if not isinstance(wanted, bool):
                raise _refused(f"{pointer}/value", "true or false", "validation_failed")
            return partial(_is_empty, field.read, wanted)
        values = self._read_values(field, operator, node.get("value"), f"{pointer}/value")
        met = partial(_MEETS.get((field.kind, operator), _any_of), field.read, values)
        return partial(_none_of, met) if operator in ("ne", "not_in") else met

    def _read_values(self, field: _Field, operator: str, value: Any, pointer: str) -> Any:
        listed = value if isinstance(value, list) else [value]
        if isinstance(value, list) is not (operator in _LISTED) and not (field.kind == _MANY and listed):
            raise _refused(pointer, "a list for in and not_in, else one value", "validation_failed")
        self._values += len(listed)
        if self._values > MAX_VALUES:
            raise _refused(pointer, "too many values", "filter_too_large")
        read = [_value(field.kind, one, pointer) for one in listed]
        if not field.tree:
            return frozenset(read)
        self.trees.update(read)
        return frozenset().union(*(self._subtrees.get(one, frozenset((one,))) for one in read))


def _value(kind: str, value: Any, pointer: str) -> Any:
    if kind == _FLAG and isinstance(value, bool):
        return value
    if isinstance(value, str) and kind != _FLAG:
        if kind not in (_IDS, _MANY):
            return fold(value) if kind == _TEXT else value
        try:
            return UUID(value)
        except ValueError:
            pass
    raise _refused(pointer, "not a value of this field", "validation_failed")


def _combined(met: Callable[[Iterable[bool]], bool], checks: list[Check], facts: Facts) -> bool:
    return met(check(facts) for check in checks)


def _none_of(check: Check, facts: Facts) -> bool:
    return not check(facts)


def _is_empty(read: Callable[[Facts], Any], wanted: bool, facts: Facts) -> bool:
    return (not read(facts)) is wanted


def _any_of(read: Callable[[Facts], Any], values: frozenset[Any], facts: Facts) -> bool:
    return read(facts) in values


def _shares_any(read: Callable[[Facts], Any], values: frozenset[UUID], facts: Facts) -> bool:
    return not values.isdisjoint(read(facts))


def _folded(read: Callable[[Facts], Any], values: frozenset[str], facts: Facts) -> bool:
    return fold(read(facts) or "") in values


def _contains(read: Callable[[Facts], Any], values: frozenset[str], facts: Facts) -> bool:
    text = fold(read(facts) or "")
    return any(value in text for value in values)


def _starts_with(read: Callable[[Facts], Any], values: frozenset[str], facts: Facts) -> bool:
    return fold(read(facts) or "").startswith(tuple(values))


_MEETS: dict[tuple[str, str], Callable[..., bool]] = {
    **{(_MANY, operator): _shares_any for operator in _OPERATORS[_MANY]},
    **{(_TEXT, operator): _folded for operator in ("eq", "ne", "in", "not_in")},
    (_TEXT, "contains"): _contains,
    (_TEXT, "starts_with"): _starts_with,
}


def _refused(pointer: str, detail: str, code: str = "unsupported_condition") -> Invalid:
    return Invalid(code, (FieldError(pointer, code, detail),))
