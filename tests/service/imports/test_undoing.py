"""Taking an import back: who may, until when, how it is asked for and what comes of each row."""

from datetime import timedelta
from typing import Any

import pytest

from services.imports.commands.chunks import resend_silent_chunks
from shared.contracts.imports import ImportRowsConfirmed, ImportUndoApplied, ImportUndoRequested, UndoneRow
from tests.service.imports.desk import Desk
from tests.support.records import customer

HEADER = ("Mã KH", "Tên KH", "Nghề nghiệp", "SĐT")


async def finished(desk: Desk, *rows: tuple[str, ...], **options: Any) -> dict[str, Any]:
    """An import that has been applied, every row as asked."""
    job = await desk.preview(HEADER, *rows, **options)
    assert (await desk.confirm(job["id"], skip_errors=True)).status_code == 202
    await desk.answer_all()
    await desk.harness.forget_told()
    return await desk.read(job["id"])


async def undo(desk: Desk, job: dict[str, Any]) -> Any:
    """Press undo."""
    return await desk.http.post(f"/api/v1/imports/{job['id']}/undo")


def taken_back(event: ImportUndoRequested, **outcome: Any) -> ImportUndoApplied:
    """The answer of `customers`."""
    values = {"outcome": "undone", "reason": None} | outcome
    rows = tuple(UndoneRow(row=row, **values) for row in event.rows)
    return ImportUndoApplied(import_id=event.import_id, chunk=event.chunk, rows=rows)


async def test_written_rows_are_taken_back_with_an_outcome_each(desk: Desk) -> None:
    """M10: created and updated rows alone; undone, kept with the reason and the cells, failed."""
    await desk.harness.deliver(customer(code="K1", name="Lan", manager_id=desk.employee_id))
    rows = [("K1", "Lan Anh", "B", ""), ("", "Minh", "", ""), ("", "Hoa", "", ""), ("", "Sai", "", "xyz")]
    job = await finished(desk, *rows, overwrite=True)
    assert "undo" in job["allowed"]
    answer = await undo(desk, job)
    assert (answer.status_code, answer.json()["state"], answer.json()["total"]) == (202, "undoing", 3)
    [event] = await desk.harness.told(ImportUndoRequested)
    assert (event.rows, event.actor.id) == ((2, 3, 4), str(desk.employee_id))
    reply = taken_back(event)
    kept = UndoneRow(row=2, outcome="kept", reason="changed_since", kept_fields=("manager_id", "group_ids"))
    failed = UndoneRow(row=3, outcome="undo_failed", reason="not_found")
    await desk.harness.deliver(reply.model_copy(update={"rows": (kept, failed, reply.rows[2])}))
    job = await desk.read(job["id"])
    assert (job["state"], job["counts"]) == ("undone", {"kept": 1, "undo_failed": 1, "undone": 1, "skipped": 1})
    assert (job["total"], job["done"], job["failed"]) == (3, 3, 2)
    first, second, *_ = await desk.rows(job["id"])
    assert (first["reason"], first["kept_fields"]) == ("changed_since", ["groups", "manager"])
    assert (second["outcome"], second["reason"]) == ("undo_failed", "not_found")


async def test_an_undo_is_asked_for_once(desk: Desk) -> None:
    """M10, API: the second request is 409, also afterwards; with the same key the first answer."""
    job = await finished(desk, ("", "Lan", "", ""))
    client = desk.harness.client(desk.employee_id, desk.permissions, **{"Idempotency-Key": "undo-1"})
    path = f"/api/v1/imports/{job['id']}/undo"
    first, again = await client.post(path), await client.post(path)
    assert (first.status_code, again.json()) == (202, first.json())
    assert (await undo(desk, job)).json()["code"] == "wrong_state"
    [event] = await desk.harness.told(ImportUndoRequested)
    await desk.harness.deliver(taken_back(event))
    before = await desk.read(job["id"])
    await desk.harness.deliver(taken_back(event, outcome="undo_failed"))
    assert await desk.read(job["id"]) == before
    assert (await undo(desk, job)).json()["code"] == "wrong_state"


