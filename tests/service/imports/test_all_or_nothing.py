"""All or nothing: a row that is refused after confirm takes every other one back, by itself."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import pytest

from services.imports.commands.chunks import resend_silent_chunks
from shared.contracts.customers import CustomerErased, ErasedState
from shared.contracts.events import Event
from shared.contracts.imports import ImportRowsApplied, ImportRowsConfirmed, ImportUndoRequested, RowError, UndoneRow
from shared.identity import IMPORT, SETTINGS, VIEW_ALL
from shared.wording import message
from tests.service.imports.desk import Desk, applied
from tests.service.imports.test_following import events_in
from tests.service.imports.test_sectors import office as office  # a fixture
from tests.service.imports.test_sectors import preview as preview_of_sectors
from tests.service.imports.test_undoing import taken_back
from tests.support.records import BY_SYSTEM, customer

HEADER = ("Mã KH", "Tên KH", "Nghề nghiệp")
TAKEN = {"outcome": "error", "customer_id": None, "errors": (RowError(field="phones", code="phone_taken"),)}
STALE = {"outcome": "conflict", "current": {"occupation": "C"}}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 2 goes alone; then two rows a chunk, three chunks on their way."""
    monkeypatch.setattr("services.imports.commands.chunks.FIRST_CHUNK_ROWS", 1)
    monkeypatch.setattr("services.imports.commands.chunks.ROW_CHUNK", 2)


def new(count: int) -> list[tuple[str, ...]]:
    """Rows that create, from row 2."""
    return [("", f"Khách {row}", "") for row in range(2, 2 + count)]


async def confirm(desk: Desk, *rows: Sequence[str], **options: Any) -> str:
    """A file that was confirmed, all or nothing; answers the import's id."""
    job = await desk.preview(HEADER, *rows, **options)
    answer = await desk.confirm(job["id"], all_or_nothing=True)
    assert (answer.status_code, answer.json()["all_or_nothing"]) == (202, True), answer.text
    return job["id"]


def refusing(chunk: ImportRowsConfirmed, row: int, refusal: dict[str, Any] = TAKEN) -> ImportRowsApplied:
    """The answer to a chunk of which one row is refused."""
    answer = applied(chunk)
    return answer.model_copy(
        update={"rows": tuple(one.model_copy(update=refusal) if one.row == row else one for one in answer.rows)}
    )


async def undo_all(desk: Desk) -> None:
    """Play `customers` until every chunk of the undo is answered."""
    answered = 0
    while len(asked := await desk.harness.told(ImportUndoRequested)) > answered:
        await desk.harness.deliver(*(taken_back(event) for event in asked[answered:]))
        answered = len(asked)


async def outcomes(desk: Desk, import_id: str) -> list[tuple[str, str | None]]:
    """Outcome and reason of each row."""
    return [(row["outcome"], row["reason"]) for row in await desk.rows(import_id)]


async def test_a_conflict_in_one_chunk_takes_back_the_others(desk: Desk) -> None:
    """M2, M10: undone without a word of the uploader's, who reads of each row why; it is no undo by hand."""
    await desk.harness.deliver(customer(code="K1", name="Lan", occupation="A", manager_id=desk.employee_id))
    rows = [*new(2), ("K1", "Lan", "B"), *new(1)]
    import_id = await confirm(desk, *rows, overwrite=True)
    first, *_ = await desk.confirmed()
    await desk.answer(first)
    _, second, third = await desk.confirmed()
    await desk.answer(third)
    assert (await desk.read(import_id))["error"] is None
    await desk.harness.deliver(refusing(second, 4, STALE))

    job = await desk.read(import_id)
    assert job["state"] == "undoing", "a refused row let the others stay"
    assert (job["error"]["code"], job["allowed"]) == ("rows_refused", [])
    assert (job["total"], job["done"], job["counts"]) == (3, 0, {"created": 3, "conflict": 1})
    await undo_all(desk)
    assert [event.rows for event in await desk.harness.told(ImportUndoRequested)] == [(2,), (3, 5)]
    job = await desk.read(import_id)
    assert (job["state"], job["counts"]) == ("undone", {"undone": 3, "conflict": 1})
    assert (job["total"], job["done"], job["failed"]) == (3, 3, 0)
    assert job["confirmed_at"] <= job["finished_at"] <= job["undone_at"]
    undone = ("undone", "rows_refused")
    assert await outcomes(desk, import_id) == [undone, undone, ("conflict", None), undone]
    [conflict] = await desk.rows(import_id, outcome="conflict")
    assert conflict["changes"]["occupation"] == {"old": "A", "new": "B", "current": "C"}

    stream = await desk.http.get(f"/api/v1/imports/{import_id}/events")
    assert [(one["state"], one["error_code"]) for one in events_in(stream.text)] == [("undone", "rows_refused")]
    file = await desk.http.get(f"/api/v1/imports/{import_id}/result-file", headers={"Accept-Language": "en"})
    told = [record[3:5] for record in csv.reader(io.StringIO(file.text.removeprefix("\ufeff"), newline=""))][1:]
    because = message("rows_refused", "en")
    assert told[0] == ["Undone", because]
    assert told[2] == ["Conflict", "The customer has changed since the preview."]


