"""A stranger's copy of `crm.customers` beside the API of a running system."""

import asyncio
import json
import os
import sys
from datetime import datetime
from typing import Any

import httpx

from deploy.local.settings import PROJECT
from tests.end_to_end.foreign_reader.running import read_customers
from tests.support.system import Rapport, eventually

AGREE_SECONDS = 60
MOMENTS = ("created_at", "updated_at", "manager_set_at", "first_closed_at", "deleted_at")


async def test_a_reader_in_java_ends_with_the_same_customers_as_the_api(rapport: Rapport) -> None:
    """Topic and API tell the same after creates, updates, a deletion, a restore, a transfer and a republish."""
    people = await rapport.employees("Đặng Thị Ánh", "Lý Quốc Huy")
    anh, huy = people.values()
    async with rapport.client() as admin:
        kept, transferred, deleted, restored = [await _create(admin, number) for number in range(4)]
        await _done(admin.patch(f"/customers/{kept}", json={"description": 'Thích "cà phê"\nvà 🎋', "gender": None}))
        await _done(admin.patch(f"/customers/{kept}", json={"address": {"province": "Đà Nẵng"}}))
        await _done(admin.put(f"/customers/{transferred}/manager", json={"employee_id": anh}))
        await _done(admin.put(f"/customers/{transferred}/viewers", json={"employee_ids": [huy]}))
        await _done(admin.delete(f"/customers/{deleted}"))
        await _done(admin.delete(f"/customers/{restored}"))
        await _done(admin.post(f"/customers/{restored}/restore"))
        before = await eventually(lambda: _agreed(rapport, admin), AGREE_SECONDS)
        assert {kept, transferred, restored} <= before.keys()
        assert deleted not in before
        assert before[transferred]["state"]["manager_id"] == anh
        assert await _republish(rapport) >= len(before)
        await _done(admin.patch(f"/customers/{kept}", json={"name": "Bùi Thị Kiều Oanh"}))
        after = await eventually(lambda: _agreed(rapport, admin), AGREE_SECONDS)
        assert after[kept]["state"]["name"] == "Bùi Thị Kiều Oanh"
        assert after.keys() == before.keys()


async def _create(admin: httpx.AsyncClient, number: int) -> str:
    fields = {"name": f"Trần Thị Ngọc Ánh {number}", "emails": [f"anh{number}@example.vn"], "birth_date": "1990-03-25"}
    return (await _done(admin.post("/customers", json=fields))).json()["id"]


async def _done(request: Any) -> httpx.Response:
    answer = await request
    assert answer.status_code < 300, answer.text
    return answer


async def _agreed(rapport: Rapport, admin: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    """What the reader holds, when it is what the API shows."""
    read = await read_customers(rapport.bootstrap_servers)
    shown = await _shown(admin)
    assert read.keys() == shown.keys(), f"of one side only: {sorted(read.keys() ^ shown.keys())[:10]}"
    for customer_id, record in shown.items():
        state = read[customer_id]["state"]
        expected = {name: record[name] for name in state} | {"version": record["version"]}
        assert _comparable(state | {"version": read[customer_id]["version"]}) == _comparable(expected)
    return read


async def _shown(admin: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    """Every live customer by its id, page by page."""
    found: dict[str, dict[str, Any]] = {}
    cursor: str | None = None
    while True:
        asked = {"limit": 200} | ({"cursor": cursor} if cursor else {})
        page = (await _done(admin.get("/customers", params=asked))).json()
        found |= {record["id"]: record for record in page["items"]}
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def _comparable(record: dict[str, Any]) -> dict[str, Any]:
    """Moments as moments: the same one may be written with more or fewer digits."""
    moments = {name: datetime.fromisoformat(record[name]) for name in MOMENTS if record[name]}
    return record | moments


async def _republish(rapport: Rapport) -> int:
    """Say the state of every customer again; answers how many."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.customers", "republish", "crm.customers"),
        env=os.environ | rapport.environment,
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return json.loads(said.splitlines()[-1])["republished"]
