"""Cells of a workbook come as a person would type them, under the numbers the sheet shows."""

import io
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import openpyxl
import pytest
import xlsxwriter

from services.imports.spreadsheets.errors import UnreadableFile
from services.imports.spreadsheets.limits import Limits
from services.imports.spreadsheets.workbook import read_workbook
from tests.unit.imports.spreadsheets.workbook_builder import MAIN, build, row, sheet

LIMITS = Limits()


def saved(book: openpyxl.Workbook) -> bytes:
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def read_cell(value: Any, number_format: str | None = None) -> str:
    """What a single cell of this value is read as."""
    book = openpyxl.Workbook()
    cells = book.active
    assert cells is not None
    cells["A1"], cells["B1"] = "Name", "x"
    cells["A2"] = value
    if number_format:
        cells["A2"].number_format = number_format
    cells["B2"] = "x"
    return read_workbook(saved(book), LIMITS)[1][1][0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (date(1990, 3, 5), "1990-03-05"),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02 03:04:05"),
        (datetime(2026, 1, 2, 23, 59, 59, 999_999), "2026-01-03"),
        (time(7, 5), "07:05:00"),
        (timedelta(hours=27, minutes=3), "27:03:00"),
        (True, "TRUE"),
        (False, "FALSE"),
        (12.0, "12"),
        (0.1 + 0.2, "0.3"),
        (-1.5, "-1.5"),
        (1e20, "100000000000000000000"),
        (0.000001, "0.000001"),
    ],
)
def test_values_become_what_a_person_would_type(value: Any, text: str):
    """Days are ISO days, whole numbers have no point, no number has an exponent."""
    assert read_cell(value) == text


def test_a_phone_typed_as_a_number_keeps_its_digits():
    """M14: its leading 0 is lost in the file; the digits come whole, for the importer to complete."""
    assert read_cell(901234567) == "901234567"
    assert read_cell(84901234567) == "84901234567"
    assert read_cell(901234567, "0000000000") == "901234567"


def test_a_number_formatted_as_a_day_is_a_day():
    """Spreadsheets keep days as numbers; the format of the cell tells."""
    assert read_cell(33000, "dd/mm/yyyy") == "1990-05-07"
    assert read_cell(33000, "General") == "33000"


def test_formulas_give_their_stored_value_and_are_never_computed():
    """A formula without a stored value is an empty cell."""
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target)
    cells: Any = book.add_worksheet()  # its stub allows numbers only as a formula's stored value
    for index, text in enumerate(["Name", "Phone", "Sum", "Broken"]):
        cells.write_string(0, index, text)
    cells.write_formula(1, 0, '="La"&"n"', None, "Lan")
    cells.write_formula(1, 1, "=900000000+1234567", None, 901234567)
    cells.write_formula(1, 2, "=1/3", None, 1 / 3)
    cells.write_formula(1, 3, "=1/0", None, "#DIV/0!")
    book.close()
    assert read_workbook(target.getvalue(), LIMITS)[1] == (2, ["Lan", "901234567", "0.333333333333333", ""])
    without_value = build(
        sheet=sheet(row(1, "Name", "x") + '<row r="2"><c r="A2"><f>1+1</f></c><c r="B2"><v>1</v></c></row>')
    )
    assert read_workbook(without_value, LIMITS)[1] == (2, ["", "1"])


def test_merged_cells_hold_their_value_in_the_top_left_only():
    """What a program left under a merged range is not what people see."""
    merged = '<mergeCells><mergeCell ref="A2:B3"/></mergeCells>'
    rows = row(1, "Name", "Phone") + row(2, "Lan", "hidden") + row(3, "hidden", "hidden") + row(4, "Minh", "0912")
    assert read_workbook(build(sheet=sheet(rows, merged)), LIMITS) == [
        (1, ["Name", "Phone"]),
        (2, ["Lan", ""]),
        (4, ["Minh", "0912"]),
    ]


