"""A customers service with its administrator and one seller, and what its database looks like."""

from typing import Any
from uuid import UUID

import httpx

from services.customers.commands.employees import bootstrap_administrator
from services.customers.domain.employee import FIRST_EMPLOYEE_ID
from shared.identity import DELETE, EDIT_ALL, MANAGE_DIRECTORY, SETTINGS, VIEW_ALL
from tests.support.harness import Harness

ALL_PERMISSIONS = (VIEW_ALL, EDIT_ALL, DELETE, MANAGE_DIRECTORY, SETTINGS)
CUSTOMERS = "/api/v1/customers"


class Office:
    """The customers service under test; `admin` may do everything, `seller` sees their own."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.admin = harness.client(FIRST_EMPLOYEE_ID, ALL_PERMISSIONS)
        self.seller_id = UUID(int=0)
        self.seller = self.admin

    async def open(self) -> None:
        """Hire both."""
        async with self.harness.database.transaction() as session:
            await bootstrap_administrator(session, FIRST_EMPLOYEE_ID, "Quản trị viên", "ADMIN")
        answer = await self.admin.post("/api/v1/employees", json={"name": "Lan"})
        self.seller_id = UUID(answer.json()["id"])
        self.seller = self.harness.client(self.seller_id)

    async def create(self, **fields: Any) -> httpx.Response:
        """A customer of the administrator's."""
        answer = await self.admin.post(CUSTOMERS, json={"name": "Nguyễn Văn An", **fields})
        assert answer.status_code == 201, answer.text
        return answer

    async def count(self) -> int:
        """How many customers there are."""
        return (await self.harness.sql("SELECT count(*) FROM customer"))[0][0]


def without_trace(answer: httpx.Response) -> dict[str, Any]:
    """A problem as two callers may compare it: everything but the trace."""
    return {name: value for name, value in answer.json().items() if name != "trace_id"}
