"""Finds what in a changed schema would break somebody: who reads what we write now with yesterday's
code, or yesterday's records read with today's.

Both are the case for our own events: records rest in topics, and two releases run side by side. For
reports that other people write only the second is: they may be given more freedom, never less.
Additions pass. A keyword that this check does not know counts as a break when it changes.
"""

from collections.abc import Iterable
from typing import Any

Schema = dict[str, Any]

ANYTHING = "anything"
BODY = "the body"

_SAYS_NOTHING = frozenset({"$schema", "$id", "$defs", "title", "description", "examples", "deprecated"})
_HANDLED = frozenset({"type", "properties", "required", "additionalProperties", "items", "enum", "const", "default"})
_TIGHTER_WHEN_GREATER = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems"})
_TIGHTER_WHEN_SMALLER = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems"})


def breaking_changes(old: Schema, new: Schema, *, written_elsewhere: bool = False) -> list[str]:
    """Every change from `old` to `new` that breaks somebody, each with its place; empty when there is none."""
    return _Comparison(old, new, written_elsewhere).compare(old, new, BODY)


class _Comparison:
    """Walks two schemas at once, each with definitions of its own."""

    def __init__(self, old: Schema, new: Schema, written_elsewhere: bool) -> None:
        self._old, self._new, self._written_elsewhere = old, new, written_elsewhere
        self._open: set[tuple[int, int]] = set()

    def compare(self, old: Schema, new: Schema, place: str) -> list[str]:
        """The breaks at one place and below."""
        alternatives, others = _alternatives(old, self._old), _alternatives(new, self._new)
        found: list[str] = []
        for one in alternatives:
            candidates = [other for other in others if self._continues(one, other)]
            if candidates:
                found += min((self._compare_one(one, other, place) for other in candidates), key=len)
            elif not any(_kind(other) == ANYTHING for other in others):
                found.append(f"{place}: can no longer be {_kind(one)}")
        known = {_kind(one) for one in alternatives}
        if not self._written_elsewhere and ANYTHING not in known:
            added = sorted({_kind(other) for other in others} - known)
            found += [f"{place}: can be {kind} now, which its readers do not expect" for kind in added]
        return found

    def _continues(self, old: Schema, new: Schema) -> bool:
        taken_as_well = self._written_elsewhere and (_kind(old), _kind(new)) == ("integer", "number")
        return _kind(old) == _kind(new) or taken_as_well

    def _compare_one(self, old: Schema, new: Schema, place: str) -> list[str]:
        pair = (id(old), id(new))
        if pair in self._open:
            return []  # a definition within itself: it is being compared already
        self._open.add(pair)
        try:
            return self._differences(old, new, place)
        finally:
            self._open.discard(pair)

    def _differences(self, old: Schema, new: Schema, place: str) -> list[str]:
        found = _values_lost(old, new, place)
        if "default" in old and "default" in new and old["default"] != new["default"]:
            found.append(f"{place}: left out, it means {new['default']!r} and not {old['default']!r} any more")
        for keyword in sorted((old.keys() | new.keys()) - _SAYS_NOTHING - _HANDLED):
            before, now = old.get(keyword), new.get(keyword)
            if before != now and _narrows(keyword, before, now):
                found.append(f"{place}: {keyword} was {before!r} and is {now!r}")
        if _kind(old) == "object":
            found += self._compare_objects(old, new, place)
        if _kind(old) == "array":
            found += self.compare(old.get("items", {}), new.get("items", {}), f"{place}[]")
        return found

    def _compare_objects(self, old: Schema, new: Schema, place: str) -> list[str]:
        inside = "" if place == BODY else f"{place}."
        before, now = old.get("properties", {}), new.get("properties", {})
        needed_before, needed_now = set(old.get("required", ())), set(new.get("required", ()))
        found = [f"{inside}{name}: was removed or renamed" for name in before if name not in now]
        found += [
            f"{inside}{name}: is required now, and older records lack it" for name in sorted(needed_now - needed_before)
        ]
        if not self._written_elsewhere:
            found += [
                f"{inside}{name}: may be missing now, and its readers count on it"
                for name in sorted((needed_before - needed_now) & now.keys())
            ]
        for name in before.keys() & now.keys():
            found += self.compare(before[name], now[name], f"{inside}{name}")
        return found + self.compare(_of_others(old), _of_others(new), f"{inside}*")


def _alternatives(schema: Schema, root: Schema) -> list[Schema]:
    """The plain schemas that a schema allows: references followed, unions and lists of types opened."""
    if "$ref" in schema:
        reached: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            reached = reached[step]
        return _alternatives(reached, root)
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return [plain for part in schema[union] for plain in _alternatives(part, root)]
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return [_only(schema, kind) for kind in kinds]
    return [schema]


def _only(schema: Schema, kind: str) -> Schema:
    if kind == "null":
        return {"type": "null"}
    values = {"enum": [value for value in schema["enum"] if value is not None]} if "enum" in schema else {}
    return {**schema, "type": kind, **values}


def _kind(schema: Schema) -> str:
    return schema.get("type", ANYTHING)


def _of_others(schema: Schema) -> Schema:
    """The schema of values whose names are not listed."""
    others = schema.get("additionalProperties", {})
    return others if isinstance(others, dict) else {}


def _values_lost(old: Schema, new: Schema, place: str) -> list[str]:
    before, now = _values(old), _values(new)
    if now is None:
        return []
    if before is None:
        return [f"{place}: takes only {', '.join(map(repr, now))} now"]
    return [f"{place}: no longer knows {value!r}" for value in before if value not in now]


def _values(schema: Schema) -> Iterable[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _narrows(keyword: str, before: Any, now: Any) -> bool:
    if keyword in _TIGHTER_WHEN_GREATER:
        return now is not None and (before is None or now > before)
    if keyword in _TIGHTER_WHEN_SMALLER:
        return now is not None and (before is None or now < before)
    return True
