"""One import from upload to result, as its uploader lives it."""

from tests.service.imports.desk import Desk
from tests.support.records import customer

HEADER = ("Mã khách hàng", "Tên khách hàng", "Số điện thoại", "Tổng tương tác", "Ghi chú riêng")


async def test_a_file_goes_from_upload_to_result(desk: Desk) -> None:
    """M2: upload, mapping proposed, preview with old and new, confirm, outcomes, finished."""
    known = customer(code="KH000001", name="Công ty Á Châu", phones=("+84901234567",), manager_id=desk.employee_id)
    await desk.harness.deliver(known)

    job = await desk.upload_sheet(
        HEADER, ("KH000001", "Công ty Âu Châu", "", "7", "x"), ("", "Lê Văn Tám", "0912 345 678", "", "")
    )
    assert job["state"] == "awaiting_mapping"
    assert [column["field"] for column in job["mapping"]["columns"]] == ["code", "name", "phones", None, None]
    assert [warning["code"] for warning in job["warnings"]] == ["system_field", "unknown_header"]
    path = f"/api/v1/imports/{job['id']}"
    await desk.http.put(f"{path}/options", json={"overwrite": True})
    await desk.http.put(f"{path}/mapping", json=job["mapping"])
    await desk.work()

    job = await desk.read(job["id"])
    assert job["state"] == "ready"
    assert job["counts"] == {"update": 1, "create": 1}
    assert job["changed_columns"] == {"name": 1}
    updated, created = await desk.rows(job["id"])
    assert updated["row"] == 2
    assert updated["customer_id"] == str(known.state.id)
    assert updated["changes"] == {"name": {"old": "Công ty Á Châu", "new": "Công ty Âu Châu"}}
    assert created["outcome"] == "create"
    assert created["changes"]["phones"] == {"old": None, "new": ["+84912345678"]}

    assert await desk.confirmed() == []
    answer = await desk.confirm(job["id"])
    assert answer.status_code == 202
    assert answer.json()["state"] == "applying"
    [chunk] = await desk.confirmed()
    assert [row.values for row in chunk.rows] == [
        {"name": "Công ty Âu Châu"},
        {"name": "Lê Văn Tám", "phones": ["+84912345678"]},
    ]
    assert chunk.rows[0].old == {"name": "Công ty Á Châu"}
    assert chunk.actor.permissions == ("customers:import",)

    await desk.answer(chunk)
    job = await desk.read(job["id"])
    assert job["state"] == "finished"
    assert job["counts"] == {"updated": 1, "created": 1}
    assert (job["total"], job["done"], job["failed"]) == (2, 2, 0)
