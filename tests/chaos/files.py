"""One import and its undo, by a client that looks what is next and repeats what was not answered."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx

from shared.contracts.customers import CUSTOMERS
from tests.chaos.histories import histories
from tests.chaos.scenarios import persistently
from tests.support.system import Rapport

ROWS = 1_200
"""Three chunks: there is a half of everything."""

STORY_SECONDS = 180
"""A worker that was killed is followed when its lease of 25 seconds ends."""

LOOK_SECONDS = 0.2
PAGE = 200


class File:
    """A file of new customers on its way there and back."""

    def __init__(self, rapport: Rapport) -> None:
        self._rapport, self._marker = rapport, f"tep{uuid4().hex[:8]}"
        self._id = ""

    async def goes_there_and_back(self) -> None:
        """Upload, accept the mapping, confirm, take back; every row is a customer once, then none any more."""
        async with self._rapport.client() as admin, asyncio.timeout(STORY_SECONDS):
            files = {"file": (f"{self._marker}.csv", self._content())}
            uploaded = await persistently(lambda: admin.post("/imports", files=files, headers=self._key("upload")), 201)
            self._id = uploaded.json()["id"]
            while (state := await self._next_step(admin)) != "undone":
                assert state not in ("failed", "cancelled"), state
                await asyncio.sleep(LOOK_SECONDS)

    async def was_written_once(self) -> None:
        """Every row was created by one event and deleted by one; no other customer came of the file."""
        async with self._rapport.client() as admin:
            rows = await self._rows(admin)
        assert {row["outcome"] for row in rows} == {"undone"}
        ids = {row["customer_id"] for row in rows}
        assert len(rows) == len(ids) == ROWS
        for history in (await histories(self._rapport.bootstrap_servers, CUSTOMERS, ids)).values():
            history.require_gapless()
            assert [event["state"]["state"] for event in history.events()] == ["active", "deleted"]

    async def _next_step(self, admin: httpx.AsyncClient) -> str:
        """Look where the import is and do what is next."""
        path = f"/imports/{self._id}"
        job = (await persistently(lambda: admin.get(path), 200)).json()
        if job["state"] == "awaiting_mapping":
            columns = [{"index": column["index"], "field": column["field"]} for column in job["mapping"]["columns"]]
            await self._try(admin.put(f"{path}/mapping", json={"columns": columns}))
        elif job["state"] == "ready":
            assert job["counts"] == {"create": ROWS}
            await persistently(lambda: admin.post(f"{path}/confirm", json={}, headers=self._key("confirm")), 202)
        elif job["state"] == "finished":
            assert job["counts"] == {"created": ROWS}
            await self._is_there_once(admin)
            await persistently(lambda: admin.post(f"{path}/undo", headers=self._key("undo")), 202)
        return job["state"]

    async def _try(self, asked: Any) -> None:
        """Ask once: whether it was heard is seen by the state."""
        try:
            answer = await asked
        except httpx.TransportError:
            return
        assert answer.status_code in (200, 409, 503, 504), answer.text

    async def _is_there_once(self, admin: httpx.AsyncClient) -> None:
        body = {"filter": {"field": "origin.id", "op": "eq", "value": self._id}, "limit": 1, "total": True}
        found = await persistently(lambda: admin.post("/customers/search", json=body), 200)
        assert found.json()["total"] == ROWS

    async def _rows(self, admin: httpx.AsyncClient) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        query: dict[str, Any] = {"limit": PAGE}
        while True:
            page = (await persistently(lambda: admin.get(f"/imports/{self._id}/rows", params=query), 200)).json()
            rows += page["items"]
            if page["next_cursor"] is None:
                return rows
            query["cursor"] = page["next_cursor"]

    def _content(self) -> bytes:
        lines = ["Tên khách hàng,Nghề nghiệp", *(f"{self._marker} {number},Y tá" for number in range(ROWS))]
        return "\r\n".join(lines).encode()

    def _key(self, step: str) -> dict[str, str]:
        return {"Idempotency-Key": f"{self._marker}-{step}"}
