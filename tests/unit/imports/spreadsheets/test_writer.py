"""Files for people: results beside their own columns, templates; never a formula in either."""

import csv
import io
from typing import Any

import openpyxl
import pytest

from services.imports.spreadsheets.annotations import Annotation
from services.imports.spreadsheets.header import propose_mapping
from services.imports.spreadsheets.limits import Limits
from services.imports.spreadsheets.reader import read_table
from services.imports.spreadsheets.writer import FileFormat, guard_formula, write_template
from shared.contracts.customer_fields import CUSTOMER_FIELDS
from tests.unit.imports.spreadsheets.written import write_result

FORMATS: list[FileFormat] = ["xlsx", "csv"]
HEADER = ["Tên khách hàng", "Số điện thoại", "Mô tả"]
ROWS = [
    (["Nguyễn Thị Lan", "0901234567", "=HYPERLINK(A1)"], Annotation("đã tạo", "", "0193-id", "KH000001")),
    (["Trần Minh", "+84 912 345 678", "'=quoted\nsecond line"], Annotation("lỗi", "Trùng số điện thoại")),
    (["", "901234567", "_x0041_ -1, https://example.vn"], Annotation("lỗi", "@thiếu tên")),
]


def worksheet(content: bytes, index: int = 0) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content)).worksheets[index]


@pytest.mark.parametrize("file_format", FORMATS)
async def test_a_result_gives_back_every_cell_as_it_was_sent(file_format: FileFormat):
    """M2, M14: correcting a result and uploading it again loses and adds nothing."""
    table = await read_table(write_result(HEADER, ROWS, "vi", file_format), f"result.{file_format}")
    assert [row.cells[:3] for row in table.rows] == [HEADER, *(cells for cells, _ in ROWS)]
    assert [row.cells[3:] for row in table.rows[1:]] == [annotation.cells for _, annotation in ROWS]


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("language", ["vi", "en"])
async def test_the_added_columns_map_to_nothing_and_are_replaced(file_format: FileFormat, language: str):
    """M2: the second result has four added columns, not eight; where it names nobody, whom the first named stays."""
    first = await read_table(write_result(HEADER, ROWS, language, file_format), f"a.{file_format}")
    mapping = propose_mapping(first, CUSTOMER_FIELDS)
    assert [column.field for column in mapping.columns] == ["name", "phones", "description", None, None, None, None]
    header, *rows = [row.cells for row in first.rows]
    second = await read_table(
        write_result(header, [(row, Annotation("ok")) for row in rows], "vi", file_format), f"a.{file_format}"
    )
    assert [len(row.cells) for row in second.rows] == [7] * 4
    assert second.rows[1].cells == ["Nguyễn Thị Lan", "0901234567", "=HYPERLINK(A1)", "ok", "", "0193-id", ""]


def test_no_cell_of_a_workbook_is_a_formula_a_link_or_a_number():
    """M14: texts are texts, nothing is put before them, and a phone keeps its 0."""
    sheet = worksheet(write_result(HEADER, ROWS, "vi", "xlsx"))
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr"}
    assert not any(cell.hyperlink for cell in cells)
    assert sheet["B2"].value == "0901234567"
    assert sheet["C2"].value == "=HYPERLINK(A1)"


def test_no_cell_of_a_text_begins_like_a_formula():
    """M14: = + - @, tab and CR get a ' in front, in added columns too; spreadsheets find UTF-8 by its mark."""
    content = write_result(["=h", "b"], [(["\tx", "-1"], Annotation("+ok", "@a", "\rb"))], "en", "csv")
    assert content.startswith(b"\xef\xbb\xbf")
    records = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert records[0][:2] == ["'=h", "b"]
    assert records[1] == ["'\tx", "'-1", "'+ok", "'@a", "'\rb", ""]


@pytest.mark.parametrize("text", ["=1", "'=1", "''=1", "'", "a=1", "", "+84", "'quoted'", "-", "@"])
async def test_guarding_and_reading_are_each_others_inverse(text: str):
    """M14: what a person wrote with a ' of their own comes back with it."""
    table = await read_table(f'a,b\n"{guard_formula(text)}",x'.encode(), "a.csv")
    assert table.rows[1].cells == [text, "x"]


def test_short_rows_and_overlong_texts_are_written():
    """A cell holds 32,767 characters; a longer text is cut there rather than dropped."""
    content = write_result(HEADER, [(["x" * 40_000], Annotation("ok"))], "vi", "xlsx")
    assert len(worksheet(content)["A2"].value) == Limits.text_characters


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("language", ["vi", "en"])
async def test_a_template_filled_in_is_recognised_whole(file_format: FileFormat, language: str):
    """M1: each column of our own template maps to its field; system fields are not offered."""
    table = await read_table(write_template(CUSTOMER_FIELDS, language, file_format), f"a.{file_format}")
    columns = propose_mapping(table, CUSTOMER_FIELDS).columns
    assert [column.field for column in columns] == [field.field for field in CUSTOMER_FIELDS if not field.system]
    name = next(field for field in CUSTOMER_FIELDS if field.field == "name")
    assert f"{name.label(language)} *" in table.rows[0].cells


def test_a_template_explains_itself_on_a_second_sheet():
    """M1, M5, M6: which columns are required, what #CLEAR does, how many rows fit."""
    sheet = worksheet(write_template(CUSTOMER_FIELDS, "en", "xlsx", Limits(data_rows=500)), 1)
    text = "\n".join(str(cell.value) for row in sheet.iter_rows() for cell in row if cell.value)
    assert sheet.title == "Instructions"
    assert "#CLEAR" in text
    assert "at most 500 rows" in text


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_same_content_gives_the_same_bytes(file_format: FileFormat):
    """A file can be compared and cached by its hash."""
    assert write_result(HEADER, ROWS, "vi", file_format) == write_result(HEADER, ROWS, "vi", file_format)
