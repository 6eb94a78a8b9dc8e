"""The whole system, once for all end-to-end tests; each test works with people and customers of its own."""

import os
from collections.abc import AsyncIterator

import pytest

from shared.contracts.catalogue import SERVICES
from tests.chaos.victims import kind_of_service
from tests.support.servers import TestServers
from tests.support.system import Rapport, running_system


@pytest.fixture(scope="session")
async def rapport(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rapport]:
    """Four services and the gateway, running."""
    suffix = f"e2e_{os.getpid()}"
    databases = {}
    for name in SERVICES:
        made = await servers.create_database(name, suffix)
        databases[name] = (made.app_url, made.owner_url)
    with running_system(servers, tmp_path_factory.mktemp("system"), databases, kind_of_service()) as system:
        yield system
