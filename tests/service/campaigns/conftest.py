"""A campaigns service with people and customers in its copies."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest

from shared.contracts.events import Event
from shared.envelope import new_id
from shared.identity import MANAGE_CAMPAIGNS
from tests.conftest import MakeHarness
from tests.support.harness import Harness
from tests.support.records import customer, employee

API = "/api/v1"


@dataclass
class Office:
    """A manager and sellers Lan, Minh and Hoa; the manager is everybody's superior and may begin campaigns."""

    harness: Harness
    manager_id: UUID = field(default_factory=new_id)
    lan: UUID = field(default_factory=new_id)
    minh: UUID = field(default_factory=new_id)
    hoa: UUID = field(default_factory=new_id)

    async def open(self) -> None:
        """Tell the service who works here."""
        sellers = [(self.lan, "Lan"), (self.minh, "Minh"), (self.hoa, "Hoa")]
        await self.harness.deliver(
            employee(self.manager_id, name="Quản lý"),
            *(employee(person, name=name, superior_id=self.manager_id) for person, name in sellers),
        )

    @property
    def manager(self) -> httpx.AsyncClient:
        """The manager's client."""
        return self.harness.client(self.manager_id, [MANAGE_CAMPAIGNS])

    def client(self, employee_id: UUID, *permissions: str) -> httpx.AsyncClient:
        """Somebody's client."""
        return self.harness.client(employee_id, permissions)

    async def campaign(self, **values: Any) -> dict[str, Any]:
        """Begin a campaign as the manager."""
        answer = await self.manager.post(f"{API}/campaigns", json={"name": "Tết 2027", **values})
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def staff(self, campaign_id: str, *members: UUID | dict[str, Any]) -> httpx.Response:
        """Have these people as the campaign's staff."""
        items = [m if isinstance(m, dict) else {"employee_id": str(m)} for m in members]
        answer = await self.manager.put(f"{API}/campaigns/{campaign_id}/staff", json={"items": items})
        assert answer.status_code == 200, answer.text
        return answer

    async def customers(self, count: int, **state: Any) -> list[UUID]:
        """Customers the manager may change, because Hoa is responsible for them."""
        ids = [new_id() for _ in range(count)]
        await self.harness.deliver(*(customer(one, **{"manager_id": self.hoa, **state}) for one in ids))
        return ids

    async def add(self, campaign_id: str, customer_ids: Sequence[UUID]) -> list[str]:
        """Add customers as the manager; the new opportunities' ids."""
        answer = await self.post_customers(campaign_id, customer_ids)
        assert answer.status_code == 200, answer.text
        assert answer.json()["failed"] == 0, answer.text
        return [item["id"] for item in answer.json()["items"]]

    async def post_customers(self, campaign_id: str, customer_ids: Sequence[UUID]) -> httpx.Response:
        """Ask, as the manager, to add customers."""
        body = {"customer_ids": [str(one) for one in customer_ids]}
        return await self.manager.post(f"{API}/campaigns/{campaign_id}/opportunities", json=body)

    async def distribute(self, campaign_id: str) -> dict[str, Any]:
        """Hand out everything that nobody owns."""
        answer = await self.manager.post(f"{API}/campaigns/{campaign_id}/distribute", json={})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def give(self, opportunity_id: str, employee_id: UUID, **headers: str) -> httpx.Response:
        """Give an opportunity to somebody by hand, as the manager."""
        body = {"employee_id": str(employee_id)}
        return await self.manager.put(f"{API}/opportunities/{opportunity_id}/owner", json=body, headers=headers)

    async def opportunity(self, opportunity_id: str) -> dict[str, Any]:
        """An opportunity as the manager reads it."""
        answer = await self.manager.get(f"{API}/opportunities/{opportunity_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def told(self, kind: type[Event]) -> list[Any]:
        """Events of one class that the service has told."""
        return await self.harness.told(kind)


@pytest.fixture
async def office(make_harness: MakeHarness) -> Office:
    """A service with people."""
    office = Office(await make_harness("campaigns"))
    await office.open()
    return office
