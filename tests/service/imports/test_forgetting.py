"""Copies that follow their topics, erased customers, and content that has served its time."""

import asyncio
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.imports.app import expire
from services.imports.commands.validation import judge_portion
from shared.contracts.customers import CustomerDeleted, CustomerErased, ErasedState
from shared.contracts.imports import RowError
from shared.contracts.work import ErasureCompleted
from shared.envelope import new_id
from tests.service.imports.desk import Desk, applied
from tests.support.records import BY_SYSTEM, customer, customer_state, employee

HEADER = ("Mã khách hàng", "Tên khách hàng")
SECRET_TABLES = ("customer", "customer_record", "import_row", "outbox", "revealed_phone")


def erasure(customer_id: UUID, version: int = 5) -> CustomerErased:
    """What `customers` says of somebody who is erased."""
    return CustomerErased(version=version, state=ErasedState(id=customer_id), cause=BY_SYSTEM)


async def traces(desk: Desk, *texts: str) -> list[tuple[str, str]]:
    """Where any of these texts is still held."""
    return [
        (table, text)
        for table in SECRET_TABLES
        for text in texts
        if await desk.harness.sql(f"SELECT 1 FROM {table} AS t WHERE t::text LIKE '%{text}%'")
    ]


async def test_an_older_record_never_replaces_a_newer_one(desk: Desk) -> None:
    """Copies follow versions, whatever order a topic is read in; equal versions repair."""
    lan = new_id()
    await desk.harness.deliver(customer(lan, version=3, name="Ba", code="K1", manager_id=desk.employee_id))
    await desk.harness.deliver(customer(lan, version=2, name="Hai", code="K1", manager_id=desk.employee_id))
    [row] = await desk.harness.sql("SELECT record->>'name' AS name, version FROM customer_record")
    assert tuple(row) == ("Ba", 3)
    await desk.harness.deliver(customer(lan, version=3, name="Ba sửa", code="K1", manager_id=desk.employee_id))
    job = await desk.preview(HEADER, ("K1", "Ba sửa"), overwrite=True)
    assert job["counts"] == {"unchanged": 1}


async def test_a_deleted_customer_is_not_found_and_its_phone_is_free(desk: Desk) -> None:
    """C4: uniqueness of phones counts live customers; codes stay taken (C1)."""
    gone = customer_state(code="K1", phones=("+84901234567",), state="deleted", manager_id=desk.employee_id)
    await desk.harness.deliver(CustomerDeleted(version=2, state=gone, cause=BY_SYSTEM))
    job = await desk.preview(("Mã KH", "Tên KH", "SĐT"), ("", "Lan", "0901234567"), ("K1", "Minh", ""))
    created, refused = await desk.rows(job["id"])
    assert created["outcome"] == "create"
    assert refused["errors"] == [{"field": "code", "code": "code_taken"}]


async def test_a_renamed_employee_is_found_by_the_new_name(desk: Desk) -> None:
    """M8: folded names follow the directory."""
    lan = new_id()
    await desk.harness.deliver(employee(lan, name="Trần Lan", code="NV1"))
    await desk.harness.deliver(employee(lan, version=2, name="Trần Ngọc Lan", code="NV1"))
    job = await desk.preview(("Tên KH", "Người phụ trách"), ("A", "tran ngoc lan"), ("B", "Trần Lan"))
    assert [row["outcome"] for row in await desk.rows(job["id"])] == ["create", "error"]


