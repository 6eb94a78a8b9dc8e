"""An import whose every transaction is cut once, in both services: it goes on by itself, no row twice, none lost.

Real kills of real processes are in `tests/chaos`; here each transaction dies at the exact point.
"""

from typing import Any

import pytest

from services.imports.settings import ImportsSettings
from services.imports.worker import work_next
from shared.contracts.customers import CustomerCreated, CustomerDeleted
from shared.contracts.events import Event
from shared.contracts.imports import ImportRowsApplied, ImportRowsConfirmed, ImportUndoApplied, ImportUndoRequested
from shared.identity import VIEW_ALL
from tests.conftest import MakeHarness
from tests.service.customers.conftest import Team
from tests.service.customers.conftest import team as team  # a fixture
from tests.service.imports.cutting import Cuts, Moment, cut_transactions
from tests.service.imports.desk import Desk, csv_file
from tests.support.harness import Harness
from tests.support.records import employee

ROWS = 7
SHEET = csv_file(("Tên khách hàng", "SĐT"), *((f"Khách {n}", f"090123456{n}") for n in range(ROWS)))


class Line:
    """Two services and what lies between them: events arrive at least once, under the ids they left with."""

    def __init__(self, desk: Desk, customers: Harness, cuts: Cuts) -> None:
        self.desk, self.imports, self.customers, self.cuts = desk, desk.harness, customers, cuts
        self._carried = set[str]()

    def client(self, key: str) -> Any:
        """The uploader's client, which repeats what was not answered under the same key."""
        return self.imports.client(self.desk.employee_id, self.desk.permissions, **{"Idempotency-Key": key})

    async def work(self, step: str) -> None:
        """Let the worker do what waits, leases of its dead predecessors having ended."""

        async def next_turn() -> bool:
            assert isinstance(self.imports.settings, ImportsSettings)
            await self.imports.sql("UPDATE import SET leased_until = NULL")
            return await work_next(self.imports.database, self.imports.settings)

        while await self.cuts.persist(step, next_turn):
            pass

    async def exchange(self, asked: type[Event], answered: type[Event]) -> int:
        """Bring chunks there and answers back, each until it has arrived; answers how many chunks there were."""
        chunks = 0
        while fresh := await self._carry(self.imports, self.customers, asked):
            chunks += fresh
            await self._carry(self.customers, self.imports, answered)
        return chunks

    async def _carry(self, source: Harness, target: Harness, kind: type[Event]) -> int:
        fresh = [pair for pair in await source.told_with_headers(kind) if pair[0]["ce_id"] not in self._carried]
        for headers, event in fresh:
            event_id = headers["ce_id"]
            await self.cuts.persist(
                f"{kind.__name__} {event_id}", lambda e=event, i=event_id: target.deliver(e, ids=[i])
            )
            self._carried.add(event_id)
        return len(fresh)

    async def ready(self) -> tuple[str, str]:
        """Bring the sheet up to its preview; answers the import's path and id."""
        files = {"file": ("khach.csv", SHEET)}
        answer = await self.cuts.persist("upload", lambda: self.client("1").post("/api/v1/imports", files=files))
        path = f"/api/v1/imports/{answer.json()['id']}"
        await self.work("reading")
        columns = {"columns": (await self.desk.http.get(path)).json()["mapping"]["columns"]}
        put = await self.cuts.persist("mapping", lambda: self.desk.http.put(f"{path}/mapping", json=columns))
        assert put.status_code == 200 or self.cuts.moment == "after its commit", put.text
        await self.work("preview")
        return path, path.rpartition("/")[2]

    async def state(self, import_id: str) -> tuple[str, dict[str, int]]:
        """State and counts as the uploader sees them."""
        job = await self.desk.read(import_id)
        return job["state"], job["counts"]


