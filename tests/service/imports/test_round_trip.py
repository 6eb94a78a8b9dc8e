"""An exported file that went through somebody's program comes back: every cell as it was, edited ones as edited.

`samples/saved.xlsx` is our export of EXPORT, opened and saved by LibreOffice Calc 7.4.7.2; `samples/edited.xlsx`
the same after edits there: a formula, a number, a day and a truth value in place of texts.
"""

import csv
import io
from pathlib import Path
from typing import Any
from uuid import UUID

import openpyxl
import pytest
import xlsxwriter

from shared.contracts.customers import CustomerCreated
from shared.spreadsheets import guard_formula
from tests.service.imports.desk import Desk
from tests.support.records import customer

SAMPLES = Path(__file__).parent / "samples"
HEADER = (
    "ID khách hàng", "Mã khách hàng", "Loại khách hàng", "Tên khách hàng", "Số điện thoại", "Email", "Giới tính",
    "Ngày sinh", "Nghề nghiệp", "Mô tả", "Tổng tương tác",
)  # fmt: skip
ID = "0195c010-7a10-7c3e-9f21-5b6d8e4f000"
EXPORT = (
    (f"{ID}1", "KH000001", "person", "Nguyễn Thị Hồng Nhung", "0901234567, +12025550123", "a@b.vn", "female",
     "1990-03-25", "=1+1", 'hai\ndòng, "trích"', 3),
    (f"{ID}2", "KH000002", "Công ty", "Công ty TNHH Đại Phát", "", "c@d.vn", "", "", "+84 đường", "  thụt vào", 0),
    (f"{ID}3", "KH000003", "Cá nhân", "'x", "0281234567", "", "Nam", "", "007", "1e5", 12),
    (f"{ID}4", "KH000004", "Cá nhân", "TRUE", "0912345678", "", "Khác", "2001-12-01", "-5", "@cmd", 1),
)  # fmt: skip
COMPANY, GENDERS = "Công ty", {"female": "female", "Nam": "male", "Khác": "other"}


def record(desk: Desk, row: tuple[Any, ...]) -> CustomerCreated:
    """The customer of one row of the export."""
    customer_id, code, kind, name, phones, email, gender, birth_date, occupation, description, _ = row
    international = tuple(
        f"+84{phone[1:]}" if phone.startswith("0") else phone for phone in phones.split(", ") if phone
    )
    return customer(
        UUID(customer_id), code=code, type="company" if kind == COMPANY else "person", name=name, phones=international,
        emails=(email,) if email else (), gender=GENDERS.get(gender), birth_date=birth_date or None,
        occupation=occupation, description=description.strip(), manager_id=desk.employee_id,
    )  # fmt: skip


def by_openpyxl(content: bytes, edits: dict[str, Any]) -> bytes:
    """A workbook opened, edited and saved by that library."""
    book, target = openpyxl.load_workbook(io.BytesIO(content)), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    for place, value in edits.items():
        sheet[place] = value
    book.save(target)
    return target.getvalue()


def by_xlsxwriter() -> bytes:
    """The export as that library writes it with its defaults, texts given as texts."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        sheet = book.add_worksheet("Khách hàng")
        for number, row in enumerate((HEADER, *EXPORT)):
            for column, cell in enumerate(row):
                if isinstance(cell, str):
                    sheet.write_string(number, column, cell)
                else:
                    sheet.write_number(number, column, cell)
    return target.getvalue()


def by_hand(delimiter: str, encoding: str) -> bytes:
    """The export as a .csv."""
    target = io.StringIO(newline="")
    writer = csv.writer(target, delimiter=delimiter, lineterminator="\r\n")
    writer.writerows([guard_formula(str(cell)) for cell in row] for row in (HEADER, *EXPORT))
    return target.getvalue().encode(encoding)


def sample(name: str) -> bytes:
    """A file that LibreOffice wrote."""
    return (SAMPLES / name).read_bytes()


FILES = {
    "LibreOffice": lambda: ("a.xlsx", sample("saved.xlsx")),
    "openpyxl": lambda: ("a.xlsx", by_openpyxl(sample("saved.xlsx"), {})),
    "XlsxWriter": lambda: ("a.xlsx", by_xlsxwriter()),
    "by hand, with commas": lambda: ("a.csv", by_hand(",", "utf-8")),
    "by hand, with semicolons and a mark": lambda: ("a.csv", by_hand(";", "utf-8-sig")),
    "by hand, in UTF-16 with tabs": lambda: ("a.csv", by_hand("\t", "utf-16")),
}


async def previewed(desk: Desk, name: str, content: bytes) -> list[dict[str, Any]]:
    """The rows of the preview of a file that overwrites the four customers."""
    await desk.harness.deliver(*(record(desk, row) for row in EXPORT))
    uploaded = await desk.upload(content, name)
    await desk.work()
    job = await desk.read(uploaded.json()["id"])
    path = f"/api/v1/imports/{job['id']}"
    assert (await desk.http.put(f"{path}/options", json={"overwrite": True})).status_code == 200
    answer = await desk.http.put(f"{path}/mapping", json={"columns": job["mapping"]["columns"]})
    assert answer.status_code == 200, answer.text
    await desk.work()
    return await desk.rows(job["id"])


@pytest.mark.parametrize("program", FILES)
async def test_a_file_nobody_edited_changes_nothing_whichever_program_saved_it(desk: Desk, program: str) -> None:
    """M14: shared strings, texts in place, delimited texts: every row `unchanged`."""
    rows = await previewed(desk, *FILES[program]())
    assert [(row["row"], row["outcome"], row["errors"]) for row in rows] == [(n, "unchanged", []) for n in range(2, 6)]


async def test_cells_edited_in_a_spreadsheet_program_are_exactly_what_changes(desk: Desk) -> None:
    """M14, M5: a formula gives its value, a number its lost 0, a day its date; nothing else moves."""
    rows = await previewed(desk, "a.xlsx", sample("edited.xlsx"))
    assert [row["changes"] for row in rows] == [
        {},
        {"name": {"old": "Công ty TNHH Đại Phát", "new": "Công ty Âu Châu"}},
        {"phones": {"old": ["+84281234567"], "new": ["+84987654321"]}},
        {
            "birth_date": {"old": "2001-12-01", "new": "2001-12-02"},
            "occupation": {"old": "-5", "new": "TRUE"},
        },
    ]


async def test_cells_edited_by_a_program_are_exactly_what_changes(desk: Desk) -> None:
    """M14, M5: emptied cells say nothing, `#CLEAR` empties."""
    edits = {"D2": "Hồng Nhung", "F2": None, "I3": "#CLEAR", "J5": "@cmd\nhai dòng"}
    rows = await previewed(desk, "a.xlsx", by_openpyxl(sample("saved.xlsx"), edits))
    assert [row["changes"] for row in rows] == [
        {"name": {"old": "Nguyễn Thị Hồng Nhung", "new": "Hồng Nhung"}},
        {"occupation": {"old": "+84 đường", "new": None}},
        {},
        {"description": {"old": "@cmd", "new": "@cmd\nhai dòng"}},
    ]
