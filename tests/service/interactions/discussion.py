"""A discussion about one customer among people who see it in every way there is."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx

from shared.contracts.customers import CustomerErased, ErasedState
from shared.contracts.events import Cause
from shared.envelope import new_id
from tests.service.interactions.world import World
from tests.support.records import customer, employee

Answer = dict[str, Any]


class Discussion:
    """The seller's customer, with the seller's superior and a viewer; the stranger sees nothing."""

    def __init__(self, world: World) -> None:
        self.world, self.harness, self.customer_id = world, world.harness, world.customer_id
        self.seller_id, self.stranger_id = world.seller_id, world.stranger_id
        self.superior_id, self.viewer_id = new_id(), new_id()
        self._version = 1

    async def begin(self) -> None:
        """Let the directory and the customer say so."""
        superior, viewer = employee(self.superior_id), employee(self.viewer_id)
        seller = employee(self.seller_id, version=2, superior_id=self.superior_id, name="Lan")
        await self.harness.deliver(superior, viewer, seller)
        await self.change_customer()

    async def change_customer(self, customer_id: UUID | None = None, **values: Any) -> None:
        """The customer's next version."""
        self._version += 1
        given: dict[str, Any] = {"manager_id": self.seller_id, "viewer_ids": (self.viewer_id,)}
        await self.harness.deliver(
            customer(customer_id or self.customer_id, version=self._version, **(given | values)),
        )

    async def erase(self, customer_id: UUID) -> None:
        """The customer is erased."""
        self._version += 1
        state = ErasedState(id=customer_id)
        await self.harness.deliver(CustomerErased(version=self._version, state=state, cause=Cause(kind="user")))

    def client(self, employee_id: UUID, permissions: Sequence[str] = ()) -> httpx.AsyncClient:
        """Somebody's HTTP client."""
        return self.harness.client(employee_id, permissions)

    async def try_post(
        self, by: UUID, text: str = "Đã gọi, chưa nghe máy", customer_id: UUID | None = None, **more: Any
    ) -> httpx.Response:
        """Post a comment; whatever the answer."""
        body = {"customer_id": str(customer_id or self.customer_id), "text": text, **more}
        return await self.client(by).post("/api/v1/comments", json=body)

    async def post(self, by: UUID, text: str = "Đã gọi, chưa nghe máy", **more: Any) -> Answer:
        """Post a comment that is taken."""
        answer = await self.try_post(by, text, **more)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def comments(self, by: UUID, **more: Any) -> Answer:
        """A page of the discussion as somebody reads it."""
        parameters = {"customer_id": str(self.customer_id), **more}
        answer = await self.client(by).get("/api/v1/comments", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def texts(self, by: UUID) -> list[str]:
        """What somebody reads, newest first."""
        return [item["text"] for item in (await self.comments(by))["items"]]

    async def unread(self, by: UUID, permissions: Sequence[str] = (), **more: Any) -> Answer:
        """Somebody's New Updated list."""
        answer = await self.client(by, permissions).get("/api/v1/unread-comments", params=more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def badge(self, by: UUID, permissions: Sequence[str] = ()) -> int:
        """Somebody's badge; the list, read at the same time, says the same."""
        alone = await self.unread(by, permissions, limit=0)
        listed = await self.unread(by, permissions, limit=200)
        assert alone["badge"] == listed["badge"] == sum(item["unread"] for item in listed["items"])
        return alone["badge"]

    async def try_read(self, by: UUID, up_to: Any, customer_id: UUID | None = None) -> httpx.Response:
        """Mark as read up to a comment; whatever the answer."""
        body = {"customer_id": str(customer_id or self.customer_id), "up_to": str(up_to)}
        return await self.client(by).post("/api/v1/comments/read", json=body)

    async def read(self, by: UUID, comment: Answer) -> Answer:
        """Mark as read up to a comment."""
        answer = await self.try_read(by, comment["id"], UUID(comment["customer_id"]))
        assert answer.status_code == 200, answer.text
        return answer.json()
