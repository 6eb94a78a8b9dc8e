"""The worker: leases, crashes, cancelling under its hands, being woken."""

import asyncio
from typing import Any

import pytest

from services.imports.commands.reading import begin_rows, claim_work, complete_rows, load_file, store_rows
from services.imports.commands.validation import judge_portion
from services.imports.settings import ImportsSettings
from services.imports.spreadsheets.reader import read_table
from services.imports.spreadsheets.table import Row
from services.imports.worker import work, work_next
from tests.service.imports.desk import Desk, csv_file
from tests.support.records import employee

SHEET = csv_file(("Tên khách hàng",), ("Lan",))
WAIT_SECONDS = 10
PAUSE_SECONDS = 0.02
LOOKS = 500


def settings_of(desk: Desk) -> ImportsSettings:
    """The service's settings."""
    assert isinstance(desk.harness.settings, ImportsSettings)
    return desk.harness.settings


async def test_work_of_a_dead_worker_is_taken_over_when_its_lease_ends(desk: Desk) -> None:
    """M9: a crash half-way; the late result of the dead one is passed over."""
    job = (await desk.upload(SHEET)).json()
    database = desk.harness.database
    async with database.transaction() as session:
        dead = await claim_work(session, 20)
        file = await load_file(session, dead.import_id) if dead else None
    assert dead is not None
    assert file is not None
    assert await work_next(database, settings_of(desk)) is False
    await desk.harness.sql("UPDATE import SET leased_until = clock_timestamp() - interval '1 s'")
    assert await work_next(database, settings_of(desk)) is True
    taken_over = await desk.read(job["id"])
    assert taken_over["state"] == "awaiting_mapping"
    table = await read_table(file.content, file.name)
    async with database.transaction() as session:
        await begin_rows(session, dead)
        assert await store_rows(session, dead, table.rows, 20) is False
        await complete_rows(session, dead)
    assert await desk.read(job["id"]) == taken_over
    assert await desk.harness.sql("SELECT count(*) FROM import_row") == [(len(table.rows),)]


async def test_rows_left_by_a_dead_worker_are_read_anew(desk: Desk) -> None:
    """M9: a crash between two portions of a file; no row is there twice, none is missing."""
    job = (await desk.upload(csv_file(("Tên khách hàng",), *((f"Khách {n}",) for n in range(1_500))))).json()
    database = desk.harness.database
    async with database.transaction() as session:
        dead = await claim_work(session, 20)
        assert dead is not None
        assert await store_rows(session, dead, [Row(1, ["Tên khách hàng"]), Row(2, ["Nửa chừng"])], 20)
    await desk.harness.sql("UPDATE import SET leased_until = clock_timestamp() - interval '1 s'")
    await desk.work()
    assert (await desk.read(job["id"]))["total"] == 1_500
    [found] = await desk.harness.sql("SELECT count(*), count(DISTINCT row), max(row) FROM import_row")
    assert found == (1_501, 1_501, 1_501)


