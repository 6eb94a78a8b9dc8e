"""The fields that filters, sorts and columns of lists know, stated once (P4): names, kinds, operators, labels.

How a field is compared in SQL is written in `queries/filter_columns.py`; a test holds the two together.
"""

from dataclasses import dataclass
from typing import Literal

from shared.contracts.customer_fields import BY_NAME

Kind = Literal[
    "words", "text", "phone", "email", "choice", "reference", "tree", "day", "instant", "integer", "money", "boolean"
]

OPERATORS: dict[Kind, tuple[str, ...]] = {
    "words": ("contains",),
    "text": ("eq", "ne", "in", "not_in", "contains", "starts_with", "is_empty"),
    "phone": ("eq", "ne", "in", "not_in", "contains", "starts_with", "is_empty"),
    "email": ("eq", "ne", "in", "not_in", "contains", "starts_with", "is_empty"),
    "choice": ("eq", "ne", "in", "not_in", "is_empty"),
    "reference": ("eq", "ne", "in", "not_in", "is_empty"),
    "tree": ("eq", "ne", "in", "not_in", "contains", "is_empty"),
    "day": ("eq", "ne", "gte", "lte", "between", "is_empty"),
    "instant": ("eq", "ne", "gte", "lte", "between", "is_empty"),
    "integer": ("eq", "ne", "in", "not_in", "gte", "lte", "between", "is_empty"),
    "money": ("eq", "ne", "gte", "lte", "between"),
    "boolean": ("eq", "ne"),
}
"""What may be asked of each kind. `tree` are values with a subtree: one of them stands for all below it, too."""

MANY_OPERATORS = ("contains",)
"""Beside the kind's own, for fields that hold many references: to contain one is to have it."""


@dataclass(frozen=True)
class FilterField:
    """One field. `picked` ones have a picklist at `/customers/values`; `many` ones hold a list."""

    name: str
    kind: Kind
    label_vi: str
    label_en: str
    many: bool = False
    choices: tuple[str, ...] = ()
    picked: bool = False
    sortable: bool = False
    column: bool = True

    @property
    def operators(self) -> tuple[str, ...]:
        """What may be asked of the field."""
        own = OPERATORS[self.kind]
        return (*own, *MANY_OPERATORS) if self.many and self.kind == "reference" else own

    @property
    def has_picklist(self) -> bool:
        """Whether its values can be listed."""
        return self.picked or bool(self.choices)

    def label(self, language: str) -> str:
        """What people call the field, in a language (`vi` or `en`)."""
        return self.label_en if language == "en" else self.label_vi


def _labelled(
    name: str,
    kind: Kind,
    file_field: str | None = None,
    *,
    many: bool = False,
    choices: tuple[str, ...] = (),
    picked: bool = False,
    sortable: bool = False,
) -> FilterField:
    """A field that files know, too: called the same in both."""
    known = BY_NAME[file_field or name]
    return FilterField(name, kind, known.label_vi, known.label_en, many, choices, picked, sortable)


_ADDRESS = (
    FilterField("address.line", "text", "Số nhà, đường", "Street", sortable=True, column=False),
    FilterField("address.ward", "text", "Phường/Xã", "Ward", picked=True, sortable=True, column=False),
    FilterField("address.district", "text", "Quận/Huyện", "District", picked=True, sortable=True, column=False),
    FilterField(
        "address.province", "text", BY_NAME["province"].label_vi, BY_NAME["province"].label_en, picked=True,
        sortable=True, column=False,
    ),
    FilterField("address.country", "text", "Quốc gia", "Country", picked=True, sortable=True, column=False),
)  # fmt: skip

FIELDS: tuple[FilterField, ...] = (
    FilterField("text", "words", "Tìm kiếm", "Search", column=False),
    _labelled("id", "reference", "customer_id"),
    _labelled("code", "text", sortable=True),
    _labelled("name", "text", sortable=True),
    _labelled("type", "choice", choices=("person", "company"), sortable=True),
    _labelled("phones", "phone", many=True, sortable=True),
    _labelled("emails", "email", many=True, sortable=True),
    _labelled("gender", "choice", choices=("male", "female", "other"), sortable=True),
    _labelled("birth_date", "day", sortable=True),
    _labelled("occupation", "text", picked=True, sortable=True),
    _labelled("income_band", "text", picked=True, sortable=True),
    _labelled("company_name", "text", picked=True, sortable=True),
    _labelled("tax_code", "text", sortable=True),
    _labelled("website", "text", sortable=True),
    *_ADDRESS,
    _labelled("description", "text"),
    _labelled("group_ids", "tree", "groups", many=True, picked=True),
    _labelled("source_ids", "reference", "sources", many=True, picked=True),
    FilterField("primary_source_id", "reference", "Nguồn chính", "Primary Source", picked=True, sortable=True),
    _labelled("sector_ids", "tree", "sectors", many=True, picked=True),
    _labelled("relationship_id", "reference", "relationship", picked=True, sortable=True),
    FilterField(
        "remembered_relationship_id", "reference", "Mối quan hệ được nhớ", "Remembered Relationship", picked=True,
        sortable=True,
    ),
    _labelled("referrer_customer_id", "reference", "referrer"),
    _labelled("manager_id", "reference", "manager", picked=True, sortable=True),
    FilterField("manager_set_at", "instant", "Ngày phân công", "Assigned At", sortable=True),
    FilterField("viewer_ids", "reference", "Người xem", "Viewers", many=True, picked=True),
    FilterField("unassigned", "boolean", "Chưa phân công", "Unassigned", column=False),
    FilterField("manager_inactive", "boolean", "Người phụ trách đã nghỉ", "Inactive Responsible Person", column=False),
    FilterField(
        "origin.kind", "choice", "Nguồn tạo", "Created Through",
        choices=("user", "import", "contact_sync", "automation", "api"), sortable=True, column=False,
    ),
    FilterField("origin.id", "text", "Mã nguồn tạo", "Created Through (ID)", sortable=True, column=False),
    _labelled("created_at", "instant", sortable=True),
    FilterField("created_by", "text", "Người tạo", "Created By", sortable=True),
    _labelled("updated_at", "instant", sortable=True),
    FilterField("first_closed_at", "instant", "Ngày chốt đầu tiên", "First Closed At", sortable=True),
    _labelled("interaction_count", "integer", sortable=True),
    _labelled("last_contact_at", "instant", sortable=True),
    FilterField("last_two_way_contact_at", "instant", "Liên hệ hai chiều cuối", "Last Two-way Contact", sortable=True),
    FilterField("days_left", "integer", "Số ngày còn lại", "Days Left", sortable=True),
    _labelled("total_revenue", "money", sortable=True),
    _labelled("order_count", "integer", sortable=True),
)  # fmt: skip

FIELD_BY_NAME = {field.name: field for field in FIELDS}
