"""Which column of a sheet holds which field: proposed, chosen, saved and recognised again (M2, M7)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from services.imports.domain.fields import fields_of, writable
from shared.contracts.customer_fields import CustomerField
from shared.errors import FieldError, Invalid
from shared.folding import words


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the sheet (from 0) and the field it holds, if any."""

    index: int
    field: str | None


@dataclass(frozen=True, slots=True)
class ColumnWarning:
    """Something an uploader should know of a column: `system_field`, `unknown_header`, `duplicate_header`."""

    code: str
    index: int
    header: str


def require_valid(columns: Sequence[Column], width: int, kind: str) -> None:
    """Raises Invalid for a column outside the sheet, an unknown field, or a field or column named twice."""
    errors: list[FieldError] = []
    seen: set[Any] = set()
    for position, column in enumerate(columns):
        if not 0 <= column.index < width:
            errors.append(FieldError(f"/columns/{position}/index", "validation_failed", "no such column"))
        elif column.index in seen:
            errors.append(FieldError(f"/columns/{position}/index", "validation_failed", "named twice"))
        if column.field is not None and column.field not in fields_of(kind):
            errors.append(FieldError(f"/columns/{position}/field", "validation_failed", "no such field"))
        elif column.field is not None and column.field in seen:
            errors.append(FieldError(f"/columns/{position}/field", "validation_failed", "named twice"))
        seen |= {column.index, column.field} - {None}
    if errors:
        raise Invalid(errors=tuple(errors))


def mapping_value(header_row: int, columns: Sequence[Column]) -> dict[str, Any]:
    """A mapping as it is stored and answered."""
    return {"header_row": header_row, "columns": [asdict(column) for column in columns]}


def written_columns(mapping: Mapping[str, Any], kind: str) -> list[tuple[int, CustomerField]]:
    """The columns whose cells are read: mapped ones, without system fields (M7)."""
    pairs = ((column["index"], writable(column["field"], kind)) for column in mapping["columns"])
    return [(index, field) for index, field in pairs if field is not None]


def column_of(mapping: Mapping[str, Any], field: str, kind: str) -> int | None:
    """The place of the column that holds a field; None where no column does, or no file may write it."""
    if writable(field, kind) is None:
        return None
    return next((column["index"] for column in mapping["columns"] if column["field"] == field), None)


def chosen_warnings(
    proposed: Sequence[ColumnWarning], columns: Sequence[Column], header: Sequence[str], kind: str
) -> list[dict[str, Any]]:
    """What is still to be warned of after the uploader chose: fields that no file writes always (M7)."""
    mapped = {column.index for column in columns if writable(column.field, kind) is not None}
    warnings = {warning.index: warning for warning in proposed if warning.index not in mapped}
    for column in columns:
        if column.field is not None and writable(column.field, kind) is None:
            warnings[column.index] = ColumnWarning("system_field", column.index, header[column.index])
    return [asdict(warnings[index]) for index in sorted(warnings)]


def remembered(columns: Sequence[Column], header: Sequence[str]) -> list[dict[str, Any]]:
    """A mapping without places: by the headings, so that it fits the next file."""
    fields = {column.index: column.field for column in columns}
    return [{"header": heading, "field": fields.get(index)} for index, heading in enumerate(header) if heading]


def recognised(saved: Sequence[Mapping[str, Any]], header: Sequence[str]) -> list[Column] | None:
    """The columns of a saved mapping in this sheet, if its headings are exactly those that were saved."""
    places: dict[str, int] = {}
    for index, heading in enumerate(header):
        if heading and places.setdefault(_key(heading), index) != index:
            return None
    fields = {_key(entry["header"]): entry["field"] for entry in saved}
    if fields.keys() != places.keys():
        return None
    return [Column(index, fields[key]) for key, index in sorted(places.items(), key=lambda place: place[1])]


def learned(
    proposed: Sequence[Column],
    header: Sequence[str],
    earlier: Sequence[tuple[Sequence[str], Sequence[Mapping[str, Any]]]],
) -> list[Column]:
    """A proposal completed by what the uploader said of the same headings before, the latest first.

    A field that another column holds already is not given twice.
    """
    said: dict[str, str] = {}
    for headings, columns in earlier:
        for column in columns:
            if column["field"] is not None and column["index"] < len(headings):
                heading = str(headings[column["index"]])
                if heading:
                    said.setdefault(_key(heading), column["field"])
    taken = {column.field for column in proposed}
    result: list[Column] = []
    for column in proposed:
        field = column.field or said.get(_key(header[column.index]))
        if column.field is None and field is not None:
            field = None if field in taken else field
            taken.add(field)
        result.append(Column(column.index, field))
    return result


def _key(heading: str) -> str:
    return " ".join(words(heading))
