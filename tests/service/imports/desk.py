"""An uploader at work: the steps from file to result as a test says them, the broker and worker played."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from services.imports.settings import ImportsSettings
from services.imports.worker import work_next
from shared.contracts.imports import AppliedRow, ConfirmedRow, ImportRowsApplied, ImportRowsConfirmed
from shared.envelope import new_id
from shared.identity import IMPORT
from tests.support.harness import Harness
from tests.support.records import employee

Sheet = Sequence[Sequence[str]]


def csv_file(*records: Sequence[str]) -> bytes:
    """A .csv as a program writes it."""
    target = io.StringIO()
    csv.writer(target).writerows(records)
    return target.getvalue().encode()


@dataclass
class Desk:
    """One employee with the permission to import, known to the service."""

    harness: Harness
    employee_id: UUID = field(default_factory=new_id)
    permissions: tuple[str, ...] = (IMPORT,)

    async def open(self) -> "Desk":
        """Make the employee known."""
        await self.harness.deliver(employee(self.employee_id, name="Phạm Quản Lý"))
        return self

    @property
    def http(self) -> httpx.AsyncClient:
        """A client with this employee's token."""
        return self.harness.client(self.employee_id, self.permissions)

    async def work(self) -> None:
        """Let the worker do all that waits."""
        assert isinstance(self.harness.settings, ImportsSettings)
        while await work_next(self.harness.database, self.harness.settings):
            pass

    async def upload(self, content: bytes, name: str = "khach-hang.csv", **form: str) -> httpx.Response:
        """Send a file."""
        return await self.http.post("/api/v1/imports", files={"file": (name, content)}, data=form)

    async def upload_sheet(self, *records: Sequence[str], **form: str) -> dict[str, Any]:
        """Send records as a .csv and let it be read."""
        answer = await self.upload(csv_file(*records), **form)
        assert answer.status_code == 201, answer.text
        await self.work()
        return await self.read(answer.json()["id"])

    async def read(self, import_id: str) -> dict[str, Any]:
        """The import as it is now."""
        answer = await self.http.get(f"/api/v1/imports/{import_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def rows(self, import_id: str, **query: Any) -> list[dict[str, Any]]:
        """The first page of rows."""
        answer = await self.http.get(f"/api/v1/imports/{import_id}/rows", params={"limit": 200, **query})
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    async def preview(self, *records: Sequence[str], **options: Any) -> dict[str, Any]:
        """Upload, choose options, accept the proposed mapping, and let the preview be made."""
        job = await self.upload_sheet(*records)
        assert job["state"] == "awaiting_mapping", job
        path = f"/api/v1/imports/{job['id']}"
        if options:
            answer = await self.http.put(f"{path}/options", json=options)
            assert answer.status_code == 200, answer.text
        answer = await self.http.put(f"{path}/mapping", json={"columns": job["mapping"]["columns"]})
        assert answer.status_code == 200, answer.text
        await self.work()
        return await self.read(job["id"])

    async def confirm(self, import_id: str, **body: Any) -> httpx.Response:
        """Press confirm."""
        return await self.http.post(f"/api/v1/imports/{import_id}/confirm", json=body)

    async def confirmed(self) -> list[ImportRowsConfirmed]:
        """The chunks that went out."""
        return await self.harness.told(ImportRowsConfirmed)

    async def answer_all(self) -> None:
        """Play `customers` until every chunk is answered: each answer lets the next ones go out."""
        answered = 0
        while len(chunks := await self.confirmed()) > answered:
            await self.answer(*chunks[answered:])
            answered = len(chunks)

    async def answer(self, *chunks: ImportRowsConfirmed, **outcome: Any) -> None:
        """Play `customers`: every row of these chunks is written, unless `outcome` says otherwise."""
        await self.harness.deliver(*(applied(chunk, outcome) for chunk in chunks))


def applied(chunk: ImportRowsConfirmed, outcome: Mapping[str, Any] | None = None) -> ImportRowsApplied:
    """The answer of `customers` to a chunk."""
    rows = tuple(_applied_row(row, outcome or {}) for row in chunk.rows)
    return ImportRowsApplied(import_id=chunk.import_id, chunk=chunk.chunk, rows=rows)


def _applied_row(row: ConfirmedRow, outcome: Mapping[str, Any]) -> AppliedRow:
    values: dict[str, Any] = {
        "row": row.row,
        "outcome": "created" if row.action == "create" else "updated",
        "customer_id": row.customer_id or new_id(),
        "code": row.code or f"KH{row.row:06}",
        "version": 1,
    }
    return AppliedRow(**(values | dict(outcome)))