async def test_an_error_in_the_first_chunk_stops_what_was_not_sent(desk: Desk) -> None:
    """M2, M9: nothing is written to be taken back at once; where nothing was, the import is undone with the answer."""
    import_id = await confirm(desk, *new(4))
    [first] = await desk.confirmed()
    await desk.harness.deliver(refusing(first, 2))
    assert await desk.confirmed() == [first]
    assert await desk.harness.told(ImportUndoRequested) == []
    job = await desk.read(import_id)
    assert (job["state"], job["error"]["code"]) == ("undone", "rows_refused")
    assert job["counts"] == {"error": 1, "skipped": 3}
    assert await outcomes(desk, import_id) == [("error", None), *[("skipped", "rows_refused")] * 3]
    file = await desk.http.get(f"/api/v1/imports/{import_id}/result-file", headers={"Accept-Language": "vi"})
    assert f"Bỏ qua vì lỗi,{message('rows_refused', 'vi')}" in file.text


async def test_what_is_on_its_way_is_answered_before_the_undo_and_taken_back_too(desk: Desk) -> None:
    """M9, M10: also where its answer comes only after it was asked for again, and in several records."""
    import_id = await confirm(desk, *new(9))
    await desk.answer(*await desk.confirmed())
    _, second, third, fourth = await desk.confirmed()
    await desk.harness.deliver(refusing(third, 6))
    job = await desk.read(import_id)
    assert (job["state"], job["error"]["code"]) == ("applying", "rows_refused")
    assert (job["total"], job["done"], job["failed"]) == (9, 5, 1)
    assert job["counts"] == {"create": 4, "created": 2, "error": 1, "skipped": 2}
    unasked = fourth.model_copy(update={"chunk": 4, "rows": (fourth.rows[0].model_copy(update={"row": 9}),)})
    await desk.answer(unasked)
    assert await desk.read(import_id) == job, "a row that nobody sent was answered"

    await desk.answer(second)
    await desk.harness.sql("UPDATE import_chunk SET sent_at = sent_at - interval '61 s'")
    async with desk.harness.database.transaction() as session:
        assert await resend_silent_chunks(session, 60) == 1
    assert [chunk.chunk for chunk in await desk.confirmed()] == [0, 1, 2, 3, 3], "what was not sent stays here"
    late = applied(fourth)
    for place in (0, 1):
        assert await desk.harness.told(ImportUndoRequested) == [], "rows that are written now would stay written"
        assert (await desk.read(import_id))["state"] == "applying"
        other = late.rows[1 - place].row
        await desk.harness.deliver(late.model_copy(update={"rows": (late.rows[place],), "elsewhere": (other,)}))
    assert (await desk.read(import_id))["state"] == "undoing"
    await undo_all(desk)
    assert [event.rows for event in await desk.harness.told(ImportUndoRequested)] == [(2,), (3, 4), (5, 7), (8,)]
    assert (await desk.read(import_id))["counts"] == {"undone": 6, "error": 1, "skipped": 2}


