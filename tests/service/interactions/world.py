"""The interactions service with two employees, one customer of theirs, and a connector."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from shared.envelope import new_id
from tests.support.harness import Harness
from tests.support.records import customer, employee

CONNECTOR = "dev-connector"
NOON = datetime(2026, 11, 2, 5, tzinfo=UTC)
"""Noon in Ho Chi Minh City; tests count minutes from it."""


def at(minutes: float) -> datetime:
    """A moment, in minutes after noon."""
    return NOON + timedelta(minutes=minutes)


class World:
    """A service with a seller, a stranger to their customer, the customer and a connector."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.seller_id, self.stranger_id, self.customer_id = new_id(), new_id(), new_id()

    async def begin(self) -> None:
        """Deliver what the other service would have told."""
        await self.harness.deliver(employee(self.seller_id), employee(self.stranger_id))
        await self.harness.deliver(customer(self.customer_id, manager_id=self.seller_id))

    @property
    def seller(self) -> httpx.AsyncClient:
        """The customer's responsible person."""
        return self.harness.client(self.seller_id)

    @property
    def stranger(self) -> httpx.AsyncClient:
        """An employee who does not see the customer."""
        return self.harness.client(self.stranger_id)

    @property
    def connector(self) -> httpx.AsyncClient:
        """A service that may report facts."""
        return self.harness.client(CONNECTOR, ["interactions:ingest"], "service")

    def fact(self, kind: str, fact: str, minutes: float = 0, source_id: str = "1", **more: Any) -> dict[str, Any]:
        """A fact about the customer as a request carries it."""
        return {
            "customer_id": str(self.customer_id),
            "kind": kind,
            "source_id": source_id,
            "fact": fact,
            "occurred_at": at(minutes).isoformat(),
            **more,
        }

    async def report(self, *facts: dict[str, Any], by: httpx.AsyncClient | None = None) -> list[dict[str, Any]]:
        """Post facts; answers the outcomes."""
        answer = await (by or self.connector).post("/api/v1/interactions/facts", json={"items": list(facts)})
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    async def summary(self, customer_id: UUID | None = None) -> dict[str, Any]:
        """The customer's summary as the seller reads it."""
        answer = await self.seller.get(f"/api/v1/interaction-summaries/{customer_id or self.customer_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def count(self) -> int:
        """The customer's interaction count."""
        return (await self.summary())["interaction_count"]

    async def explanation(self) -> dict[str, int]:
        """What each row contributes, by kind and source id (and link)."""
        answer = await self.seller.get(f"/api/v1/interaction-summaries/{self.customer_id}/explanation?limit=200")
        assert answer.status_code == 200, answer.text
        return {
            " ".join(filter(None, (item["kind"], item["source_id"], item["link"]))): item["contribution"]
            for item in answer.json()["items"]
            if item["kind"] != "created"
        }
