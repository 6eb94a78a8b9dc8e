"""Reads the first sheet of a checked workbook as texts.

Dates become ISO days, whole numbers have no `.0`, formulas give their stored value, and of merged
cells only the top left one holds a value. A phone typed as a number comes without its leading 0, as
the file has it: putting it back is left to who knows that the column holds phones (M14).
"""

import io
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta

import python_calamine

from services.imports.spreadsheets.errors import hostile
from services.imports.spreadsheets.guard import check_workbook
from services.imports.spreadsheets.limits import Limits
from services.imports.spreadsheets.rows import NumberedRow, collect_rows
from shared.spreadsheets import clean_text

CellValue = str | float | int | bool | date | datetime | time | timedelta
MergedRange = tuple[tuple[int, int], tuple[int, int]]

# Doubles hold 15 digits for certain; more would show 0.1 + 0.2 as 0.30000000000000004.
_SIGNIFICANT_DIGITS = 15


def read_workbook(content: bytes, limits: Limits) -> list[NumberedRow]:
    """The filled rows of the first sheet. Raises UnreadableFile with any of its codes."""
    checked = check_workbook(content, limits)
    try:
        workbook = python_calamine.load_workbook(io.BytesIO(checked.content))
        sheet = workbook.get_sheet_by_index(checked.sheet_index)
        return collect_rows(_records(sheet), limits)
    except (python_calamine.CalamineError, OSError) as error:
        raise hostile(f"a damaged workbook: {type(error).__name__}") from error


def cell_text(value: CellValue) -> str:
    """A cell's value as a person would type it."""
    return _TEXTS[type(value)](value)


def _records(sheet: python_calamine.CalamineSheet) -> Iterator[NumberedRow]:
    start, end = sheet.start, sheet.end
    if start is None or end is None:
        return
    covered = _covered_cells(sheet.merged_cell_ranges or (), end)
    margin = [""] * start[1]  # the reader leaves out empty columns at the left, though not rows above
    for index, values in enumerate(sheet.iter_rows()):
        cells = margin + [cell_text(value) if value != "" else "" for value in values]
        for column in covered.get(index, ()):
            cells[column] = ""
        yield index + 1, cells


def _covered_cells(merged_ranges: Iterable[MergedRange], end: tuple[int, int]) -> dict[int, list[int]]:
    """The columns of each row that lie under a merged range, without its top left cell.

    Honest ranges do not overlap, so together they cover no more than the grid; many that cover the
    whole grid each would otherwise cost hours.
    """
    last_row, last_column = end
    most_covered = (last_row + 1) * (last_column + 1)
    covered: dict[int, list[int]] = {}
    covered_count = 0
    for (top, left), (bottom, right) in merged_ranges:
        rows = range(top, min(bottom, last_row) + 1)
        columns = range(left, min(right, last_column) + 1)
        covered_count += len(rows) * len(columns)
        if covered_count > most_covered:
            raise hostile("merged ranges that overlap")
        for row in rows:
            covered.setdefault(row, []).extend(column for column in columns if (row, column) != (top, left))
    return covered


def _number_text(value: float) -> str:
    if value.is_integer() and abs(value) < 10**_SIGNIFICANT_DIGITS:
        return str(int(value))
    text = format(value, f".{_SIGNIFICANT_DIGITS}g")
    if "e" not in text:
        return text
    from decimal import Decimal  # only the rare number of more than 15 digits pays for loading it

    return format(Decimal(text), "f")


def _instant_text(value: datetime) -> str:
    """The ISO day, with the time only where there is one; seconds are rounded, as doubles miss them."""
    rounded = (value + timedelta(microseconds=500_000)).replace(microsecond=0, tzinfo=None)
    return rounded.isoformat(" ") if rounded.time() != time() else rounded.date().isoformat()


def _duration_text(value: timedelta) -> str:
    seconds = round(value.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


_TEXTS: dict[type, Callable[..., str]] = {
    str: clean_text,
    float: _number_text,
    int: str,
    bool: lambda value: "TRUE" if value else "FALSE",
    date: date.isoformat,
    datetime: _instant_text,
    time: lambda value: value.isoformat(timespec="seconds"),
    timedelta: _duration_text,
}