async def test_a_row_that_an_answer_leaves_out_takes_the_others_back(desk: Desk) -> None:
    """M2, C8: somebody was erased before their row had left the house; it has `failed`, and that is not all."""
    lan = customer(code="K1", name="Lan", manager_id=desk.employee_id)
    await desk.harness.deliver(lan)
    import_id = await confirm(desk, *new(2), ("K1", "Lan Anh", "B"), overwrite=True)
    await desk.answer(*await desk.confirmed())
    await desk.harness.deliver(CustomerErased(version=5, state=ErasedState(id=lan.state.id), cause=BY_SYSTEM))
    _, second = await desk.confirmed()
    assert [row.row for row in second.rows] == [3]
    await desk.answer(second)
    await undo_all(desk)
    job = await desk.read(import_id)
    assert (job["state"], job["error"]["code"]) == ("undone", "rows_refused")
    assert job["counts"] == {"undone": 2, "failed": 1}


async def test_an_erased_customer_leaves_a_row_that_was_called_off(desk: Desk) -> None:
    """C8: what was not sent names the person no longer, and stays skipped."""
    lan = customer(code="K1", name="Lan", manager_id=desk.employee_id)
    await desk.harness.deliver(lan)
    import_id = await confirm(desk, *new(3), ("K1", "Lan Bí Mật", "B"), overwrite=True)
    await desk.harness.deliver(refusing((await desk.confirmed())[0], 2))
    await desk.harness.deliver(CustomerErased(version=5, state=ErasedState(id=lan.state.id), cause=BY_SYSTEM))
    assert await desk.harness.sql("SELECT 1 FROM import_row AS t WHERE t::text LIKE '%Bí Mật%'") == []
    assert (await outcomes(desk, import_id))[3] == ("skipped", "rows_refused")


async def test_where_every_row_is_refused_the_file_was_not_imported(desk: Desk) -> None:
    """M9: undone at once, nothing asked of anybody; the same file may come again without `repeat`."""
    import_id = await confirm(desk, *new(1))
    await desk.answer(*await desk.confirmed(), **TAKEN)
    job = await desk.read(import_id)
    assert (job["state"], job["counts"], job["error"]["code"]) == ("undone", {"error": 1}, "rows_refused")
    assert job["finished_at"] <= job["undone_at"]
    assert await desk.harness.told(ImportUndoRequested) == []
    again = await desk.preview(HEADER, *new(1))
    assert (await desk.confirm(again["id"], all_or_nothing=True)).status_code == 202


async def test_a_repeated_answer_changes_nothing(desk: Desk) -> None:
    """M9, M10: neither while it is taken back nor afterwards; and undo cannot be pressed as well."""
    import_id = await confirm(desk, *new(3))
    [first] = await desk.confirmed()
    await desk.answer(first)
    _, second = await desk.confirmed()
    refused = refusing(second, 4)
    await desk.harness.deliver(refused, refused)
    [asked] = await desk.harness.told(ImportUndoRequested)
    answers: list[Event] = [applied(first, TAKEN), applied(second), refused]
    before = (await desk.read(import_id), await desk.rows(import_id))
    for state in ("undoing", "undone"):
        assert before[0]["state"] == state
        await desk.harness.deliver(*answers)
        assert (await desk.read(import_id), await desk.rows(import_id)) == before
        by_hand = await desk.http.post(f"/api/v1/imports/{import_id}/undo")
        assert (by_hand.status_code, by_hand.json()["code"]) == (409, "wrong_state")
        await undo_all(desk)
        answers.append(taken_back(asked, outcome="undo_failed"))
        before = (await desk.read(import_id), await desk.rows(import_id))
    assert len(await desk.harness.told(ImportUndoRequested)) == 2


