"""Finds the header of a table and proposes which column holds which field (M2).

Headings compare without case, tones and punctuation, in Vietnamese and English alike. A proposal is
never more than that: people confirm or change it. The catalogue of fields is the caller's.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from services.imports.spreadsheets.annotations import is_annotation
from services.imports.spreadsheets.table import Row, Table
from shared.folding import words

ColumnWarning = Literal["duplicate_header", "system_field", "unknown_header"]

SEARCHED_ROWS = 10
"""Where a header is looked for."""

_REMARK = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_ALTERNATIVES = re.compile(r"[/|\n]| - ")
_NUMBERING = re.compile(r"\d+$")


class Field(Protocol):
    """What must be known of a field to recognise its column."""

    @property
    def field(self) -> str: ...

    @property
    def system(self) -> bool: ...

    @property
    def all_headers(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class ProposedColumn:
    """One column: its place (from 0), its heading as written, the field it seems to hold, if any.

    Warnings: `duplicate_header` (an earlier column holds the field already), `system_field` (M7: can
    not be written from a file), `unknown_header`. Columns we added to a result have no field and no
    warning, nor has a column without a heading.
    """

    index: int
    header: str
    field: str | None
    warning: ColumnWarning | None = None


@dataclass(frozen=True)
class ProposedMapping:
    """Where the header is, by the sheet's row number, and what its columns seem to be."""

    header_row: int
    columns: tuple[ProposedColumn, ...]


def propose_mapping(table: Table, catalogue: Sequence[Field], header_row: int | None = None) -> ProposedMapping:
    """The mapping as well as it can be guessed, for the header row given or else found.

    Raises LookupError when `header_row` is not the number of a filled row.
    """
    fields = _by_heading(catalogue)
    header = _find_header(table, fields) if header_row is None else _row_numbered(table, header_row)
    return ProposedMapping(header.number, tuple(_propose_columns(header.cells, fields)))


def _by_heading(catalogue: Sequence[Field]) -> dict[str, Field]:
    """Fields by folded heading; where two share one, the catalogue's order decides."""
    fields: dict[str, Field] = {}
    for field in catalogue:
        for heading in field.all_headers:
            fields.setdefault(_key(heading), field)
    return fields


def _find_header(table: Table, fields: dict[str, Field]) -> Row:
    """The row among the first that names most fields; failing that, the first with several cells."""
    first_rows = table.rows[:SEARCHED_ROWS]
    named = [len({field.field for cell in row.cells if (field := _match(cell, fields))}) for row in first_rows]
    if max(named):
        return first_rows[named.index(max(named))]
    wide = [row for row in first_rows if sum(1 for cell in row.cells if cell.strip()) > 1]
    return (wide or first_rows)[0]


def _row_numbered(table: Table, number: int) -> Row:
    for row in table.rows:
        if row.number == number:
            return row
    raise LookupError(f"row {number} is empty or not in the file")


def _propose_columns(cells: Sequence[str], fields: dict[str, Field]) -> Iterator[ProposedColumn]:
    taken: set[str] = set()
    for index, cell in enumerate(cells):
        header = cell.strip()
        if not header or is_annotation(header):
            yield ProposedColumn(index, header, None)
            continue
        field = _match(header, fields)
        if field is None:
            yield ProposedColumn(index, header, None, "unknown_header")
        elif field.field in taken:
            yield ProposedColumn(index, header, None, "duplicate_header")
        elif field.system:
            yield ProposedColumn(index, header, None, "system_field")
        else:
            taken.add(field.field)
            yield ProposedColumn(index, header, field.field)


def _match(header: str, fields: dict[str, Field]) -> Field | None:
    """As written; without remarks in brackets; either of two languages; without a number at the end."""
    if is_annotation(header):
        return None
    bare = _REMARK.sub(" ", header)
    for candidate in (header, bare, *_ALTERNATIVES.split(bare)):
        key = _key(candidate)
        field = fields.get(key) or fields.get(_NUMBERING.sub("", key))
        if key and field is not None:
            return field
    return None


def _key(heading: str) -> str:
    """`E-mail` and `Email`, `Tên KH (*)` and `ten kh` are one heading."""
    return "".join(words(heading))
