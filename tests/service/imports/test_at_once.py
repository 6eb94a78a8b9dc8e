"""Two requests at the same moment, or one while another is not done: one of them is first, the other is told so."""

import asyncio
from typing import Any

from shared.contracts.imports import ImportRowsConfirmed, ImportUndoRequested, RowError
from tests.service.imports.desk import Desk, applied, csv_file

SHEET = (("Tên khách hàng",), ("Lan",), ("Minh",))
TOGETHER = 5


async def at_once(*requests: Any) -> list[tuple[int, str | None]]:
    """Send requests together; answers status and code of each, the best first."""
    answers = await asyncio.gather(*requests)
    return sorted((answer.status_code, answer.json().get("code")) for answer in answers)


async def test_confirm_pressed_at_the_same_moment_sends_the_rows_once(desk: Desk) -> None:
    """M9: one is accepted, every other is 409 `wrong_state`; each row goes out once."""
    job = await desk.preview(*SHEET)
    answers = await at_once(*(desk.confirm(job["id"]) for _ in range(TOGETHER)))
    assert answers == [(202, None), *[(409, "wrong_state")] * (TOGETHER - 1)]
    assert len(await desk.confirmed()) == 1


async def test_one_file_uploaded_twice_is_confirmed_once_at_the_same_moment(desk: Desk) -> None:
    """M9: both previews may exist; of two confirms one is 409 `already_imported`."""
    jobs = [await desk.preview(*SHEET) for _ in range(2)]
    answers = await at_once(*(desk.confirm(job["id"]) for job in jobs))
    assert answers == [(202, None), (409, "already_imported")]
    assert len(await desk.confirmed()) == 1


async def test_one_file_uploaded_at_the_same_moment_is_two_previews(desk: Desk) -> None:
    """M9: nothing is confirmed yet, so nothing is refused."""
    content = csv_file(*SHEET)
    assert [status for status, _ in await at_once(desk.upload(content), desk.upload(content))] == [201, 201]


async def test_undo_pressed_at_the_same_moment_is_asked_for_once(desk: Desk) -> None:
    """M10: one is accepted, every other is 409 `wrong_state`; each row is taken back once."""
    job = await desk.preview(*SHEET)
    await desk.confirm(job["id"])
    await desk.answer(*await desk.confirmed())
    path = f"/api/v1/imports/{job['id']}/undo"
    answers = await at_once(*(desk.http.post(path) for _ in range(TOGETHER)))
    assert answers == [(202, None), *[(409, "wrong_state")] * (TOGETHER - 1)]
    assert len(await desk.harness.told(ImportUndoRequested)) == 1


async def test_cells_fixed_while_a_confirm_runs_are_in_it_or_refused(desk: Desk) -> None:
    """M2: whichever is first; what goes out is what was answered, and with If-Match what was looked at."""
    for number in range(TOGETHER):
        job = await desk.preview(("Tên khách hàng",), (f"Lan {number}",))
        path = f"/api/v1/imports/{job['id']}"
        fix = {"items": [{"row": 2, "cells": {"name": f"Hoa {number}"}}]}
        fixed, confirmed = await asyncio.gather(desk.http.patch(f"{path}/rows", json=fix), desk.confirm(job["id"]))
        assert confirmed.status_code == 202
        if fixed.status_code != 200:
            assert (fixed.status_code, fixed.json()["code"]) == (409, "wrong_state")
        sent = (await desk.harness.told(ImportRowsConfirmed))[-1].rows[0].values["name"]
        assert sent == (f"Hoa {number}" if fixed.status_code == 200 else f"Lan {number}")

    job = await desk.preview(("Tên khách hàng",), ("Cuối",))
    path = f"/api/v1/imports/{job['id']}"
    fix = {"items": [{"row": 2, "cells": {"name": "Cùng"}}]}
    assert (await desk.http.patch(f"{path}/rows", json=fix)).status_code == 200
    stale = await desk.http.post(f"{path}/confirm", json={}, headers={"If-Match": f'"{job["version"]}"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "version_conflict")
    assert (await desk.confirm(job["id"])).status_code == 202
    late = await desk.http.patch(f"{path}/rows", json=fix)
    assert (late.status_code, late.json()["code"]) == (409, "wrong_state")


async def test_a_row_that_turns_bad_after_confirm_spoils_no_other_unasked(desk: Desk) -> None:
    """M2: with an error in the preview nothing goes out; what is refused afterwards comes back by itself."""
    job = await desk.preview(("Tên khách hàng", "Email"), ("Lan", ""), ("Minh", "xyz"))
    assert (await desk.confirm(job["id"])).json()["code"] == "has_errors"
    assert await desk.confirmed() == []
    job = await desk.preview(*SHEET)
    assert (await desk.confirm(job["id"], skip_errors=False)).status_code == 202
    [chunk] = await desk.confirmed()
    answer = applied(chunk)
    error = RowError(field="phones", code="phone_taken")
    bad = answer.rows[1].model_copy(update={"outcome": "error", "customer_id": None, "errors": (error,)})
    await desk.harness.deliver(answer.model_copy(update={"rows": (answer.rows[0], bad)}))
    job = await desk.read(job["id"])
    assert (job["state"], job["counts"]) == ("finished", {"created": 1, "error": 1})
