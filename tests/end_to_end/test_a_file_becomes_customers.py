"""Flow 3: a file is uploaded, reviewed, confirmed, and its rows are customers that count one."""

import asyncio
import io
from collections import Counter
from typing import Any

import httpx
import openpyxl

from deploy.demo.generate import DATA_FOLDER, EXPECTED_CREATED, EXPECTED_ERRORS, ROWS
from shared.identity import IMPORT
from tests.support.system import Rapport, eventually

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def upload(client: httpx.AsyncClient, name: str, content: bytes, kind: str = XLSX) -> str:
    """Upload a file; answers the import's id."""
    answer = await client.post("/imports", files={"file": (name, content, kind)}, data={"kind": "customers"})
    assert answer.status_code in (201, 202), answer.text
    return answer.json()["id"]


async def reaches(client: httpx.AsyncClient, import_id: str, *states: str) -> dict[str, Any]:
    """The import once it is in one of the states."""

    async def look() -> dict[str, Any]:
        record = (await client.get(f"/imports/{import_id}")).json()
        assert record["state"] in states, record
        return record

    return await eventually(look, seconds=30)


async def accept_mapping(client: httpx.AsyncClient, import_id: str) -> None:
    """Take the proposed mapping as it is."""
    record = await reaches(client, import_id, "awaiting_mapping")
    columns = [{"index": c["index"], "field": c["field"]} for c in record["mapping"]["columns"]]
    body = {"header_row": record["mapping"]["header_row"], "columns": columns}
    answer = await client.put(f"/imports/{import_id}/mapping", json=body)
    assert answer.status_code == 200, answer.text


async def test_the_demo_file_is_reviewed_confirmed_and_applied(rapport: Rapport) -> None:
    """M1, M2, M3, M7, M9, M11, I1: every row has an outcome; those without fault are customers, each once."""
    people = await rapport.employees("Người nhập")
    importer = rapport.client(people["Người nhập"], [IMPORT])
    async with importer:
        import_id = await upload(importer, "customers.xlsx", (DATA_FOLDER / "customers.xlsx").read_bytes())
        await accept_mapping(importer, import_id)
        record = await reaches(importer, import_id, "ready")
        assert record["counts"] == {"create": EXPECTED_CREATED, "error": sum(EXPECTED_ERRORS.values())}
        assert record["warnings"]
        blocked = await importer.post(f"/imports/{import_id}/confirm", json={"skip_errors": False})
        assert (blocked.status_code, blocked.json()["code"]) == (409, "has_errors")
        before = await _total(importer)
        confirmed, states = await asyncio.gather(
            importer.post(f"/imports/{import_id}/confirm", json={"skip_errors": True}), _stream(importer, import_id)
        )
        assert confirmed.status_code == 202, confirmed.text
        assert states[-1] == "finished"
        done = await reaches(importer, import_id, "finished")
        assert done["counts"]["created"] == EXPECTED_CREATED
        again = await importer.post(f"/imports/{import_id}/confirm", json={"skip_errors": True})
        assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
        assert await _total(importer) - before == EXPECTED_CREATED
        page = (await importer.get("/customers", params={"limit": 50})).json()["items"]
        assert {item["interaction_count"] for item in page} == {1}
        assert {item["origin"]["id"] for item in page} == {import_id}
        await _result_file_is_annotated(importer, import_id)


async def test_the_same_file_again_is_known(rapport: Rapport) -> None:
    """M9: equal bytes by the same uploader answer already_imported, unless repeat is asked for."""
    people = await rapport.employees("Nhập hai lần")
    async with rapport.client(people["Nhập hai lần"], [IMPORT]) as importer:
        content = "Customer Name,Phone\r\nMột Lần,\r\n".encode()
        import_id = await upload(importer, "a.csv", content, "text/csv")
        await accept_mapping(importer, import_id)
        await reaches(importer, import_id, "ready")
        await importer.post(f"/imports/{import_id}/confirm", json={"skip_errors": False})
        await reaches(importer, import_id, "finished")
        answer = await importer.post("/imports", files={"file": ("b.csv", content, "text/csv")})
        assert (answer.status_code, answer.json()["code"]) == (409, "already_imported")


async def test_an_overwrite_changes_named_cells_and_conflicts_are_left_alone(rapport: Rapport) -> None:
    """M2, M3, M4, M5: a partial file by code; a customer changed after the preview comes back as a conflict."""
    people = await rapport.employees("Sửa tệp")
    async with rapport.client(people["Sửa tệp"], [IMPORT]) as importer:
        made = [await importer.post("/customers", json={"name": f"Sửa {n}", "occupation": "cũ"}) for n in range(2)]
        records = [answer.json() for answer in made]
        lines = ["Mã khách hàng;Nghề nghiệp;Mô tả", *(f"{r['code']};mới;" for r in records)]
        headers = {"Wait-For": ",".join(answer.headers["customer-version"] for answer in made)}
        await eventually(lambda: _status(importer, "/imports", headers, 200))
        import_id = await upload(importer, "sua.csv", "\r\n".join(lines).encode(), "text/csv")
        await accept_mapping(importer, import_id)
        await reaches(importer, import_id, "ready")
        options = await importer.put(f"/imports/{import_id}/options", json={"overwrite": True})
        assert options.status_code == 200, options.text
        await eventually(lambda: _counts(importer, import_id, {"update": 2}))
        rows = (await importer.get(f"/imports/{import_id}/rows")).json()["items"]
        assert [row["changes"]["occupation"] for row in rows] == [{"old": "cũ", "new": "mới"}] * 2
        await importer.patch(f"/customers/{records[1]['id']}", json={"occupation": "người khác"})
        answer = await importer.post(f"/imports/{import_id}/confirm", json={"skip_errors": False})
        assert answer.status_code == 202, answer.text
        done = await reaches(importer, import_id, "finished")
        assert done["counts"] == {"updated": 1, "conflict": 1}
        kept = (await importer.get(f"/customers/{records[1]['id']}")).json()
        assert kept["occupation"] == "người khác"


async def _stream(client: httpx.AsyncClient, import_id: str) -> list[str]:
    """Follow the import's events until it ends; answers the states seen."""
    states: list[str] = []
    async with client.stream("GET", f"/imports/{import_id}/events") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data:"):
                states.append(httpx.Response(200, content=line.removeprefix("data:")).json()["state"])
                if states[-1] in ("finished", "failed"):
                    break
    return states


async def _result_file_is_annotated(client: httpx.AsyncClient, import_id: str) -> None:
    answer = await client.get(f"/imports/{import_id}/result-file")
    assert answer.status_code == 200, answer.text
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).worksheets[0]
    rows = list(sheet.iter_rows(values_only=True))
    assert len(rows) == ROWS + 1
    outcomes = Counter(
        cell for row in rows[1:] for cell in row if cell in ("created", "error", "skipped", "Đã tạo", "Lỗi")
    )
    assert sum(outcomes.values()) >= ROWS - sum(EXPECTED_ERRORS.values())


async def _total(client: httpx.AsyncClient) -> int:
    return (await client.get("/customers", params={"limit": 1, "total": "true"})).json()["total"]


async def _counts(client: httpx.AsyncClient, import_id: str, wanted: dict[str, int]) -> bool:
    record = (await client.get(f"/imports/{import_id}")).json()
    assert (record["state"], record["counts"]) == ("ready", wanted), record
    return True


async def _status(client: httpx.AsyncClient, path: str, headers: dict[str, str], wanted: int) -> bool:
    return (await client.get(path, headers=headers)).status_code == wanted
