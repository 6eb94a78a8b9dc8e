"""How stored values are shown to people: old → new per changed cell, ids as names (M2).

The machine's form (record names, ids) is stored once; what people see is made from it when a page of
rows is read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.imports.domain.fields import ADDRESS_PARTS, CHOICES, file_name, record_name

APPENDABLE = frozenset(record_name(field) for field in CHOICES)
"""Names of the record whose values may be added to instead of replaced (M6)."""

NAMED = frozenset({*APPENDABLE, "relationship_id", "manager_id", "referrer_customer_id"})
"""Names of the record whose values are ids."""


@dataclass(frozen=True, slots=True)
class StoredRow:
    """The parts of a row that tell what it changes."""

    values: Mapping[str, Any]
    old: Mapping[str, Any]
    current: Mapping[str, Any]
    adds: bool
    new_options: Sequence[tuple[str, str]] = ()


def ids_in(rows: Iterable[StoredRow]) -> set[str]:
    """Every id that is to be shown by a name."""
    return {
        identifier
        for row in rows
        for part in (row.values, row.old, row.current)
        for name in NAMED & part.keys()
        for identifier in _listed(part[name])
    }


def changed_fields(values: Mapping[str, Any], old: Mapping[str, Any]) -> list[str]:
    """The columns of a file that a row changes."""
    fields = [file_name(name) or name for name in values if name != "address"]
    return [*fields, *_changed_address(values, old)] if "address" in values else fields


def shown_changes(row: StoredRow, names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """`{"name": {"old", "new"}}` by the file's names; a conflict adds `current` (M2)."""
    shown: dict[str, dict[str, Any]] = {}
    for name, value in row.values.items():
        if name == "address":
            continue
        old = row.old.get(name)
        new = [*(old or ()), *value] if row.adds and name in APPENDABLE else value
        change = {"old": _named(name, old, names), "new": _named(name, new, names)}
        if name in APPENDABLE:
            change["new"] += [created for field, created in row.new_options if field == name]
        if name in row.current:
            change["current"] = _named(name, row.current[name], names)
        shown[file_name(name) or name] = change
    if "address" in row.values:
        shown |= _address_changes(row)
    return shown


def _address_changes(row: StoredRow) -> dict[str, dict[str, Any]]:
    shown: dict[str, dict[str, Any]] = {}
    for field in _changed_address(row.values, row.old):
        part = ADDRESS_PARTS[field]
        shown[field] = {"old": _part(row.old, part), "new": _part(row.values, part)}
        if "address" in row.current:
            shown[field]["current"] = _part(row.current, part)
    return shown


def _changed_address(values: Mapping[str, Any], old: Mapping[str, Any]) -> list[str]:
    return [field for field, part in ADDRESS_PARTS.items() if _part(values, part) != _part(old, part)]


def _part(record: Mapping[str, Any], part: str) -> str | None:
    return (record.get("address") or {}).get(part)


def _named(name: str, value: Any, names: Mapping[str, str]) -> Any:
    if name not in NAMED or value is None:
        return value
    if isinstance(value, list):
        return [names.get(item, item) for item in value]
    return names.get(value, value)


def _listed(value: Any) -> Sequence[str]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)
