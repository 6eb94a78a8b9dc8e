"""Result files that are corrected and uploaded again."""

import csv
import io
from typing import Any

import pytest

from services.imports.spreadsheets.annotations import annotation_headers
from shared.contracts.imports import ImportUndoRequested
from tests.service.imports.desk import Desk
from tests.service.imports.test_undoing import taken_back
from tests.support.records import customer

HEADER = ("Tên khách hàng", "Email", "Nghề nghiệp")


async def records_of(desk: Desk, job: dict[str, Any], language: str = "vi") -> list[list[str]]:
    """The result file as a program reads it."""
    answer = await desk.http.get(f"/api/v1/imports/{job['id']}/result-file", headers={"Accept-Language": language})
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


async def imported(desk: Desk, *rows: tuple[str, str, str], **records: Any) -> list[list[str]]:
    """Rows that were confirmed and answered, the copy of the new customers there; answers the result file."""
    job = await desk.preview(HEADER, *rows)
    await desk.confirm(job["id"], skip_errors=True)
    await desk.answer_all()
    for row in await desk.rows(job["id"], outcome="created"):
        values = {field: change["new"] for field, change in row["changes"].items()}
        given = {"code": row["code"], "manager_id": desk.employee_id} | values | records
        await desk.harness.deliver(customer(row["customer_id"], **given))
    await desk.harness.forget_told()
    return await records_of(desk, job)


@pytest.mark.parametrize("overwrite", [False, True])
async def test_only_the_corrected_row_of_a_result_file_creates(desk: Desk, overwrite: bool) -> None:
    """M2, M9: rows that became customers are known by the id beside them, though they name nobody."""
    file = await imported(desk, ("Lan", "", ""), ("Minh", "xyz", ""), ("Hoa", "", "Y tá"))
    file[2][1] = "minh@example.vn"
    job = await desk.preview(*file, overwrite=overwrite)
    rows = await desk.rows(job["id"])
    assert [(row["outcome"], row["errors"]) for row in rows] == [("unchanged", []), ("create", []), ("unchanged", [])]
    await desk.confirm(job["id"])
    [chunk] = await desk.confirmed()
    assert [row.values["name"] for row in chunk.rows] == ["Minh"]
    await desk.answer(chunk)
    again = await records_of(desk, job, "en")
    assert again[0] == [*HEADER, *annotation_headers("en")]
    assert [record[5] for record in again[1:]] == [str(row["customer_id"]) for row in await desk.rows(job["id"])]


async def test_a_row_that_became_a_customer_changes_it_only_where_matches_are_overwritten(desk: Desk) -> None:
    """M4, M3: as by an id of one's own; twice in a file is twice, and whom nobody sees nobody is told of."""
    file = await imported(desk, ("Lan", "", ""), ("Minh", "", ""), occupation="Y tá")
    file[1][2] = "Bác sĩ"
    rows = [*file, ["Tám", *file[2][1:]], ["Hoa", "", "", "", "", "không phải ID", ""]]
    job = await desk.preview(*rows)
    errors = [{error["code"] for error in row["errors"]} for row in await desk.rows(job["id"])]
    assert errors == [{"already_exists"}, set(), {"duplicate_in_file"}, {"not_found"}]
    job = await desk.preview(*file, overwrite=True)
    assert [row["outcome"] for row in await desk.rows(job["id"])] == ["update", "unchanged"]
    stranger = await Desk(desk.harness).open()
    job = await stranger.preview(*file, overwrite=True)
    nobody = [{"field": "customer_id", "code": "not_found"}]
    assert [row["errors"] for row in await stranger.rows(job["id"])] == [nobody] * 2


async def test_a_row_that_failed_again_is_still_known_by_its_customer(desk: Desk) -> None:
    """M2: the id of an earlier result stays beside a row in error until it is corrected."""
    file = await imported(desk, ("Lan", "", ""))
    file[1][1] = "xyz"
    job = await desk.preview(*file, overwrite=True)
    assert job["counts"] == {"error": 1}
    again = await records_of(desk, job)
    assert again[1][5] == file[1][5]
    again[1][1] = "lan@example.vn"
    assert (await desk.preview(*again, overwrite=True))["counts"] == {"update": 1}


async def test_a_refused_row_is_not_bound_to_whom_it_met(desk: Desk) -> None:
    """M2, M3: a wrong code met somebody; corrected, it means another, or nobody yet."""
    await desk.harness.deliver(customer(code="K1", name="Lan", manager_id=desk.employee_id))
    job = await desk.preview(("Mã KH", "Tên khách hàng"), ("K1", "Minh"))
    file = await records_of(desk, job)
    assert (file[1][0], file[1][4]) == ("K1", "")
    file[1][0] = "K2"
    assert (await desk.preview(*file))["counts"] == {"create": 1}


async def test_rows_that_were_taken_back_can_be_created_again(desk: Desk) -> None:
    """M10, M9: the customer is gone, so the result file names nobody."""
    job = await desk.preview(HEADER, ("Lan", "", ""))
    await desk.confirm(job["id"])
    await desk.answer_all()
    await desk.http.post(f"/api/v1/imports/{job['id']}/undo")
    [event] = await desk.harness.told(ImportUndoRequested)
    await desk.harness.deliver(taken_back(event))
    assert (await desk.preview(*await records_of(desk, job)))["counts"] == {"create": 1}
