"""Confirm, chunks on their way, answers, and everything that may come twice or late."""

import csv
import io
from datetime import timedelta

import pytest

from services.imports.commands.chunks import resend_silent_chunks
from shared.contracts.imports import AppliedRow, ImportRowsApplied, RowError
from shared.envelope import new_id
from shared.wording import message
from tests.service.imports.desk import Desk, applied
from tests.support.records import customer, employee

HEADER = ("Mã khách hàng", "Tên khách hàng")


async def test_confirming_twice_sends_once(desk: Desk) -> None:
    """M9: the second press is 409, with the same key the first answer."""
    job = await desk.preview(("Tên khách hàng",), ("Lan",))
    client = desk.harness.client(desk.employee_id, desk.permissions, **{"Idempotency-Key": "confirm-1"})
    path = f"/api/v1/imports/{job['id']}/confirm"
    first = await client.post(path, json={})
    again = await client.post(path, json={})
    assert (first.status_code, first.headers["location"]) == (202, f"/api/v1/imports/{job['id']}")
    assert (again.status_code, again.json()) == (202, first.json())
    assert (await desk.confirm(job["id"])).json()["code"] == "wrong_state"
    assert len(await desk.confirmed()) == 1


async def test_confirming_a_version_that_is_gone_is_refused(desk: Desk) -> None:
    """If-Match: what was looked at is what is confirmed."""
    job = await desk.preview(("Tên khách hàng",), ("Lan",))
    path = f"/api/v1/imports/{job['id']}/confirm"
    answer = await desk.http.post(path, json={}, headers={"If-Match": f'"{job["version"] - 1}"'})
    assert (answer.status_code, answer.json()["code"]) == (412, "version_conflict")
    answer = await desk.http.post(path, json={}, headers={"If-Match": f'"{job["version"]}"'})
    assert answer.status_code == 202


