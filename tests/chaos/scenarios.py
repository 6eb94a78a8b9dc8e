"""Work that goes on while something breaks, and what must be true afterwards.

Every scenario retries as a client would, waits until all is quiet again, and looks at what people
see and at the topics: nothing lost, nothing twice, no gap in any customer's versions.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from shared.contracts.customers import CUSTOMERS
from shared.contracts.interactions import INGEST, INTERACTIONS, SUMMARIES
from tests.chaos.histories import histories
from tests.support.system import Rapport, eventually

RECOVERY_SECONDS = 40
RETRY_SECONDS = 0.1
OCCURRED_AT = "2026-03-02T03:04:05Z"


async def persistently(
    ask: Callable[[], Awaitable[httpx.Response]], status: int, seconds: float = RECOVERY_SECONDS
) -> httpx.Response:
    """Send a request until it succeeds. A service that is away says 503 or nothing; never 500, never nonsense."""

    async def once() -> httpx.Response | None:
        try:
            answer = await ask()
        except httpx.TransportError:
            return None
        assert answer.status_code in (status, 503, 504, 409), answer.text
        if answer.status_code == 409:
            assert answer.json()["code"] == "request_in_progress", answer.text
        return answer if answer.status_code == status else None

    deadline = asyncio.get_running_loop().time() + seconds
    while (answer := await once()) is None:
        assert asyncio.get_running_loop().time() < deadline, "the service did not come back"
        await asyncio.sleep(RETRY_SECONDS)
    return answer


async def some_customers(rapport: Rapport, count: int) -> list[str]:
    """New customers whose summaries are known; answers their ids."""
    async with rapport.client() as admin:
        made = await asyncio.gather(*(admin.post("/customers", json={"name": f"Sóng {n}"}) for n in range(count)))
        ids = [answer.json()["id"] for answer in made]
        for customer_id in ids:
            await eventually(lambda i=customer_id: _is_known(admin, i), seconds=RECOVERY_SECONDS)
    return ids


class Facts:
    """Facts from a connector's own producer, one per customer and wave; each counts one."""

    def __init__(self, rapport: Rapport, customer_ids: Sequence[str]) -> None:
        self._rapport, self.customer_ids = rapport, customer_ids
        self._producer = AIOKafkaProducer(bootstrap_servers=rapport.bootstrap_servers, enable_idempotence=True)
        self._marker = uuid4().hex
        self.waves = 0

    async def __aenter__(self) -> "Facts":
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def report(self, waves: int, pause_seconds: float) -> None:
        """Send waves of facts, with a pause after each."""
        for _ in range(waves):
            self.waves += 1
            for customer_id in self.customer_ids:
                await self._producer.send(
                    INGEST.name,
                    key=customer_id.encode(),
                    value=self._body(customer_id),
                    headers=[(name, value.encode()) for name, value in _headers().items()],
                )
            await self._producer.flush()
            await asyncio.sleep(pause_seconds)

    @asynccontextmanager
    async def kept_coming(self, pause_seconds: float) -> AsyncIterator[None]:
        """Send one wave after the other while the block runs."""
        done = asyncio.Event()

        async def report() -> None:
            while not done.is_set():
                await self.report(1, pause_seconds)

        reporting = asyncio.create_task(report())
        try:
            yield
        finally:
            done.set()
            await reporting

    async def are_shown(self) -> None:
        """Every fact moved its customer's count by one."""
        async with self._rapport.client() as admin:
            for customer_id in self.customer_ids:
                await eventually(lambda i=customer_id: self._counted(admin, i), seconds=RECOVERY_SECONDS)

    async def are_counted_once(self) -> None:
        """Every fact is shown, and was recorded by one event; no version is missing."""
        await self.are_shown()
        servers, ids = self._rapport.bootstrap_servers, self.customer_ids
        for history in (await histories(servers, SUMMARIES, ids)).values():
            history.require_gapless()
        for history in (await histories(servers, INTERACTIONS, ids)).values():
            told = Counter(event["source_id"] for event in history.events() if self._marker in event["source_id"])
            assert set(told.values()) == {1}, told
            assert len(told) == self.waves

    async def _counted(self, admin: httpx.AsyncClient, customer_id: str) -> bool:
        for path in (f"/customers/{customer_id}", f"/interaction-summaries/{customer_id}"):
            answer = await admin.get(path)
            assert answer.status_code == 200, answer.text
            shown = answer.json()["interaction_count"] - 1  # that the customer was created counts, too
            if shown > self.waves:
                pytest.fail(f"{path} shows {shown} facts where there are {self.waves}")  # no waiting makes it fewer
            assert shown == self.waves, f"{path} shows {shown} of {self.waves} facts"
        return True

    def _body(self, customer_id: str) -> bytes:
        fact = {"customer_id": customer_id, "kind": "sms", "fact": "sent", "occurred_at": OCCURRED_AT}
        return msgspec.json.encode({**fact, "source_id": f"{self._marker}/{self.waves}"})


