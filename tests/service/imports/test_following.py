"""Following an import: its stream of events, and the files to take away."""

import asyncio
import csv
import io
import json

import openpyxl
import pytest

from shared.envelope import new_id
from tests.service.imports.desk import Desk, csv_file
from tests.support.records import customer


def events_in(text: str) -> list[dict[str, object]]:
    """The data of a stream's events."""
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


async def test_the_stream_tells_every_state_until_the_end(desk: Desk) -> None:
    """M2: progress as it happens; the stream ends with the import."""
    job = await desk.preview(("Tên khách hàng",), *((f"Khách {i}",) for i in range(101)))
    stream = asyncio.create_task(desk.http.get(f"/api/v1/imports/{job['id']}/events"))

    async def seen(seconds: float = 0.3) -> None:
        await asyncio.sleep(seconds)  # longer than the stream's own pace, which is slow while people think

    await seen()
    await desk.confirm(job["id"])
    await seen(1.3)
    for number in range(2):
        await desk.answer((await desk.confirmed())[number])
        await seen()
    answer = await asyncio.wait_for(stream, 10)
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events_in(answer.text)
    assert [(event["state"], event["done"]) for event in told] == [
        ("ready", 0),
        ("applying", 0),
        ("applying", 100),
        ("finished", 101),
    ]
    assert told[-1]["counts"] == {"created": 101}


async def test_the_stream_of_an_ended_import_says_so_once(desk: Desk) -> None:
    """A client that comes late is not left waiting."""
    job = await desk.upload_sheet(("Tên khách hàng",), ("Lan",))
    await desk.http.delete(f"/api/v1/imports/{job['id']}")
    answer = await desk.http.get(f"/api/v1/imports/{job['id']}/events")
    assert [event["state"] for event in events_in(answer.text)] == ["cancelled"]


async def test_a_stream_ends_when_the_process_stops(desk: Desk) -> None:
    """A rolling update does not wait for streams."""
    job = await desk.upload_sheet(("Tên khách hàng",), ("Lan",))
    stream = asyncio.create_task(desk.http.get(f"/api/v1/imports/{job['id']}/events"))
    await asyncio.sleep(0.3)
    desk.harness.app.state.wiring.stopping.set()
    answer = await asyncio.wait_for(stream, 2)
    assert [event["state"] for event in events_in(answer.text)] == ["awaiting_mapping"]


async def test_the_result_file_tells_what_became_of_each_row(desk: Desk) -> None:
    """M2: the uploader's own cells, the outcome and the reasons in their language."""
    lan = customer(code="KH000001", name="Lan", manager_id=desk.employee_id)
    await desk.harness.deliver(lan)
    job = await desk.preview(
        ("Mã KH", "Họ tên", "Email"), ("KH000001", "Lan Anh", ""), ("", "=1+1", "xyz"), overwrite=True
    )
    path = f"/api/v1/imports/{job['id']}/result-file"
    answer = await desk.http.get(path, headers={"Accept-Language": "en"})
    assert "khach-hang-result.csv" in answer.headers["content-disposition"]
    header, updated, wrong = csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")))
    assert header[:3] == ["Mã KH", "Họ tên", "Email"]
    assert updated == ["KH000001", "Lan Anh", "", "Will be updated", "", str(lan.state.id), "KH000001"]
    assert wrong == ["", "'=1+1", "xyz", "Error", "Email: The value is not valid.", "", ""]

    await desk.confirm(job["id"], skip_errors=True)
    await desk.answer(*await desk.confirmed())
    answer = await desk.http.get(path, params={"format": "xlsx"})
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).worksheets[0]
    assert [cell.value for cell in sheet[2]][3] == "Đã cập nhật"
    assert [cell.value for cell in sheet[3]][3:5] == ["Bỏ qua vì lỗi", "Email: Giá trị không hợp lệ."]


async def test_a_corrected_result_file_can_be_uploaded_again(desk: Desk) -> None:
    """M2: our own columns are not taken for the uploader's."""
    job = await desk.preview(("Tên khách hàng", "Email"), ("Lan", "xyz"))
    result = (await desk.http.get(f"/api/v1/imports/{job['id']}/result-file")).content
    again = (await desk.upload(result.replace(b"xyz", b"lan@example.vn"), "lai.csv")).json()
    await desk.work()
    again = await desk.read(again["id"])
    assert [column["field"] for column in again["mapping"]["columns"]] == ["name", "emails", *[None] * 4]
    assert again["warnings"] == []


@pytest.mark.parametrize("part", ["result-file", "mapping"])
async def test_files_and_mapping_wait_for_the_file_to_be_read(desk: Desk, part: str) -> None:
    """409 `wrong_state` before there is anything to show."""
    job = (await desk.upload(csv_file(("Tên",), (str(new_id()),)))).json()
    answer = await desk.http.get(f"/api/v1/imports/{job['id']}/{part}")
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