async def test_it_is_taken_back_with_the_permissions_of_the_confirmation(desk: Desk) -> None:
    """R2: not those of the upload, nor those of somebody who looks meanwhile; what they do not suffice for is told."""
    job = await desk.preview(HEADER, *new(3))
    path = f"/api/v1/imports/{job['id']}"
    confirmer = desk.harness.client(desk.employee_id, (IMPORT, VIEW_ALL))
    assert (await confirmer.post(f"{path}/confirm", json={"all_or_nothing": True})).status_code == 202
    assert (await desk.harness.client(desk.employee_id).get(path)).status_code == 200
    await desk.answer(*await desk.confirmed())
    _, second = await desk.confirmed()
    await desk.harness.deliver(refusing(second, 4))
    [asked] = await desk.harness.told(ImportUndoRequested)
    assert (asked.actor.id, sorted(asked.actor.permissions)) == (str(desk.employee_id), [IMPORT, VIEW_ALL])
    await desk.harness.deliver(taken_back(asked, outcome="undo_failed", reason="inactive_employee"))
    _, rest = await desk.harness.told(ImportUndoRequested)
    kept = UndoneRow(row=3, outcome="kept", reason="has_documents")
    await desk.harness.deliver(taken_back(rest).model_copy(update={"rows": (kept,)}))
    job = await desk.read(job["id"])
    assert (job["state"], job["failed"]) == ("undone", 2)
    assert await outcomes(desk, job["id"]) == [
        ("undo_failed", "inactive_employee"), ("kept", "has_documents"), ("error", None),
    ]  # fmt: skip


async def test_skipping_and_all_or_nothing_exclude_each_other(desk: Desk) -> None:
    """M2: 422 at the field; nothing has gone out, and rows in error keep it from being confirmed either way."""
    job = await desk.preview((*HEADER, "Email"), ("", "Lan", "", ""), ("", "Minh", "", "xyz"))
    answer = await desk.confirm(job["id"], skip_errors=True, all_or_nothing=True)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/all_or_nothing"]
    answer = await desk.confirm(job["id"], all_or_nothing=True)
    assert (answer.status_code, answer.json()["code"]) == (409, "has_errors")
    assert await desk.read(job["id"]) == job
    assert await desk.confirmed() == []


async def test_sectors_cannot_be_all_or_nothing(office: Desk) -> None:
    """M10, M12: what no undo takes back is 409 `not_restorable` before anything is sent."""
    office.permissions = (SETTINGS,)
    await preview_of_sectors(office, ("Trà", "TEA", "DRINK"))
    [job] = (await office.http.get("/api/v1/imports")).json()["items"]
    answer = await office.confirm(job["id"], all_or_nothing=True)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_restorable")
    assert await office.read(job["id"]) == job
    assert (await office.confirm(job["id"])).status_code == 202


async def test_without_a_refusal_it_is_finished_and_can_be_taken_back_by_hand(desk: Desk) -> None:
    """M10: then no reason of its own is told: nobody mistakes it for one that went back by itself."""
    import_id = await confirm(desk, *new(3))
    await desk.answer_all()
    job = await desk.read(import_id)
    assert (job["state"], job["counts"], job["error"]) == ("finished", {"created": 3}, None)
    assert await desk.harness.told(ImportUndoRequested) == []
    assert (await desk.http.post(f"/api/v1/imports/{import_id}/undo")).status_code == 202
    await undo_all(desk)
    job = await desk.read(import_id)
    assert (job["state"], job["all_or_nothing"], job["error"]) == ("undone", True, None)
    assert await outcomes(desk, import_id) == [("undone", None)] * 3


async def test_an_import_of_an_older_release_is_not_all_or_nothing(desk: Desk) -> None:
    """A release that does not know the choice writes imports without it beside this one: they spoil no others."""
    job = await desk.preview(HEADER, *new(2))
    [(default,)] = await desk.harness.sql(
        "SELECT column_default FROM information_schema.columns"
        " WHERE table_name = 'import' AND column_name = 'all_or_nothing'"
    )
    assert default == "false"
    await desk.confirm(job["id"])
    [first] = await desk.confirmed()
    await desk.harness.deliver(refusing(first, 2))
    await desk.answer((await desk.confirmed())[1])
    job = await desk.read(job["id"])
    assert (job["state"], job["counts"], job["error"]) == ("finished", {"error": 1, "created": 1}, None)
