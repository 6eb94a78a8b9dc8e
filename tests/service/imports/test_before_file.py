"""What an import writes over, as a file that brings it back."""

import csv
import io

import pytest

from shared.contracts.customers import Address
from shared.envelope import new_id
from tests.service.imports.desk import Desk, csv_file
from tests.service.imports.test_previewing import group
from tests.support.records import customer, employee


async def test_old_values_can_be_downloaded_and_uploaded_again(desk: Desk) -> None:
    """M10, M5, M6: ids, changed cells alone, `#CLEAR` where nothing was, names with a comma in quotes."""
    lan = employee(new_id(), name="Lan", code="NV7")
    vip, new = group("Khách, VIP", "VIP"), group("Mới", "NEW")
    await desk.harness.deliver(lan)
    await desk.harness.deliver(vip, new)
    first = customer(
        code="K1",
        name="A",
        phones=("+84901000001",),
        group_ids=(vip.state.id, new.state.id),
        manager_id=desk.employee_id,
        address=Address(line="12 Lê Lợi", province="Huế"),
    )
    second = customer(code="K2", name="B", manager_id=desk.employee_id)
    await desk.harness.deliver(first, second)
    header = ("Mã KH", "SĐT", "Nhóm khách hàng", "Người phụ trách", "Địa chỉ", "Nghề nghiệp")
    job = await desk.preview(
        header, ("K1", "0901000002", "VIP", "NV7", "34 Lê Lai", ""), ("K2", "", "", "", "", "Y tá"), overwrite=True
    )
    path = f"/api/v1/imports/{job['id']}/before-file"
    answer = await desk.http.get(path, headers={"Accept-Language": "en"})
    assert "khach-hang-before.csv" in answer.headers["content-disposition"]
    records = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert records[0] == ["Customer ID", "Phone", "Occupation", "Address", "Customer Groups", "Responsible Person"]
    own = (await desk.harness.sql("SELECT code FROM employee WHERE id = $1", desk.employee_id))[0].code
    assert records[1] == [str(first.state.id), "0901000001", "", "12 Lê Lợi", '"Khách, VIP",Mới', own]
    assert records[2] == [str(second.state.id), "", "#CLEAR", "", "", ""]

    state = first.state.model_copy(
        update={
            "phones": ("+84901000002",),
            "group_ids": (vip.state.id,),
            "address": Address(line="34 Lê Lai", province="Huế"),
        }
    )
    other = second.state.model_copy(update={"occupation": "Y tá"})
    await desk.harness.deliver(
        first.model_copy(update={"version": 2, "state": state}),
        second.model_copy(update={"version": 2, "state": other}),
    )
    again = await desk.preview(*records, overwrite=True)
    rows = await desk.rows(again["id"])
    assert [row["outcome"] for row in rows] == ["update", "update"]
    assert rows[0]["changes"]["phones"]["new"] == ["+84901000001"]
    assert rows[0]["changes"]["address"]["new"] == "12 Lê Lợi"
    assert set(rows[0]["changes"]["groups"]["new"]) == {"Khách, VIP", "Mới"}
    assert rows[1]["changes"] == {"occupation": {"old": "Y tá", "new": None}}


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
async def test_an_old_text_that_says_clear_comes_back_as_a_text(desk: Desk, file_format: str) -> None:
    """M10, M5, M14: `#CLEAR` and '#CLEAR that an import wrote over are told from nothing at all."""
    old = customer(
        code="K1", manager_id=desk.employee_id, occupation="#CLEAR", website="'#CLEAR",
        address=Address(line="''#CLEAR", province="#CLEAR"),
    )  # fmt: skip
    await desk.harness.deliver(old)
    header = ("Mã KH", "Nghề nghiệp", "Website", "Mã số thuế", "Địa chỉ", "Tỉnh/Thành phố")
    job = await desk.preview(header, ("K1", "a", "b", "c", "d", "e"), overwrite=True)
    path = f"/api/v1/imports/{job['id']}/before-file"
    backup = (await desk.http.get(path, params={"format": file_format})).content
    written = old.state.model_copy(
        update={"occupation": "a", "website": "b", "tax_code": "c", "address": Address(line="d", province="e")}
    )
    await desk.harness.deliver(old.model_copy(update={"version": 2, "state": written}))
    again = (await desk.upload(backup, f"cu.{file_format}")).json()
    await desk.work()
    path = f"/api/v1/imports/{again['id']}"
    await desk.http.put(f"{path}/options", json={"overwrite": True})
    columns = (await desk.read(again["id"]))["mapping"]["columns"]
    assert (await desk.http.put(f"{path}/mapping", json={"columns": columns})).status_code == 200
    await desk.work()
    [row] = await desk.rows(again["id"])
    assert {field: change["new"] for field, change in row["changes"].items()} == {
        "occupation": "#CLEAR",
        "website": "'#CLEAR",
        "tax_code": None,
        "address": "''#CLEAR",
        "province": "#CLEAR",
    }


async def test_the_file_waits_for_a_preview_and_comes_as_it_was_uploaded_or_asked(desk: Desk) -> None:
    """API: 409 before there is anything to tell; .xlsx on choice."""
    job = (await desk.upload(csv_file(("Tên",), ("x",)))).json()
    assert (await desk.http.get(f"/api/v1/imports/{job['id']}/before-file")).json()["code"] == "wrong_state"
    job = await desk.preview(("Tên KH",), ("Lan",))
    answer = await desk.http.get(f"/api/v1/imports/{job['id']}/before-file", params={"format": "xlsx"})
    assert answer.content.startswith(b"PK")


async def test_a_referrer_whom_the_uploader_does_not_see_is_told_by_id_alone(desk: Desk) -> None:
    """A2: neither the preview nor the file of old values says the code of a hidden customer; its own ones do."""
    hidden, own = customer(code="BIMAT"), customer(code="CUATOI", manager_id=desk.employee_id)
    first, second = (
        customer(code=code, manager_id=desk.employee_id, referrer_customer_id=referrer.state.id)
        for code, referrer in (("K1", hidden), ("K2", own))
    )
    await desk.harness.deliver(hidden, own, first, second)
    job = await desk.preview(("Mã KH", "Người giới thiệu"), ("K1", "#CLEAR"), ("K2", "#CLEAR"), overwrite=True)
    olds = [row["changes"]["referrer"]["old"] for row in await desk.rows(job["id"])]
    assert olds == [str(hidden.state.id), "CUATOI"]
    answer = await desk.http.get(f"/api/v1/imports/{job['id']}/before-file")
    records = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [record[1] for record in records[1:]] == olds
