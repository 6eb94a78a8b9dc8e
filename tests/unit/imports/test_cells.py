"""What the text of a cell means before anything is looked up."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.imports.domain.cells import CLEAR, Problem, ReadRow, read_row
from shared.contracts.customer_fields import BY_NAME, CUSTOMER_FIELDS
from shared.spreadsheets import clean_text, guard_clear


def read(field: str, text: str) -> ReadRow:
    """One cell below one column."""
    return read_row(2, [text], [(0, BY_NAME[field])])


@pytest.mark.parametrize(
    ("field", "text", "meaning"),
    [
        ("name", "  Nguyễn Thị Lan ", "Nguyễn Thị Lan"),
        ("code", "kh-01", "KH-01"),
        ("phones", "0901 234 567; +84 912.345.678 / 901234567", ["+84901234567", "+84912345678"]),
        ("emails", "Lan@Example.VN, minh@example.vn", ["lan@example.vn", "minh@example.vn"]),
        ("birth_date", "25/3/1990", "1990-03-25"),
        ("birth_date", "1990-03-25", "1990-03-25"),
        ("birth_date", "1990-03-25 00:00:00", "1990-03-25"),
        ("gender", "NỮ", "female"),
        ("type", "Doanh nghiệp", "company"),
        ("groups", 'VIP, "Xuất, nhập khẩu", VIP', ["VIP", "Xuất, nhập khẩu"]),
        ("manager", "NV007", "NV007"),
    ],
)
def test_cells_are_read_as_people_write_them(field: str, text: str, meaning: Any) -> None:
    """C1, C2, M6: codes in upper case, phones as E.164, days in Vietnamese order, options between commas."""
    row = read(field, text)
    assert row.problems == []
    assert row.given == {field: meaning}


@pytest.mark.parametrize(
    ("field", "text", "code"),
    [
        ("phones", "không có", "validation_failed"),
        ("phones", ", ".join(f"09012345{i:02}" for i in range(11)), "validation_failed"),
        ("emails", "lan@", "validation_failed"),
        ("code", "mã số 1", "validation_failed"),
        ("code", "A" * 33, "validation_failed"),
        ("name", "x" * 501, "validation_failed"),
        ("description", "x" * 10_001, "validation_failed"),
        ("birth_date", "31/2/1990", "validation_failed"),
        ("birth_date", "32874", "validation_failed"),
        ("gender", "?", "unknown_option"),
        ("customer_id", "17", "not_found"),
        ("groups", ",,", "validation_failed"),
    ],
)
def test_cells_that_make_no_sense_are_problems_of_their_column(field: str, text: str, code: str) -> None:
    """C1, C2: nothing half understood is taken."""
    row = read(field, text)
    assert row.given == {}
    assert row.problems == [Problem(field, code)]


def test_an_empty_cell_says_nothing_and_clear_empties() -> None:
    """M5: empty is no word, `#CLEAR` is one."""
    assert read("occupation", "   ").given == {}
    assert read("occupation", "#CLEAR").given == {"occupation": CLEAR}
    assert read("code", "#CLEAR").problems == [Problem("code", "required")]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("#CLEAR", "'#CLEAR"),
        ("'#CLEAR", "''#CLEAR"),
        ("  #CLEAR\n", "'#CLEAR"),
        ("#CL\x01EAR", "'#CLEAR"),
        ("#clear", "#clear"),
        ("#CLEAR!", "#CLEAR!"),
        ("'", "'"),
    ],
)
def test_a_text_that_would_empty_its_field_is_written_as_a_text(text: str, cell: str) -> None:
    """M14, M5: exactly what reading takes for `#CLEAR`, however many ' stand before it, gets one more."""
    assert guard_clear(text) == cell
    assert read("occupation", cell).given == {"occupation": clean_text(text).strip()}
    assert read("groups", cell).given == {"groups": [clean_text(text).strip()]}


def test_a_short_row_has_empty_cells() -> None:
    """A row may end before the last mapped column."""
    assert read_row(2, [], [(3, BY_NAME["name"])]).given == {}


@given(st.lists(st.text(max_size=40), min_size=len(CUSTOMER_FIELDS), max_size=len(CUSTOMER_FIELDS)))
def test_whatever_cells_hold_a_row_is_read(cells: list[str]) -> None:
    """No text ends the reading: every cell is understood, empty or a problem."""
    row = read_row(2, cells, list(enumerate(CUSTOMER_FIELDS)))
    told = set(row.given) | {problem.field for problem in row.problems}
    assert told == {field.field for field, cell in zip(CUSTOMER_FIELDS, cells, strict=True) if cell.strip()}