@pytest.fixture
async def desk(team: Team, make_harness: MakeHarness, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Bình's desk in front of both services; a file of seven rows is four chunks."""
    monkeypatch.setattr("services.imports.commands.chunks.ROW_CHUNK", 2)
    monkeypatch.setattr("services.imports.commands.chunks.FIRST_CHUNK_ROWS", 1)
    monkeypatch.setattr("services.imports.commands.validation.PORTION_ROWS", 3)
    desk = Desk(await make_harness("imports", import_work_attempts=20), team.ids["binh"])
    await desk.harness.deliver(employee(team.ids["binh"], name="Bình"))
    return desk


@pytest.mark.parametrize("moment", ["before its commit", "after its commit"])
async def test_an_import_goes_on_wherever_it_is_cut(
    team: Team, desk: Desk, monkeypatch: pytest.MonkeyPatch, moment: Moment
) -> None:
    """M9, M10: upload, reading, preview, confirm, half of the rows, half of the results, half of the undo."""
    cuts = cut_transactions(monkeypatch, moment)
    line = Line(desk, team.harness, cuts)

    path, import_id = await line.ready()
    assert await line.state(import_id) == ("ready", {"create": ROWS})

    await cuts.persist("confirm", lambda: line.client("2").post(f"{path}/confirm", json={}))
    assert await line.exchange(ImportRowsConfirmed, ImportRowsApplied) == 4
    assert len(await team.harness.told(CustomerCreated)) == ROWS
    assert await line.state(import_id) == ("finished", {"created": ROWS})

    await cuts.persist("undo", lambda: line.client("3").post(f"{path}/undo"))
    assert await line.exchange(ImportUndoRequested, ImportUndoApplied) == 4
    assert len(await team.harness.told(CustomerDeleted)) == ROWS
    assert await line.state(import_id) == ("undone", {"undone": ROWS})
    assert len(await team.harness.told(CustomerCreated)) == ROWS
    assert len(await desk.harness.sql("SELECT 1 FROM import")) == 1
    steps = {step.split()[0] for step, *_ in cuts.made}
    assert steps == {
        "upload", "reading", "mapping", "preview", "confirm", "ImportRowsConfirmed", "ImportRowsApplied", "undo",
        "ImportUndoRequested", "ImportUndoApplied",
    }  # fmt: skip


@pytest.mark.parametrize("moment", ["before its commit", "after its commit"])
async def test_all_or_nothing_ends_with_nothing_wherever_it_is_cut(
    team: Team, desk: Desk, monkeypatch: pytest.MonkeyPatch, moment: Moment
) -> None:
    """M2, M9, M10: a phone was taken meanwhile; what was written goes by itself, what was not sent is never written."""
    monkeypatch.setattr("services.imports.commands.chunks.CHUNKS_AT_ONCE", 1)
    cuts = cut_transactions(monkeypatch, moment)
    line = Line(desk, team.harness, cuts)
    path, import_id = await line.ready()
    other = await team.create(team.dung, phones=["+84901234563"])  # as the fourth row, 5 of the sheet
    await team.harness.forget_told()

    body = {"all_or_nothing": True}
    await cuts.persist("confirm", lambda: line.client("2").post(f"{path}/confirm", json=body))
    assert await line.exchange(ImportRowsConfirmed, ImportRowsApplied) == 3
    assert await line.state(import_id) == ("undoing", {"created": 4, "error": 1, "skipped": 2})
    assert await line.exchange(ImportUndoRequested, ImportUndoApplied) == 3
    assert await line.state(import_id) == ("undone", {"undone": 4, "error": 1, "skipped": 2})
    created, deleted = [
        sorted(event.state.id for event in await team.harness.told(kind)) for kind in (CustomerCreated, CustomerDeleted)
    ]
    assert (len(created), deleted) == (4, created), "what was written is still there"
    listed = (await team.as_("an", VIEW_ALL).get("/api/v1/customers")).json()["items"]
    assert [one["id"] for one in listed] == [other["id"]]
    steps = {step.split()[0] for step, *_ in cuts.made}
    assert {"confirm", "ImportRowsApplied", "ImportUndoRequested", "ImportUndoApplied"} <= steps


async def test_who_has_lost_the_right_meanwhile_takes_nothing_back(team: Team, desk: Desk) -> None:
    """M10, R2, A6: `customers` asks again when the undo arrives, and each row says why it stays."""
    line = Line(desk, team.harness, Cuts("before its commit"))
    path, import_id = await line.ready()
    await team.create(team.dung, phones=["+84901234566"])  # as the last row
    await line.client("2").post(f"{path}/confirm", json={"all_or_nothing": True})
    assert await line.exchange(ImportRowsConfirmed, ImportRowsApplied) == 4
    left = await team.admin.post(f"/api/v1/employees/{team.ids['binh']}/deactivate", json={})
    assert left.status_code == 200, left.text
    assert await line.exchange(ImportUndoRequested, ImportUndoApplied) == 4
    assert await line.state(import_id) == ("undone", {"undo_failed": 6, "error": 1})
    rows = await desk.rows(import_id, outcome="undo_failed")
    assert {row["reason"] for row in rows} == {"inactive_employee"}
    assert await team.harness.told(CustomerDeleted) == []
