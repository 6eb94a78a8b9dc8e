"""The same rows give the same table, whichever program wrote them."""

import csv
import io
import unicodedata

import openpyxl
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from services.imports.spreadsheets.annotations import Annotation
from services.imports.spreadsheets.delimited import read_delimited
from services.imports.spreadsheets.limits import Limits
from services.imports.spreadsheets.reader import read_table
from services.imports.spreadsheets.workbook import read_workbook
from tests.unit.imports.spreadsheets.written import write_result

LIMITS = Limits()
ROWS = [
    ["Tên khách hàng", "Số điện thoại", "Ghi chú"],
    ["Nguyễn Thị Hồng Nhung", "0901234567", "gọi lại\nchiều mai"],
    ["", "", ""],
    ["Công ty TNHH Đại Phát", "+84 28 3822 1234", 'nói "vâng", rồi thôi; hết'],
    ["Lý Hải  ", "", "😀 =1+1"],
]


def by_openpyxl() -> bytes:
    book = openpyxl.Workbook()
    cells = book.active
    assert cells is not None
    for row in ROWS:
        cells.append([text or None for text in row])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def by_xlsxwriter() -> bytes:
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target)
    cells = book.add_worksheet("Khách hàng")
    for number, row in enumerate(ROWS):
        for column, text in enumerate(row):
            cells.write_string(number, column, text)
    book.close()
    return target.getvalue()


def by_hand(delimiter: str) -> str:
    return "\r\n".join(delimiter.join('"' + text.replace('"', '""') + '"' for text in row) for row in ROWS)


async def test_three_programs_one_table():
    """M1: shared strings, strings in place and delimited text hold the same rows under the same numbers."""
    expected = await read_table(by_openpyxl(), "a.xlsx")
    assert [row.number for row in expected.rows] == [1, 2, 4, 5]
    assert [row.cells for row in expected.rows] == [row for row in ROWS if any(row)]
    assert await read_table(by_xlsxwriter(), "b.xlsx") == expected
    for delimiter in ",;\t":
        for encoding in ("utf-8", "utf-8-sig", "utf-16"):
            assert await read_table(by_hand(delimiter).encode(encoding), "c.csv") == expected


# What the reader itself gives: composed, without control characters. Half of them start like formulas.
STARTS = ["", "'", "=", "'=", "''+", "-", "@", '"=', "'\"'-"]
TEXTS = st.builds(
    lambda *parts: unicodedata.normalize("NFC", "".join(parts)),
    st.sampled_from(STARTS),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=20),
    st.sampled_from(["", ";", "\t", "\n", ",", "x;\t", "|"]),
    st.sampled_from(STARTS),
    st.sampled_from(["", "1+1"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(TEXTS, min_size=3, max_size=3), min_size=1, max_size=6))
def test_whatever_is_written_is_read_back(rows: list[list[str]]):
    """M14: no text of a person is changed by writing and reading, in either kind of file."""
    annotated = [(row, Annotation("ok")) for row in rows]
    header = ["a", "b", "c"]
    from_workbook = read_workbook(write_result(header, annotated, "vi", "xlsx"), LIMITS)
    from_text = read_delimited(write_result(header, annotated, "vi", "csv"), LIMITS)
    assert from_workbook == from_text
    assert [cells[:3] for _, cells in from_text[1:]] == rows


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=3), st.sampled_from(",;|\t"))
def test_no_part_of_a_text_file_is_a_formula_whatever_a_spreadsheet_takes_for_the_separator(
    texts: list[str], delimiter: str
):
    """M14: quotes do not keep a cell together where it is split by a separator of other countries than the file's."""
    content = write_result(["a", "b", "c"], [(texts, Annotation("ok"))], "vi", "csv").decode("utf-8-sig")
    records = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)
    assert [cell for record in records for cell in record if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
