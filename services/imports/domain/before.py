"""Values as a file would write them: what an import wrote over, ready to be uploaded again (M10).

The inverse of `cells.py`: reading such a cell gives the value it was made from.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from services.imports.domain.changes import NAMED
from services.imports.domain.fields import ADDRESS_PARTS, CHOICES, record_name
from shared.contracts.customer_fields import CUSTOMER_FIELDS, CustomerField
from shared.phones import national
from shared.spreadsheets import CLEAR_TEXT, guard_clear


def changed_columns(changed: Iterable[Iterable[str]]) -> list[CustomerField]:
    """The columns that any row changed, in the catalogue's order."""
    named = {field for fields in changed for field in fields}
    return [field for field in CUSTOMER_FIELDS if field.field in named]


def upload_text(field: str, record: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    """The cell that gives a record this column's value; `#CLEAR` where it had none (M5).

    `texts` are what options, employees and customers may be called in a file, by id.
    """
    if field in ADDRESS_PARTS:
        part = (record.get("address") or {}).get(ADDRESS_PARTS[field])
        return guard_clear(part) if part else CLEAR_TEXT
    value = record.get(record_name(field))
    if value is None or value in ("", []):
        return CLEAR_TEXT
    return guard_clear(_text(field, value, texts))


def _text(field: str, value: Any, texts: Mapping[str, str]) -> str:
    if field == "phones":
        return ", ".join(national(phone) for phone in value)
    if field in CHOICES:
        return _listed(texts.get(item, item) for item in value)
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return texts.get(value, value) if record_name(field) in NAMED else str(value)


def _listed(names: Iterable[str]) -> str:
    """Names as a cell lists them: one that holds a comma or a quotation mark stands in quotes (M6)."""
    target = io.StringIO()
    csv.writer(target, lineterminator="").writerow(list(names))
    return target.getvalue()
