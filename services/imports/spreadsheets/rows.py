"""From records of texts to the rows of a table: what counts as empty, how wide, and how many.

Both kinds of file end here, so that the same content gives the same table whether it came as .xlsx
or .csv. Runs in the child process.
"""

from collections.abc import Iterable

from services.imports.spreadsheets.errors import TOO_MANY_ROWS, UnreadableFile, hostile, unsupported
from services.imports.spreadsheets.limits import Limits

NumberedRow = tuple[int, list[str]]

_SHEET_ROWS = 1_048_576
"""No spreadsheet has more rows: blank lines without end would cost seconds."""


def collect_rows(records: Iterable[NumberedRow], limits: Limits) -> list[NumberedRow]:
    """The rows that hold something, each under its number in the sheet, all equally wide.

    A row of blanks is left out; numbers keep the gap. Raises UnreadableFile for `too_many_rows` and
    for rows, columns and texts beyond the limits, or when nothing at all is filled in.
    """
    rows: list[NumberedRow] = []
    most_rows = limits.data_rows + 1 + limits.heading_rows
    width = 0
    for number, cells in records:
        filled = _filled_width(cells)
        if not filled:
            if number > _SHEET_ROWS:
                raise hostile(f"more than {_SHEET_ROWS} rows, blank ones included")
            continue
        if len(rows) == most_rows:
            raise _too_many_rows(limits)
        if number > limits.row_index:
            raise hostile(f"a value lies below row {limits.row_index}")
        if filled > limits.columns:
            raise hostile(f"a row is wider than {limits.columns} columns")
        if any(len(cell) > limits.text_characters for cell in cells):
            raise hostile(f"a cell is longer than {limits.text_characters} characters")
        rows.append((number, cells[:filled]))
        width = max(width, filled)
    if not rows:
        raise unsupported("the file has no filled row")
    if len(rows) - 1 - _title_rows(rows[: limits.heading_rows + 1]) > limits.data_rows:
        raise _too_many_rows(limits)
    return [(number, cells + [""] * (width - len(cells))) for number, cells in rows]


def _filled_width(cells: list[str]) -> int:
    """The number of cells up to the last that holds more than blanks."""
    for index in range(len(cells) - 1, -1, -1):
        cell = cells[index]
        if cell and not cell.isspace():
            return index + 1
    return 0


def _title_rows(first_rows: list[NumberedRow]) -> int:
    """How many of the first rows hold one cell only, above a header of several: titles, not data."""
    for index, (_, cells) in enumerate(first_rows):
        if sum(1 for cell in cells if cell.strip()) > 1:
            return index
    return 0


def _too_many_rows(limits: Limits) -> UnreadableFile:
    return UnreadableFile(TOO_MANY_ROWS, f"more than {limits.data_rows} data rows")