class Patches:
    """Changes of names by a client that repeats what was not answered."""

    def __init__(self, rapport: Rapport, customer_ids: Sequence[str]) -> None:
        self._rapport, self.customer_ids = rapport, customer_ids
        self._marker = uuid4().hex[:8]
        self._versions: dict[str, str] = {}
        self.count = 0

    async def make(self, count: int, pause_seconds: float = 0) -> None:
        """Give every customer `count` new names in turn."""
        async with self._rapport.client() as admin:
            for _ in range(count):
                self.count += 1
                await asyncio.gather(*(self._rename(admin, customer_id) for customer_id in self.customer_ids))
                await asyncio.sleep(pause_seconds)

    async def arrived_everywhere(self) -> None:
        """The last names are there, every copy has the last version, and no version is missing on the topic."""
        async with self._rapport.client() as admin:
            for customer_id in self.customer_ids:
                record = (await admin.get(f"/customers/{customer_id}")).json()
                assert record["name"] == f"{self._marker} {self.count}"
                for path in ("/opportunities?limit=1", "/imports?limit=1", f"/interactions?customer_id={customer_id}"):
                    await eventually(lambda p=path, i=customer_id: self._has_copy(admin, p, i), RECOVERY_SECONDS)
        found = await histories(self._rapport.bootstrap_servers, CUSTOMERS, self.customer_ids)
        for history in found.values():
            history.require_gapless()
            names = [event["state"]["name"] for event in history.events()]
            expected = [f"{self._marker} {number}" for number in range(1, self.count + 1)]
            assert [name for name in names if self._marker in name] == expected

    async def _rename(self, admin: httpx.AsyncClient, customer_id: str) -> None:
        body = {"name": f"{self._marker} {self.count}"}
        answer = await persistently(lambda: admin.patch(f"/customers/{customer_id}", json=body), 200)
        self._versions[customer_id] = answer.headers["customer-version"]

    async def _has_copy(self, admin: httpx.AsyncClient, path: str, customer_id: str) -> bool:
        answer = await admin.get(path, headers={"Wait-For": self._versions[customer_id]})
        assert answer.status_code == 200, f"{path} has not heard of the last change: {answer.text}"
        return True


class Creations:
    """New customers, each asked for with a key until it is answered."""

    def __init__(self, rapport: Rapport) -> None:
        self._rapport = rapport
        self._marker = f"khach{uuid4().hex[:8]}"
        self._ids: list[str] = []

    async def make(self, clients: int, each: int) -> None:
        """Several clients at once, each creating some customers one after the other."""
        await asyncio.gather(*(self._work(number, each) for number in range(clients)))

    async def exist_once(self) -> None:
        """As many customers as were asked for, those that were answered, each told by one event."""
        async with self._rapport.client() as admin:
            found = (await admin.get("/customers", params={"q": self._marker, "limit": 200})).json()["items"]
        assert len(found) == len(self._ids), f"{len(found)} customers where {len(self._ids)} were made"
        assert {item["id"] for item in found} == set(self._ids)
        await eventually(self._are_told, seconds=RECOVERY_SECONDS)

    async def _work(self, client: int, each: int) -> None:
        async with self._rapport.client() as admin:
            for number in range(each):
                body = {"name": f"{self._marker} {client} {number}"}
                headers = {"Idempotency-Key": f"{self._marker}-{client}-{number}"}
                answer = await persistently(lambda b=body, h=headers: admin.post("/customers", json=b, headers=h), 201)
                self._ids.append(answer.json()["id"])

    async def _are_told(self) -> bool:
        found = await histories(self._rapport.bootstrap_servers, CUSTOMERS, self._ids)
        for history in found.values():
            assert history.records, "not told yet"
            history.require_gapless()
        return True


async def _is_known(admin: httpx.AsyncClient, customer_id: str) -> bool:
    return (await admin.get(f"/interaction-summaries/{customer_id}")).status_code == 200


def _headers() -> dict[str, Any]:
    return {
        "ce_specversion": "1.0",
        "ce_id": str(uuid4()),
        "ce_source": "dev-connector",
        "ce_type": "crm.interaction_fact.reported.v1",
    }