async def test_an_erased_customer_leaves_nothing_behind(desk: Desk) -> None:
    """C8: copy and rows are emptied (the file was, when it was read); other rows stay; confirmed by event."""
    lan = customer(code="K1", name="Lan Bí Mật", manager_id=desk.employee_id)
    await desk.harness.deliver(lan)
    done = await desk.preview(HEADER, ("K1", "Lan Rất Bí Mật"), ("K2", "Minh"), overwrite=True)
    await desk.confirm(done["id"])
    await desk.answer(*await desk.confirmed())
    waiting = await desk.preview(HEADER, ("K1", "Lan Bí Mật Nữa"), ("K3", "Minh"), overwrite=True)
    await desk.harness.forget_told()

    erased = CustomerErased(version=5, state=ErasedState(id=lan.state.id), cause=BY_SYSTEM)
    await desk.harness.deliver(erased)
    [event] = await desk.harness.told(ErasureCompleted)
    assert (event.customer_id, event.service, event.erased_version) == (lan.state.id, "imports", 5)
    for table in ("customer", "customer_record", "import_row"):
        assert await desk.harness.sql(f"SELECT 1 FROM {table} AS t WHERE t::text LIKE '%Bí Mật%'") == []
    assert await desk.harness.sql("SELECT 1 FROM import_file") == []

    kept, other = await desk.rows(done["id"])
    assert (kept["outcome"], kept["changes"], other["changes"]["name"]["new"]) == ("updated", {}, "Minh")
    waiting = await desk.read(waiting["id"])
    assert waiting["counts"] == {"error": 1, "create": 1}
    await desk.confirm(waiting["id"], skip_errors=True)
    [chunk] = await desk.confirmed()
    assert [row.row for row in chunk.rows] == [3]

    await desk.harness.deliver(lan)
    assert await desk.harness.sql("SELECT 1 FROM customer_record") == []


@pytest.mark.parametrize(("days", "state"), [(6, "ready"), (8, "cancelled")])
async def test_previews_nobody_confirms_are_given_up(desk: Desk, days: int, state: str) -> None:
    """The job `expire` cancels them after a week and forgets the file."""
    job = await desk.preview(HEADER, ("", "Lan"))
    await desk.harness.sql("UPDATE import SET created_at = created_at - $1::interval", timedelta(days=days))
    await expire(desk.harness.database, desk.harness.settings, date(2026, 1, 1))
    job = await desk.read(job["id"])
    assert job["state"] == state
    assert (await desk.harness.sql("SELECT 1 FROM import_row") == []) is (state == "cancelled")
    if state == "cancelled":
        assert job["error"]["code"] == "preview_expired"


async def test_content_of_old_imports_is_forgotten_and_the_record_stays(desk: Desk) -> None:
    """Thirty days after its end an import has counts only; its file is still known by its hash."""
    job = await desk.preview(HEADER, ("", "Lan"))
    await desk.confirm(job["id"])
    await desk.answer(*await desk.confirmed())
    await desk.harness.sql("UPDATE import SET finished_at = finished_at - interval '31 days'")
    assert await expire(desk.harness.database, desk.harness.settings, date(2026, 1, 1)) == {
        "cancelled": 0,
        "emptied": 1,
    }
    assert await desk.rows(job["id"]) == []
    job = await desk.read(job["id"])
    assert (job["state"], job["counts"]) == ("finished", {"created": 1})
    answer = await desk.http.get(f"/api/v1/imports/{job['id']}/result-file")
    assert answer.json()["code"] == "wrong_state"
    assert (await expire(desk.harness.database, desk.harness.settings, date(2026, 1, 1)))["emptied"] == 0


async def test_rows_that_wait_for_the_relay_forget_an_erased_customer(desk: Desk) -> None:
    """C8: what was confirmed and not sent yet leaves without the customer; the row has failed."""
    lan = customer(code="K1", name="Lan", manager_id=desk.employee_id)
    minh = customer(code="K2", name="Minh", manager_id=desk.employee_id)
    await desk.harness.deliver(lan, minh)
    job = await desk.preview(HEADER, ("K1", "Lan Bí Mật"), ("K2", "Minh Anh"), overwrite=True)
    await desk.confirm(job["id"])
    await desk.harness.deliver(CustomerErased(version=5, state=ErasedState(id=lan.state.id), cause=BY_SYSTEM))
    [chunk] = await desk.confirmed()
    assert [row.values for row in chunk.rows] == [{"name": "Minh Anh"}]
    await desk.answer(chunk)
    job = await desk.read(job["id"])
    assert (job["state"], job["counts"]) == ("finished", {"failed": 1, "updated": 1})


async def test_a_row_whose_answer_comes_behind_the_erasure_of_its_customer_is_emptied(desk: Desk) -> None:
    """C8: topics are not ordered among themselves; only the answer says whom the row made."""
    job = await desk.preview(("Tên khách hàng", "SĐT"), ("Lan Bí Mật", "0901234567"), ("Minh", ""))
    await desk.confirm(job["id"])
    [chunk] = await desk.confirmed()
    answer = applied(chunk)
    gone = answer.rows[0].customer_id
    assert gone is not None
    await desk.harness.forget_told()
    await desk.harness.deliver(erasure(gone))
    await desk.harness.deliver(answer)
    assert await traces(desk, "Bí Mật", "901234567") == []
    emptied, other = await desk.rows(job["id"])
    assert (emptied["outcome"], emptied["changes"], emptied["code"]) == ("created", {}, None)
    assert other["changes"]["name"]["new"] == "Minh"
    job = await desk.read(job["id"])
    assert (job["state"], job["counts"]) == ("finished", {"created": 2})


