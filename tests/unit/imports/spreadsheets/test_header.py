"""The header is found and its columns recognised, in either language and however it is written."""

from dataclasses import dataclass

import pytest

from services.imports.spreadsheets.annotations import annotation_headers
from services.imports.spreadsheets.header import propose_mapping
from services.imports.spreadsheets.table import Row, Table
from shared.contracts.customer_fields import CUSTOMER_FIELDS


@dataclass(frozen=True)
class Sector:
    """A field of a catalogue that is not the customers'."""

    field: str
    all_headers: tuple[str, ...]
    system: bool = False


def table(*rows: list[str]) -> Table:
    return Table([Row(number, cells) for number, cells in enumerate(rows, start=1)])


def proposed(*headers: str) -> list[str | None]:
    """The fields proposed for a header row."""
    return [column.field for column in propose_mapping(table(list(headers)), CUSTOMER_FIELDS).columns]


def test_every_heading_of_the_catalogue_is_recognised():
    """M2: Vietnamese and English, with or without tones, in any case."""
    for field in CUSTOMER_FIELDS:
        for heading in field.all_headers:
            for written in (heading, heading.upper(), f" {heading} *"):
                [column] = propose_mapping(table([written]), CUSTOMER_FIELDS).columns
                assert (column.field, column.warning) == (
                    (None, "system_field") if field.system else (field.field, None)
                ), written


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("ten khach hang", "name"),
        ("TÊN KHÁCH HÀNG (bắt buộc)", "name"),
        ("Tên khách hàng / Customer Name", "name"),
        ("Tên khách hàng\nCustomer Name", "name"),
        ("Tỉnh/Thành phố", "province"),
        ("e-mail", "emails"),
        ("SĐT 1", "phones"),
        ("Số điện thoại:", "phones"),
        ("Ngày sinh [ngày/tháng/năm]", "birth_date"),
    ],
)
def test_headings_are_recognised_as_people_write_them(header: str, field: str):
    """M2: remarks, numbers and a second language do not hide a heading."""
    assert proposed(header) == [field]


def test_a_second_column_of_the_same_field_is_left_out_with_a_warning():
    """M2: which of two columns counts is for people to say."""
    columns = propose_mapping(table(["SĐT", "Phone", "Tên KH", "SĐT 2"]), CUSTOMER_FIELDS).columns
    assert [(column.field, column.warning) for column in columns] == [
        ("phones", None),
        (None, "duplicate_header"),
        ("name", None),
        (None, "duplicate_header"),
    ]


def test_system_fields_and_strange_columns_are_left_out_with_a_warning():
    """M7: a total in a file is ignored, and that is said."""
    columns = propose_mapping(
        table(["Tên khách hàng", "Tổng tương tác", "Cung hoàng đạo", ""]), CUSTOMER_FIELDS
    ).columns
    assert [column.warning for column in columns] == [None, "system_field", "unknown_header", None]
    assert [column.field for column in columns] == ["name", None, None, None]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_columns_of_an_earlier_result_are_passed_over_silently(language: str):
    """M2: a corrected result file is an upload like any other."""
    columns = propose_mapping(table(["Name", *annotation_headers(language)]), CUSTOMER_FIELDS).columns
    assert [(column.field, column.warning) for column in columns[1:]] == [(None, None)] * 4


def test_the_header_is_found_below_titles():
    """M2: its number is the sheet's, and the rows below it are the data."""
    rows = [
        Row(1, ["DANH SÁCH KHÁCH HÀNG", "", ""]),
        Row(2, ["Ngày xuất: 01/11/2026", "", "Phone"]),
        Row(4, ["Tên khách hàng", "Số điện thoại", "Email"]),
        Row(5, ["Lan", "0901234567", "lan@example.vn"]),
        Row(7, ["Phone", "Email", "Name"]),
    ]
    mapping = propose_mapping(Table(rows), CUSTOMER_FIELDS)
    assert mapping.header_row == 4
    assert mapping.header_row == rows[2].number


def test_without_any_known_heading_the_first_row_of_several_cells_is_the_header():
    """M2: the mapping is then for people to make."""
    mapping = propose_mapping(table(["title", ""], ["foo", "bar"], ["1", "2"]), CUSTOMER_FIELDS)
    assert mapping.header_row == 2
    assert [column.warning for column in mapping.columns] == ["unknown_header"] * 2


def test_people_may_say_which_row_is_the_header():
    """M2: a proposal for their row; a row that is not there is a LookupError."""
    rows = table(["Name", "Phone"], ["Email", "Code"])
    assert [column.field for column in propose_mapping(rows, CUSTOMER_FIELDS, header_row=2).columns] == [
        "emails",
        "code",
    ]
    with pytest.raises(LookupError):
        propose_mapping(rows, CUSTOMER_FIELDS, header_row=3)


def test_any_catalogue_will_do():
    """G6: sectors have columns of their own."""
    catalogue = [Sector("name", ("Tên lĩnh vực",)), Sector("parent_code", ("Mã lĩnh vực cha",))]
    mapping = propose_mapping(table(["ma linh vuc cha", "Tên lĩnh vực"]), catalogue)
    assert [column.field for column in mapping.columns] == ["parent_code", "name"]