async def test_work_that_breaks_down_again_and_again_fails(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bounded number of attempts: nothing is worked on for ever."""

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("services.imports.worker.read_rows", broken)
    job = (await desk.upload(SHEET)).json()
    for _ in range(settings_of(desk).import_work_attempts):
        assert await work_next(desk.harness.database, settings_of(desk)) is True
        assert await work_next(desk.harness.database, settings_of(desk)) is False  # it rests a while
        await desk.harness.sql("UPDATE import SET leased_until = NULL")
    assert (await desk.read(job["id"]))["state"] == "parsing"
    await desk.work()
    job = await desk.read(job["id"])
    assert (job["state"], job["error"]["code"]) == ("failed", "internal_error")


async def test_an_import_cancelled_while_it_is_read_stays_cancelled(desk: Desk) -> None:
    """Whoever cancels does not wait for the worker, whose result is passed over."""
    job = (await desk.upload(SHEET)).json()
    async with desk.harness.database.transaction() as session:
        claim = await claim_work(session, 20)
    assert claim is not None
    assert (await desk.http.delete(f"/api/v1/imports/{job['id']}")).status_code == 204
    table = await read_table(SHEET, "a.csv")
    async with desk.harness.database.transaction() as session:
        assert await store_rows(session, claim, table.rows, 20) is False
        await complete_rows(session, claim)
    assert (await desk.read(job["id"]))["state"] == "cancelled"
    assert await desk.harness.sql("SELECT 1 FROM import_row") == []


async def test_a_running_worker_is_woken_by_requests_and_ends_when_told(desk: Desk) -> None:
    """An upload and a mapping are worked on at once; ending waits for what is in hand."""
    settings = settings_of(desk).model_copy(update={"import_work_poll_seconds": 60.0})
    ended = asyncio.Event()
    working = asyncio.create_task(work(desk.harness.database, settings, ended))

    async def until(import_id: str, state: str) -> dict[str, object]:
        for _ in range(LOOKS):
            if (job := await desk.read(import_id))["state"] == state:
                return job
            await asyncio.sleep(PAUSE_SECONDS)
        raise TimeoutError(state)

    await asyncio.sleep(1)
    uploaded = (await desk.upload(SHEET)).json()
    job = await until(uploaded["id"], "awaiting_mapping")
    await desk.http.put(f"/api/v1/imports/{job['id']}/mapping", json=job["mapping"])
    await until(uploaded["id"], "ready")
    ended.set()
    async with asyncio.timeout(WAIT_SECONDS):
        await working


async def test_a_worker_that_dies_between_two_portions_costs_one_portion(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M9: what was judged stays judged; the next worker goes on behind it."""
    monkeypatch.setattr("services.imports.commands.validation.PORTION_ROWS", 2)
    job = await desk.upload_sheet(("Tên khách hàng",), *((f"Khách {n}",) for n in range(5)))
    await desk.http.put(f"/api/v1/imports/{job['id']}/mapping", json=job["mapping"])
    judged = 0

    async def dies_after_one(*given: Any) -> Any:
        nonlocal judged
        judged += 1
        if judged == 2:
            raise RuntimeError("killed")
        return await judge_portion(*given)

    monkeypatch.setattr("services.imports.worker.judge_portion", dies_after_one)
    await work_next(desk.harness.database, settings_of(desk))
    [waiting] = await desk.harness.sql("SELECT count(*) FROM import_row WHERE stale AND row > 1")
    assert (waiting[0], (await desk.read(job["id"]))["state"]) == (3, "validating")
    await desk.harness.sql("UPDATE import SET leased_until = NULL")
    await desk.work()
    assert (await desk.read(job["id"]))["counts"] == {"create": 5}


async def test_a_mapping_changed_after_the_preview_makes_a_new_one(desk: Desk) -> None:
    """M2: while it is made nothing can be confirmed; what was looked at before is a version that is gone."""
    job = await desk.preview(("Tên khách hàng", "Khác"), ("Lan", "Y tá"))
    path = f"/api/v1/imports/{job['id']}"
    columns = [{"index": 0, "field": "name"}, {"index": 1, "field": "occupation"}]
    assert (await desk.http.put(f"{path}/mapping", json={"columns": columns})).json()["state"] == "validating"
    assert (await desk.confirm(job["id"])).json()["code"] == "wrong_state"
    await desk.work()
    stale = await desk.http.post(f"{path}/confirm", json={}, headers={"If-Match": f'"{job["version"]}"'})
    assert stale.status_code == 412
    assert (await desk.rows(job["id"]))[0]["changes"]["occupation"]["new"] == "Y tá"


async def test_an_uploader_who_lost_the_right_cannot_confirm(desk: Desk) -> None:
    """R2: between preview and confirm: 403 without the permission, or as an inactive employee."""
    job = await desk.preview(("Tên khách hàng",), ("Lan",))
    plain = desk.harness.client(desk.employee_id)
    assert (await plain.post(f"/api/v1/imports/{job['id']}/confirm", json={})).json()["code"] == "forbidden"
    await desk.harness.deliver(employee(desk.employee_id, version=2, active=False))
    assert (await desk.confirm(job["id"])).json()["code"] == "inactive_employee"
    assert await desk.confirmed() == []
