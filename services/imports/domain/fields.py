"""Which column of a file writes which value of a customer, and what a file may leave empty.

A file calls things as people do (`groups`, `manager`); `customers` and its events call them as the
record does (`group_ids`, `manager_id`). This module is the only dictionary between the two.
"""

from collections.abc import Mapping, Sequence

from shared.contracts.customer_fields import BY_NAME, CUSTOMER_FIELDS, CustomerField

KEYS = frozenset({"customer_id", "code"})
"""Columns that say which customer a row means (M3); they change nothing."""

CHOICES = {"groups": "group", "sources": "source", "sectors": "sector"}
"""Many-valued columns whose cells name options of a kind of classification (M6)."""

ADDRESS_PARTS = {"address": "line", "province": "province"}
"""Columns that write one part of the record's `address`."""

SECTOR_FIELDS: tuple[CustomerField, ...] = (
    CustomerField(
        "name",
        "Tên lĩnh vực",
        "Sector Name",
        required=True,
        headers=("Lĩnh vực", "Tên", "Ngành nghề", "Business Sector", "Sector", "Name"),
    ),
    CustomerField("code", "Mã lĩnh vực", "Sector Code", headers=("Mã", "Code")),
    CustomerField(
        "parent_code",
        "Mã lĩnh vực cha",
        "Parent Code",
        headers=("Mã cha", "Mã lĩnh vực cấp trên", "Parent Sector Code", "Parent"),
    ),
)
"""The columns of a file of sectors (G6)."""

_SECTORS = {field.field: field for field in SECTOR_FIELDS}

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


def catalogue_of(kind: str) -> Sequence[CustomerField]:
    """The columns that a file of this kind may have."""
    return SECTOR_FIELDS if kind == "sectors" else CUSTOMER_FIELDS


def fields_of(kind: str) -> Mapping[str, CustomerField]:
    """The columns that a file of this kind may have, by field."""
    return _SECTORS if kind == "sectors" else BY_NAME


def writable(field: str | None, kind: str) -> CustomerField | None:
    """The column of this name if a file may write it; None for system fields (M7) and no field."""
    found = fields_of(kind).get(field) if field is not None else None
    return None if found is None or found.system else found