def test_a_title_merged_across_the_whole_sheet_is_read():
    """A range reaches far beyond the values when people merge entire rows."""
    rows = row(1, "Customers") + row(3, "Name", "Phone") + row(4, "Lan", "0901")
    merged = '<mergeCells><mergeCell ref="A1:XFD1"/></mergeCells>'
    assert read_workbook(build(sheet=sheet(rows, merged)), LIMITS)[0] == (1, ["Customers", ""])


def test_merged_ranges_on_top_of_each_other_are_hostile():
    """Each may cover the whole grid; together they would cost hours."""
    rows = row(1, "a", "b") + '<row r="9999"><c r="IV9999"><v>1</v></c></row>'
    merged = "<mergeCells>" + '<mergeCell ref="A1:IV9999"/>' * 20_000 + "</mergeCells>"
    with pytest.raises(UnreadableFile, match="hostile_file"):
        read_workbook(build(sheet=sheet(rows, merged)), LIMITS)


def test_empty_rows_are_left_out_and_numbers_kept():
    """The numbers are those in the margin of the sheet, also when rows, columns or both are empty."""
    book = openpyxl.Workbook()
    cells = book.active
    assert cells is not None
    cells["C3"], cells["D3"] = "Name", "Phone"
    cells["C5"], cells["D5"] = "Lan", "0901"
    cells["C6"] = "  "
    cells["D9"] = "0912"
    assert read_workbook(saved(book), LIMITS) == [
        (3, ["", "", "Name", "Phone"]),
        (5, ["", "", "Lan", "0901"]),
        (9, ["", "", "", "0912"]),
    ]


def test_texts_are_composed_and_free_of_control_characters():
    """Decomposed Vietnamese equals composed, and no NUL reaches a database that refuses it."""
    assert read_cell("Nguye\u0302\u0303n") == "Nguyễn"
    assert read_workbook(build(sheet=sheet(row(1, "a_x0000_b", "c"))), LIMITS) == [(1, ["ab", "c"])]
    assert read_cell("dòng 1\r\ndòng 2") == "dòng 1\ndòng 2"
    assert read_cell("=1+1".replace("=", "＝")) == "＝1+1"


def test_exactly_the_allowed_rows_pass_and_one_more_is_too_many():
    """M1: 2,000 data rows below the header, however many titles stand above it."""
    limits = replace(LIMITS, data_rows=20)
    title = row(1, "Customers of the year")

    def rows(count: int) -> str:
        return "".join(row(number, "Lan", "0901") for number in range(3, count + 3))

    header = row(2, "Name", "Phone")
    assert len(read_workbook(build(sheet=sheet(header + rows(20))), limits)) == 21
    assert len(read_workbook(build(sheet=sheet(title + header + rows(20))), limits)) == 22
    for above in ("", title):
        with pytest.raises(UnreadableFile, match="too_many_rows"):
            read_workbook(build(sheet=sheet(above + header + rows(21))), limits)


def test_two_thousand_and_one_rows_are_too_many():
    """M1: the default limit, exactly."""
    rows = [row(number, "Lan", "0901") for number in range(1, 2_003)]
    assert len(read_workbook(build(sheet=sheet("".join(rows[:2_001]))), LIMITS)) == 2_001
    with pytest.raises(UnreadableFile, match="too_many_rows"):
        read_workbook(build(sheet=sheet("".join(rows))), LIMITS)


def test_a_workbook_without_any_value_is_unsupported():
    """There is no table in it; the same holds for blanks."""
    for rows in ("", row(1, " ", "\t")):
        with pytest.raises(UnreadableFile, match="unsupported_file"):
            read_workbook(build(sheet=sheet(rows)), LIMITS)


def test_damage_behind_the_guard_is_hostile():
    """Well-formed markup can still be nonsense to the reader: a text that is not in the table of texts."""
    content = build(strings=f'<sst xmlns="{MAIN}"/>', sheet=sheet('<row r="1"><c r="A1" t="s"><v>7</v></c></row>'))
    with pytest.raises(UnreadableFile, match="hostile_file"):
        read_workbook(content, LIMITS)