async def test_an_undo_during_confirm_is_refused(desk: Desk) -> None:
    """M10: while rows are still being written there is nothing to take back yet."""
    job = await desk.preview(HEADER, ("", "Lan", "", ""))
    for _ in range(2):
        answer = await undo(desk, job)
        assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
        await desk.confirm(job["id"])
    assert await desk.harness.told(ImportUndoRequested) == []


@pytest.mark.parametrize(("days", "status"), [(6, 202), (7, 409)])
async def test_an_import_can_be_taken_back_for_seven_days(desk: Desk, days: int, status: int) -> None:
    """M10: afterwards `not_restorable`."""
    job = await finished(desk, ("", "Lan", "", ""))
    await desk.harness.sql("UPDATE import SET finished_at = finished_at - $1::interval", timedelta(days=days))
    answer = await undo(desk, job)
    assert answer.status_code == status
    if status == 409:
        assert answer.json()["code"] == "not_restorable"


async def test_only_the_uploader_with_the_permission_takes_back(desk: Desk) -> None:
    """R1, R2: 404 for others, 403 without `customers:import`."""
    job = await finished(desk, ("", "Lan", "", ""))
    other = await Desk(desk.harness).open()
    assert (await undo(other, job)).status_code == 404
    path = f"/api/v1/imports/{job['id']}/undo"
    assert (await desk.harness.client(desk.employee_id).post(path)).status_code == 403


async def test_an_import_that_wrote_nothing_is_undone_at_once(desk: Desk) -> None:
    """M10: nothing is asked of anybody."""
    await desk.harness.deliver(customer(code="K1", name="Lan", manager_id=desk.employee_id))
    job = await desk.preview(HEADER, ("K1", "Lan", "", ""), overwrite=True)
    await desk.confirm(job["id"])
    answer = await undo(desk, job)
    assert answer.json()["state"] == "undone"


async def test_an_undone_file_can_be_imported_again(desk: Desk) -> None:
    """M9: a file that was taken back is no repetition."""
    job = await finished(desk, ("", "Lan", "", ""))
    assert (await desk.upload(b"\n".join([b"x"]))).status_code == 201
    await undo(desk, job)
    [event] = await desk.harness.told(ImportUndoRequested)
    await desk.harness.deliver(taken_back(event))
    again = await desk.upload_sheet(HEADER, ("", "Lan", "", ""))
    assert again["state"] == "awaiting_mapping"


async def test_a_large_undo_goes_out_in_chunks_and_is_asked_again_where_no_answer_comes(desk: Desk) -> None:
    """M9, M10: a few rows first, then the rest; the same rows again; rows an answer leaves out have failed."""
    job = await finished(desk, *(("", f"Khách {n}", "", "") for n in range(101)))
    await undo(desk, job)
    [first] = await desk.harness.told(ImportUndoRequested)
    assert (len(first.rows), first.chunks) == (100, 2)
    await desk.harness.forget_told()
    await desk.harness.sql("UPDATE import_chunk SET sent_at = sent_at - interval '61 s'")
    async with desk.harness.database.transaction() as session:
        assert await resend_silent_chunks(session, 60) == 1
    assert [event.model_dump() for event in await desk.harness.told(ImportUndoRequested)] == [first.model_dump()]
    assert await desk.harness.told(ImportRowsConfirmed) == []
    await desk.harness.deliver(taken_back(first))
    _, second = await desk.harness.told(ImportUndoRequested)
    assert second.rows == (102,)
    await desk.harness.deliver(taken_back(second).model_copy(update={"rows": ()}))
    job = await desk.read(job["id"])
    assert (job["state"], job["counts"]) == ("undone", {"undone": 100, "undo_failed": 1})
