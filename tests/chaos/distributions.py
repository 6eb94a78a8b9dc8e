"""One distribution, by a client that repeats what was not answered, and the customers who follow it."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import httpx

from shared.contracts.campaigns import OPPORTUNITIES
from shared.contracts.customers import CUSTOMERS
from tests.chaos.histories import histories
from tests.chaos.scenarios import RECOVERY_SECONDS, persistently
from tests.support.system import Rapport, eventually


class Distribution:
    """A campaign with customers and staff, to be handed out."""

    def __init__(self, rapport: Rapport, customer_ids: Sequence[str], staff: Sequence[str]) -> None:
        self._rapport, self._customer_ids, self._staff = rapport, customer_ids, staff
        self._campaign_id = ""

    async def begin(self) -> None:
        """Make the campaign; `customers` has heard of all its opportunities when it is ready."""
        async with self._rapport.client() as admin:
            self._campaign_id = (await admin.post("/campaigns", json={"name": "Sóng"})).json()["id"]
            path = f"/campaigns/{self._campaign_id}"
            items = [{"employee_id": person} for person in self._staff]
            assert (await admin.put(f"{path}/staff", json={"items": items})).status_code == 200
            added = await admin.post(f"{path}/opportunities", json={"customer_ids": self._customer_ids})
            assert added.json()["succeeded"] == len(self._customer_ids), added.text
            await eventually(lambda: self._is_heard_of(admin), seconds=RECOVERY_SECONDS)

    async def hand_out(self) -> None:
        """Distribute everything; answers when it is done."""
        path, headers = f"/campaigns/{self._campaign_id}/distribute", {"Idempotency-Key": uuid4().hex}
        async with self._rapport.client() as admin:
            done = await persistently(lambda: admin.post(path, json={}, headers=headers), 200)
        assert done.json()["assigned"] == len(self._customer_ids), done.text

    async def gave_everyone_one_manager(self) -> None:
        """Shares are even, every owner is their customer's manager, and each change was told by one event."""
        async with self._rapport.client() as admin:
            query = {"campaign_id": self._campaign_id, "limit": 200}
            found = (await admin.get("/opportunities", params=query)).json()["items"]
            owners = {item["customer_id"]: item["owner_id"] for item in found}
            shares = Counter(owners.values())
            assert owners.keys() == set(self._customer_ids)
            assert set(shares) == set(self._staff)
            assert max(shares.values()) - min(shares.values()) <= 1, shares
            for customer_id, owner_id in owners.items():
                await eventually(lambda i=customer_id, o=owner_id: _is_manager(admin, i, o), seconds=RECOVERY_SECONDS)
        servers = self._rapport.bootstrap_servers
        told, followed = await asyncio.gather(
            histories(servers, OPPORTUNITIES, {item["id"] for item in found}), histories(servers, CUSTOMERS, owners)
        )
        for history in told.values():
            history.require_gapless()
            assert [event["state"]["owner_id"] is None for event in history.events()] == [True, False]
        for customer_id, history in followed.items():
            history.require_gapless()
            given = [event for event in history.events() if event["cause"]["kind"] == "campaign"]
            assert [event["state"]["manager_id"] for event in given] == [owners[customer_id]], "followed more than once"

    async def _is_heard_of(self, admin: httpx.AsyncClient) -> bool:
        query: dict[str, Any] = {"campaign": self._campaign_id, "limit": 1, "total": True}
        total = (await admin.get("/customers", params=query)).json()["total"]
        assert total == len(self._customer_ids), f"customers has heard of {total}"
        return True


async def _is_manager(admin: httpx.AsyncClient, customer_id: str, owner_id: str) -> bool:
    record = (await admin.get(f"/customers/{customer_id}")).json()
    assert record["manager_id"] == owner_id, "the owner is not the manager"
    return True