async def test_an_old_preview_cannot_be_confirmed(desk: Desk) -> None:
    """M2: after 24 hours 409 `preview_expired`."""
    job = await desk.preview(("Tên khách hàng",), ("Lan",))
    await desk.harness.sql("UPDATE import SET validated_at = validated_at - $1::interval", timedelta(hours=24))
    answer = await desk.confirm(job["id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "preview_expired")
    assert await desk.confirmed() == []


async def test_rows_in_error_are_skipped_only_if_asked(desk: Desk) -> None:
    """M2: `has_errors` without `skip_errors`; skipped rows keep their reasons."""
    job = await desk.preview(("Tên khách hàng", "Email"), ("Lan", ""), ("Minh", "xyz"))
    assert (await desk.confirm(job["id"])).json()["code"] == "has_errors"
    assert (await desk.confirm(job["id"], skip_errors=True)).status_code == 202
    [chunk] = await desk.confirmed()
    assert [row.row for row in chunk.rows] == [2]
    [skipped] = await desk.rows(job["id"], outcome="skipped")
    assert skipped["errors"] == [{"field": "emails", "code": "validation_failed"}]
    await desk.answer(chunk)
    job = await desk.read(job["id"])
    assert (job["state"], job["counts"]) == ("finished", {"created": 1, "skipped": 1})


async def test_an_import_without_anything_to_write_is_finished_at_once(desk: Desk) -> None:
    """M5: unchanged rows go nowhere."""
    await desk.harness.deliver(customer(code="KH000001", name="Lan", manager_id=desk.employee_id))
    job = await desk.preview(HEADER, ("KH000001", "Lan"), overwrite=True)
    assert job["counts"] == {"unchanged": 1}
    assert (await desk.confirm(job["id"])).json()["state"] == "finished"
    assert await desk.confirmed() == []


async def test_the_same_file_is_confirmed_once_in_thirty_days(desk: Desk) -> None:
    """M9: `already_imported` with the first one's id, at upload and at confirm, unless `repeat`."""
    sheet = (("Tên khách hàng",), ("Lan",))
    early = await desk.preview(*sheet)
    late = await desk.preview(*sheet)
    await desk.confirm(early["id"])
    answers = [await desk.confirm(late["id"]), await desk.upload(b"T\xc3\xaan kh\xc3\xa1ch h\xc3\xa0ng\r\nLan\r\n")]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (409, "already_imported")
        assert answer.json()["import_id"] == early["id"]
    again = await desk.upload_sheet(*sheet, repeat="true")
    assert again["repeat"] is True
    other = await Desk(desk.harness).open()
    assert (await other.upload_sheet(*sheet))["state"] == "awaiting_mapping"
    await desk.harness.sql("UPDATE import SET confirmed_at = confirmed_at - $1::interval", timedelta(days=30))
    assert (await desk.upload_sheet(*sheet))["state"] == "awaiting_mapping"


async def test_many_rows_go_out_in_chunks_and_finish_with_the_last_answer(desk: Desk) -> None:
    """M9: a small chunk first, then at most 500 rows each; counts move with each answer, in any order."""
    job = await desk.preview(("Tên khách hàng",), *((f"Khách {i}",) for i in range(1_101)))
    await desk.confirm(job["id"])
    await desk.answer(*await desk.confirmed())
    chunks = await desk.confirmed()
    sizes = [(chunk.chunk, chunk.chunks, len(chunk.rows)) for chunk in chunks]
    assert sizes == [(0, 4, 100), (1, 4, 500), (2, 4, 500), (3, 4, 1)]
    assert [row.row for chunk in chunks for row in chunk.rows] == list(range(2, 1_103))

    await desk.answer(chunks[3])
    job = await desk.read(job["id"])
    assert (job["state"], job["done"], job["counts"]) == ("applying", 101, {"create": 1_000, "created": 101})
    await desk.answer(chunks[2], chunks[1])
    job = await desk.read(job["id"])
    assert (job["state"], job["done"]) == ("finished", 1_101)
    first = (await desk.rows(job["id"]))[0]
    assert (first["row"], first["outcome"], first["code"]) == (2, "created", "KH000002")
    assert first["customer_id"]


async def test_few_chunks_are_on_their_way_at_a_time_and_each_answer_lets_the_next_go(desk: Desk) -> None:
    """M9: what waits at the broker does not grow with the file; an answer to a chunk not sent yet is passed over."""
    job = await desk.preview(("Tên khách hàng",), *((f"Khách {i}",) for i in range(2_000)))
    await desk.confirm(job["id"])
    [first] = await desk.confirmed()
    unasked = ImportRowsApplied(import_id=first.import_id, chunk=4, rows=())
    await desk.harness.deliver(unasked)
    sent = [[0]]
    for answered in range(5):
        await desk.answer((await desk.confirmed())[answered])
        sent.append([chunk.chunk for chunk in await desk.confirmed()])
    assert sent == [[0], [0, 1, 2, 3], *([[0, 1, 2, 3, 4]] * 4)]
    job = await desk.read(job["id"])
    assert (job["state"], job["counts"]) == ("finished", {"created": 2_000})


async def test_of_several_imports_each_has_fewer_chunks_on_their_way(desk: Desk) -> None:
    """M9: whoever confirms now waits behind few chunks of others, however large their files are."""
    sent: list[int] = []
    for name in ("Một", "Hai", "Ba"):
        job = await desk.preview(("Tên khách hàng",), *((f"{name} {number}",) for number in range(2_000)))
        await desk.confirm(job["id"])
    for job_id in {chunk.import_id: None for chunk in await desk.confirmed()}:
        [first] = [chunk for chunk in await desk.confirmed() if chunk.import_id == job_id]
        await desk.answer(first)
        sent.append(len([chunk for chunk in await desk.confirmed() if chunk.import_id == job_id]) - 1)
    assert sent == [1, 1, 1], "three imports have a chunk each behind their first"


async def test_wide_rows_make_smaller_chunks(desk: Desk) -> None:
    """A chunk ends at 700 KB, whichever limit comes first."""
    job = await desk.preview(("Tên khách hàng", "Mô tả"), *((f"Khách {i}", "đ" * 9_000) for i in range(100)))
    await desk.confirm(job["id"])
    await desk.answer(*await desk.confirmed())
    chunks = await desk.confirmed()
    assert len(chunks) == 3
    assert all(len(chunk.model_dump_json().encode()) <= 700_000 for chunk in chunks)
    assert sum(len(chunk.rows) for chunk in chunks) == 100


async def test_a_repeated_answer_changes_nothing(desk: Desk) -> None:
    """M9: idempotent by import and chunk, also under another event id."""
    job = await desk.preview(("Tên khách hàng",), ("Lan",))
    await desk.confirm(job["id"])
    [chunk] = await desk.confirmed()
    await desk.answer(chunk)
    before = (await desk.read(job["id"]), await desk.rows(job["id"]))
    await desk.answer(chunk, outcome="error", customer_id=None)
    assert (await desk.read(job["id"]), await desk.rows(job["id"])) == before


async def test_answers_nobody_asked_for_change_nothing(desk: Desk) -> None:
    """A stranger's record names an unknown import, an unknown chunk, another chunk's rows, a preview."""
    job = await desk.preview(("Tên khách hàng",), *((f"Khách {i}",) for i in range(501)))
    preview = await desk.rows(job["id"])
    await desk.harness.deliver(ImportRowsApplied(import_id=job["id"], chunk=0, rows=()))
    assert await desk.rows(job["id"]) == preview
    await desk.confirm(job["id"])
    [first] = await desk.confirmed()
    foreign = applied(first)
    await desk.harness.deliver(
        foreign.model_copy(update={"import_id": new_id()}),
        foreign.model_copy(update={"chunk": 7}),
        foreign.model_copy(update={"chunk": 1}),
    )
    job = await desk.read(job["id"])
    assert (job["state"], job["counts"]) == ("applying", {"create": 501})


async def test_a_conflict_shows_what_is_there_now(desk: Desk) -> None:
    """M2: old, new and current by the file's names; refusals of `customers` too."""
    await desk.harness.deliver(
        customer(code="KH000001", name="Lan", occupation="A", manager_id=desk.employee_id),
        customer(code="KH000002", name="Minh", manager_id=desk.employee_id),
    )
    job = await desk.preview(("Mã khách hàng", "Nghề nghiệp"), ("KH000001", "B"), ("KH000002", "B"), overwrite=True)
    await desk.confirm(job["id"])
    [chunk] = await desk.confirmed()
    answer = applied(chunk)
    stale = answer.rows[0].model_copy(update={"outcome": "conflict", "current": {"occupation": "C"}})
    error = RowError(field="manager_id", code="inactive_employee")
    refused = answer.rows[1].model_copy(update={"outcome": "error", "errors": (error,)})
    await desk.harness.deliver(answer.model_copy(update={"rows": (stale, refused)}))
    job = await desk.read(job["id"])
    assert (job["state"], job["done"], job["failed"]) == ("finished", 2, 2)
    conflict, error_row = await desk.rows(job["id"])
    assert conflict["changes"] == {"occupation": {"old": "A", "new": "B", "current": "C"}}
    assert error_row["errors"] == [{"field": "manager", "code": "inactive_employee"}]


async def test_rows_refused_since_the_uploader_was_deactivated_are_reported_one_by_one(desk: Desk) -> None:
    """R2, A6, M2: the import finishes with every row in error and its reason; back at work, its uploader reads it."""
    old = customer(code="KH000001", name="Lan", manager_id=desk.employee_id)
    await desk.harness.deliver(old)
    rows = (("KH000001", "Lan Anh"), ("", "Minh"))
    job = await desk.preview(HEADER, *rows, overwrite=True)
    await desk.confirm(job["id"])
    [chunk] = await desk.confirmed()
    await desk.harness.deliver(employee(desk.employee_id, version=2, active=False))
    refused = tuple(
        AppliedRow(
            row=row.row, outcome="error", customer_id=row.customer_id, code=row.code, version=None,
            errors=(RowError(field=None, code="inactive_employee"),),
        )
        for row in chunk.rows
    )  # fmt: skip
    answer = ImportRowsApplied(import_id=chunk.import_id, chunk=chunk.chunk, rows=refused)
    await desk.harness.deliver(answer)
    await desk.harness.deliver(answer)
    assert (await desk.http.get(f"/api/v1/imports/{job['id']}")).json()["code"] == "inactive_employee"

    await desk.harness.deliver(employee(desk.employee_id, version=3))
    job = await desk.read(job["id"])
    assert (job["state"], job["total"], job["done"], job["failed"]) == ("finished", 2, 2, 2)
    assert job["counts"] == {"error": 2}
    told = [(row["outcome"], row["errors"], row["code"]) for row in await desk.rows(job["id"])]
    errors = [{"field": None, "code": "inactive_employee"}]
    assert told == [("error", errors, "KH000001"), ("error", errors, None)]
    file = await desk.http.get(f"/api/v1/imports/{job['id']}/result-file", headers={"Accept-Language": "en"})
    _, *records = csv.reader(io.StringIO(file.content.decode("utf-8-sig"), newline=""))
    reason = message("inactive_employee", "en")
    assert records == [
        [*rows[0], "Error", reason, str(old.state.id), "KH000001"],
        [*rows[1], "Error", reason, "", ""],
    ]
    assert (await desk.http.post(f"/api/v1/imports/{job['id']}/undo")).status_code == 202
    assert (await desk.read(job["id"]))["counts"] == {"error": 2}, "there was nothing to take back"


@pytest.mark.parametrize("missing", [1, 2])
async def test_rows_an_answer_leaves_out_are_failed(desk: Desk, missing: int) -> None:
    """No row stays open in a finished import."""
    job = await desk.preview(("Tên khách hàng",), ("Lan",), ("Minh",))
    await desk.confirm(job["id"])
    [chunk] = await desk.confirmed()
    answer = applied(chunk)
    await desk.harness.deliver(answer.model_copy(update={"rows": answer.rows[missing:]}))
    job = await desk.read(job["id"])
    assert (job["state"], job["counts"]["failed"]) == ("finished", missing)


async def test_a_chunk_without_an_answer_is_sent_again(desk: Desk) -> None:
    """M9: the same rows under a new event id, later each time; an answered one never."""
    job = await desk.preview(("Tên khách hàng",), *((f"Khách {i}",) for i in range(101)))
    await desk.confirm(job["id"])
    [first] = await desk.confirmed()
    await desk.answer(first)
    _, second = await desk.confirmed()
    await desk.harness.forget_told()

    async def ask_again(after_seconds: int) -> list[object]:
        await desk.harness.sql(f"UPDATE import_chunk SET sent_at = sent_at - interval '{after_seconds} s'")
        async with desk.harness.database.transaction() as session:
            await resend_silent_chunks(session, 60)
        return [event.model_dump() for event in await desk.confirmed()]

    assert await ask_again(30) == []
    assert await ask_again(31) == [second.model_dump()]
    assert len(await ask_again(61)) == 1
    assert len(await ask_again(60)) == 2
    await desk.answer(second)
    assert (await desk.read(job["id"]))["state"] == "finished"


async def test_after_confirm_there_is_no_way_back(desk: Desk) -> None:
    """API: mapping, options and cancelling are 409 `wrong_state`."""
    job = await desk.preview(("Tên khách hàng",), ("Lan",))
    await desk.confirm(job["id"])
    path = f"/api/v1/imports/{job['id']}"
    answers = [
        await desk.http.put(f"{path}/mapping", json=job["mapping"]),
        await desk.http.put(f"{path}/options", json={"overwrite": True}),
        await desk.http.delete(path),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(409, "wrong_state")}


async def test_a_chunk_whose_answer_needs_several_records_is_answered_by_its_rows(desk: Desk) -> None:
    """M9, M2: one record of several leaves it open, also after a repetition; a chunk sent again may fill the gap."""
    job = await desk.preview(("Tên khách hàng",), *((name,) for name in ("Lan", "Minh", "Hoa", "Tám")))
    await desk.confirm(job["id"])
    [chunk] = await desk.confirmed()
    whole = applied(chunk)
    parts = [
        whole.model_copy(update={"rows": (row,), "elsewhere": tuple(r.row for r in whole.rows if r is not row)})
        for row in whole.rows
    ]
    await desk.harness.deliver(parts[3], parts[0])
    await desk.harness.deliver(parts[0])
    job = await desk.read(job["id"])
    assert (job["state"], job["done"], job["counts"]) == ("applying", 2, {"create": 2, "created": 2})
    await desk.harness.sql("UPDATE import_chunk SET sent_at = sent_at - interval '61 s'")
    async with desk.harness.database.transaction() as session:
        assert await resend_silent_chunks(session, 60) == 1
    [_, again] = await desk.confirmed()
    assert [row.row for row in again.rows] == [3, 4], "what is answered is not asked again"
    rest = applied(again)
    await desk.harness.deliver(rest.model_copy(update={"rows": rest.rows[:1], "elsewhere": (4,)}))
    assert (await desk.read(job["id"]))["state"] == "applying"
    await desk.harness.deliver(rest.model_copy(update={"rows": rest.rows[1:], "elsewhere": (3,)}))
    job = await desk.read(job["id"])
    assert (job["state"], job["counts"]) == ("finished", {"created": 4})
