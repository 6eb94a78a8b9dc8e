"""No file that leaves imports holds a formula, whatever was uploaded or stands in a record; nothing is lost by that."""

import csv
import io
from typing import Any

import openpyxl
import pytest

from services.imports.spreadsheets.delimited import read_delimited
from services.imports.spreadsheets.limits import Limits
from services.imports.spreadsheets.workbook import read_workbook
from tests.service.imports.desk import Desk
from tests.support.records import customer

FORMATS = ["xlsx", "csv"]
STARTS = ("=", "+", "-", "@", "\t=", "\r=", "'=", "''+")
COMMAND = "cmd|'/C calc'!A0"
FIELDS = ("name", "occupation", "company_name", "tax_code", "website", "description", "address", "province")
NAME = "=1+1;x='@.csv"


def read(content: bytes, file_format: str) -> list[list[str]]:
    """The cells of a file, as an upload reads them."""
    reader = read_workbook if file_format == "xlsx" else read_delimited
    return [cells for _, cells in reader(content, Limits())]


def require_no_formula(content: bytes, file_format: str) -> None:
    """M14: an .xlsx has texts and numbers only, no cell of a .csv begins like a formula."""
    if file_format == "csv":
        records = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        assert [
            cell for record in records for cell in record if cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        ] == []
        return
    book = openpyxl.load_workbook(io.BytesIO(content))
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "n", "inlineStr"}
    assert [cell.hyperlink for cell in cells if cell.hyperlink is not None] == []
    assert list(book.defined_names) == []


@pytest.fixture
async def job(desk: Desk) -> dict[str, Any]:
    """An import of commands in every text column of every row, over records that hold commands as well."""
    old: dict[str, Any] = {name: f"={name}{COMMAND}" for name in FIELDS if name not in ("address", "province")}
    address = {"line": f"@{COMMAND}", "ward": None, "district": None, "province": f"-{COMMAND}", "country": None}
    codes = [f"K{number}" for number in range(len(STARTS))]
    await desk.harness.deliver(
        *(customer(code=code, manager_id=desk.employee_id, address=address, **old) for code in codes)
    )
    target = io.StringIO(newline="")
    writer = csv.writer(target, quoting=csv.QUOTE_ALL)
    writer.writerow(["code", *(f"={name}" for name in FIELDS), "@riêng"])
    for code, start in zip(codes, STARTS, strict=True):
        cells = [f"{start}{COMMAND}{name}" for name in (*FIELDS, "riêng")]
        writer.writerow(
            [code, *(f"'{cell}" if cell.lstrip("'") != cell or cell[0] in "=+-@\t\r" else cell for cell in cells)]
        )
    uploaded = (await desk.upload(target.getvalue().encode(), NAME)).json()
    await desk.work()
    path = f"/api/v1/imports/{uploaded['id']}"
    columns = [{"index": 0, "field": "code"}, *({"index": n, "field": name} for n, name in enumerate(FIELDS, start=1))]
    assert (await desk.http.put(f"{path}/options", json={"overwrite": True})).status_code == 200
    answer = await desk.http.put(f"{path}/mapping", json={"columns": columns, "header_row": 1})
    assert answer.status_code == 200, answer.text
    await desk.work()
    job = await desk.read(uploaded["id"])
    assert job["counts"] == {"update": len(STARTS)}
    return job


@pytest.mark.parametrize("file_format", FORMATS)
async def test_a_result_holds_no_formula_and_every_cell_as_it_was(
    desk: Desk, job: dict[str, Any], file_format: str
) -> None:
    """M14, M2: headings, cells of mapped and of unknown columns; corrected and sent again it says the same."""
    path = f"/api/v1/imports/{job['id']}/result-file"
    answer = await desk.http.get(path, params={"format": file_format})
    require_no_formula(answer.content, file_format)
    header, *rows = read(answer.content, file_format)
    assert header[:10] == ["code", *(f"={name}" for name in FIELDS), "@riêng"]
    starts = [start.replace("\r", "\n") for start in STARTS]
    expected = [[f"{start}{COMMAND}{name}" for name in (*FIELDS, "riêng")] for start in starts]
    assert [row[1:10] for row in rows] == expected
    disposition = answer.headers["content-disposition"]
    assert disposition == f"attachment; filename*=UTF-8''%3D1%2B1%3Bx%3D%27%40-result.{file_format}"


@pytest.mark.parametrize("file_format", FORMATS)
async def test_old_values_come_as_texts(desk: Desk, job: dict[str, Any], file_format: str) -> None:
    """M14, M10: the backup of overwritten cells gives back what the records held."""
    answer = await desk.http.get(f"/api/v1/imports/{job['id']}/before-file", params={"format": file_format})
    require_no_formula(answer.content, file_format)
    _, *rows = read(answer.content, file_format)
    assert len(rows) == len(STARTS)
    texts = {cell for row in rows for cell in row}
    assert {f"={name}{COMMAND}" for name in FIELDS[:6]} | {f"@{COMMAND}", f"-{COMMAND}"} <= texts


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("kind", ["customers", "sectors"])
async def test_templates_hold_no_formula(desk: Desk, kind: str, file_format: str) -> None:
    """M14, M1: in both languages, both sheets."""
    for language in ("vi", "en"):
        answer = await desk.http.get(
            "/api/v1/imports/template",
            params={"kind": kind, "format": file_format},
            headers={"Accept-Language": language},
        )
        require_no_formula(answer.content, file_format)
