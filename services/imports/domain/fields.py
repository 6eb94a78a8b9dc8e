"""Which column of a file writes which value of a customer, and what a file may leave empty.

A file calls things as people do (`groups`, `manager`); `customers` and its events call them as the
record does (`group_ids`, `manager_id`). This module is the only dictionary between the two.
"""

from shared.contracts.customer_fields import BY_NAME, CUSTOMER_FIELDS, CustomerField

KEYS = frozenset({"customer_id", "code"})
"""Columns that say which customer a row means (M3); they change nothing."""

CHOICES = {"groups": "group", "sources": "source", "sectors": "sector"}
"""Many-valued columns whose cells name options of a kind of classification (M6)."""

ADDRESS_PARTS = {"address": "line", "province": "province"}
"""Columns that write one part of the record's `address`."""

_RECORD_NAMES = {
    "groups": "group_ids",
    "sources": "source_ids",
    "sectors": "sector_ids",
    "relationship": "relationship_id",
    "referrer": "referrer_customer_id",
    "manager": "manager_id",
    "province": "address",
}
_FILE_NAMES = {record: field for field, record in _RECORD_NAMES.items() if field != "province"} | {
    "id": "customer_id",
    "primary_source_id": "sources",
}

MANY_VALUED = frozenset(_RECORD_NAMES.get(field.field, field.field) for field in CUSTOMER_FIELDS if field.multiple)
"""Names of the record that hold lists; they are emptied with [] and compare without order."""

NOT_CLEARABLE = frozenset({"name", "type", "relationship"})
"""What every customer has: `#CLEAR` cannot empty it (M5)."""


def record_name(field: str) -> str:
    """What the record calls a column of a file."""
    return _RECORD_NAMES.get(field, field)


def file_name(name: str | None) -> str | None:
    """What a file calls a name of the record, also of one of its parts (`phones/0`, `address.line`)."""
    if name is None:
        return None
    first = name.strip("/").split("/")[0].split(".")[0]
    return _FILE_NAMES.get(first, first)


def writable(field: str | None) -> CustomerField | None:
    """The column of this name if a file may write it; None for system fields (M7) and no field."""
    found = BY_NAME.get(field) if field is not None else None
    return None if found is None or found.system else found
