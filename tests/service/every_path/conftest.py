"""Each of the four services with an administrator who may do everything and a seller with no permission."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from deploy.local.keys import ADMINISTRATOR_PERMISSIONS
from services.customers.domain.employee import FIRST_EMPLOYEE_ID
from shared.contracts.catalogue import SERVICES
from shared.documents.openapi import openapi_of
from shared.envelope import new_id
from tests.conftest import MakeHarness
from tests.service.customers.conftest import bootstrap
from tests.service.every_path.requests import Paths, Request
from tests.support.harness import Harness
from tests.support.records import employee


class Served:
    """A service under test, with what its own document says of it."""

    def __init__(self, harness: Harness, seller_id: UUID) -> None:
        self.harness = harness
        self.document: dict[str, Any] = openapi_of(harness.service)
        self.paths = Paths(self.document)
        self.admin = harness.client(FIRST_EMPLOYEE_ID, ADMINISTRATOR_PERMISSIONS)
        self.seller = harness.client(seller_id)

    async def send(self, client: httpx.AsyncClient, request: Request) -> httpx.Response:
        """Send a derived request as somebody."""
        body = {} if request.body is None else {"json": request.body}
        return await client.request(request.method, request.path, params=request.query, **body)


@pytest.fixture(params=SERVICES)
async def served(request: pytest.FixtureRequest, make_harness: MakeHarness) -> Served:
    """One of the services, knowing both people."""
    harness = await make_harness(request.param)
    if request.param == "customers":
        await bootstrap(harness.database)
        admin = harness.client(FIRST_EMPLOYEE_ID, ADMINISTRATOR_PERMISSIONS)
        made = await admin.post("/api/v1/employees", json={"name": "Lan"})
        return Served(harness, UUID(made.json()["id"]))
    seller_id = new_id()
    await harness.deliver(employee(FIRST_EMPLOYEE_ID), employee(seller_id))
    return Served(harness, seller_id)