@pytest.mark.parametrize("judged_by", ["services.imports.worker", "services.imports.commands.edits"])
async def test_an_erasure_while_rows_are_judged_waits_and_finds_them(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, judged_by: str
) -> None:
    """C8: what was read of the customer before would be stored behind the erasure, and stay."""
    lan = customer(
        code="K1", name="Lan Bí Mật", phones=("+84901234567",), occupation="Mật vụ", manager_id=desk.employee_id
    )
    hidden = customer(code="K2", phones=("+84907654321",))
    await desk.harness.deliver(lan, hidden)
    header = ("Mã khách hàng", "SĐT", "Nghề nghiệp")
    rows = ("K1", "", "Tình báo"), ("", "0907654321", "Tình báo")
    job = (
        await desk.preview(header, *rows, overwrite=True)
        if "edits" in judged_by
        else await desk.upload_sheet(header, *rows)
    )
    erasing: list[asyncio.Task[None]] = []

    async def judge_slowly(*given: Any) -> Any:
        portion = await judge_portion(*given)
        if not erasing:
            gone = erasure(lan.state.id), erasure(hidden.state.id)
            erasing.append(asyncio.create_task(desk.harness.deliver(*gone)))
            await asyncio.wait(erasing, timeout=0.5)
        return portion

    monkeypatch.setattr(f"{judged_by}.judge_portion", judge_slowly)
    path = f"/api/v1/imports/{job['id']}"
    if "edits" in judged_by:
        fixed = {"field": "occupation", "find": "Tình báo", "replace": "Tình báo viên"}
        assert (await desk.http.patch(f"{path}/rows", json=fixed)).status_code == 200
    else:
        await desk.http.put(f"{path}/options", json={"overwrite": True})
        await desk.http.put(f"{path}/mapping", json={"columns": job["mapping"]["columns"]})
        await desk.work()
    await asyncio.gather(*erasing)
    await desk.work()
    assert await traces(desk, "Bí Mật", "Mật vụ", "Tình báo", "907654321", "901234567") == []
    assert (await desk.read(job["id"]))["counts"] == {"error": 2}


async def test_rows_that_were_refused_for_an_erased_customer_are_emptied(desk: Desk) -> None:
    """C8: they name nobody, but hold the name and number of whom they met; before confirm and after it."""
    hidden = customer(code="KH9", name="Lan Bí Mật", phones=("+84901234567",))
    await desk.harness.deliver(hidden)
    header = ("ID", "Mã KH", "Tên KH", "SĐT")
    met = (
        ("", "", "Lan Bí Mật", "0901234567"),
        ("", "KH9", "Lan Bí Mật Hai", ""),
        (str(hidden.state.id), "", "Lan Bí Mật Ba", ""),
    )
    jobs = [await desk.preview(header, *met, ("", "", name, "")) for name in ("Minh", "Hoa")]
    await desk.confirm(jobs[0]["id"], skip_errors=True)
    await desk.answer_all()
    contacts = {"contacts": [{"name": "Lan Bí Mật", "phone": "0901234567", "device_contact_id": "d1"}]}
    await desk.http.post("/api/v1/contact-syncs", json=contacts)
    taken = {"outcome": "error", "customer_id": None, "code": None, "version": None}
    await desk.answer((await desk.confirmed())[-1], **taken, errors=(RowError(field="phones", code="phone_taken"),))
    await desk.harness.forget_told()
    await desk.harness.deliver(erasure(hidden.state.id))
    assert await traces(desk, "Bí Mật", "901234567") == []
    assert [(await desk.read(job["id"]))["counts"] for job in jobs] == [
        {"created": 1, "skipped": 3},
        {"create": 1, "error": 3},
    ]
    names = [[row["changes"].get("name") for row in await desk.rows(job["id"])] for job in jobs]
    assert [last["new"] for *_, last in names if last] == ["Minh", "Hoa"]
