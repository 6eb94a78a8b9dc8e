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

    async def state(self, import_id: str) -> tuple[str, dict[str, int]]:
        """State and counts as the uploader sees them."""
        job = await self.desk.read(import_id)
        return job["state"], job["counts"]


@pytest.mark.parametrize("moment", ["before its commit", "after its commit"])
async def test_an_import_goes_on_wherever_it_is_cut(
    team: Team, make_harness: MakeHarness, monkeypatch: pytest.MonkeyPatch, moment: Moment
) -> None:
    """M9, M10: upload, reading, preview, confirm, half of the rows, half of the results, half of the undo."""
    monkeypatch.setattr("services.imports.commands.chunks.ROW_CHUNK", 2)
    monkeypatch.setattr("services.imports.commands.chunks.FIRST_CHUNK_ROWS", 1)
    monkeypatch.setattr("services.imports.commands.validation.PORTION_ROWS", 3)
    desk = Desk(await make_harness("imports", import_work_attempts=20), team.ids["binh"])
    await desk.harness.deliver(employee(team.ids["binh"], name="Bình"))
    cuts = cut_transactions(monkeypatch, moment)
    line = Line(desk, team.harness, cuts)

    files = {"file": ("khach.csv", SHEET)}
    answer = await cuts.persist("upload", lambda: line.client("1").post("/api/v1/imports", files=files))
    import_id = answer.json()["id"]
    path = f"/api/v1/imports/{import_id}"
    await line.work("reading")
    mapping = (await desk.read(import_id))["mapping"]
    put = await cuts.persist("mapping", lambda: desk.http.put(f"{path}/mapping", json={"columns": mapping["columns"]}))
    assert put.status_code == 200 or moment == "after its commit", put.text
    await line.work("preview")
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
