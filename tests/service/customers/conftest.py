"""A customers service with a small sales team: An leads Bình and Chi; Dũng stands alone."""

from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest

from services.customers.domain.employee import FIRST_EMPLOYEE_ID
from shared.database import Database
from shared.identity import DELETE, MANAGE_DIRECTORY, SETTINGS
from tests.conftest import MakeHarness
from tests.support.harness import Harness

PEOPLE = {"an": None, "binh": "an", "chi": "an", "dung": None}


@dataclass
class Team:
    """The service and its people; `team.binh` is an HTTP client, `team.ids["binh"]` the id."""

    harness: Harness
    ids: dict[str, UUID]
    admin: httpx.AsyncClient

    def __getattr__(self, name: str) -> httpx.AsyncClient:
        if name not in self.ids:
            raise AttributeError(name)
        return self.harness.client(self.ids[name])

    def as_(self, name: str, *permissions: str) -> httpx.AsyncClient:
        """Somebody with permissions."""
        return self.harness.client(self.ids[name], permissions)

    async def create(self, client: httpx.AsyncClient, **fields: object) -> dict[str, object]:
        """A customer, created over HTTP."""
        answer = await client.post("/api/v1/customers", json={"name": "Nguyễn Văn An", **fields})
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture
async def team(make_harness: MakeHarness) -> Team:
    """A fresh service with its people."""
    harness = await make_harness("customers")
    await bootstrap(harness.database)
    admin = harness.client(FIRST_EMPLOYEE_ID, [MANAGE_DIRECTORY, SETTINGS, DELETE])
    ids: dict[str, UUID] = {}
    for name, superior in PEOPLE.items():
        body = {"name": name.capitalize(), "superior_id": str(ids[superior]) if superior else None}
        answer = await admin.post("/api/v1/employees", json=body)
        assert answer.status_code == 201, answer.text
        ids[name] = UUID(answer.json()["id"])
    await harness.forget_told()
    return Team(harness, ids, admin)


async def bootstrap(database: Database) -> None:
    """The administrator of a fresh system."""
    from services.customers.commands.employees import bootstrap_administrator

    async with database.transaction() as session:
        await bootstrap_administrator(session, FIRST_EMPLOYEE_ID, "Quản trị viên", "ADMIN")
