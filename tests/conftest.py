"""Fixtures for all tests: servers once per run, a migrated database per test."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from shared.database import Database
from shared.migrations import upgrade
from shared.service import Service
from shared.settings import Settings
from tests.support import tokens
from tests.support.databases import Databases
from tests.support.harness import Harness
from tests.support.servers import ServiceDatabase, TestServers, test_servers

MakeHarness = Callable[..., Awaitable[Harness]]


@pytest.fixture(scope="session")
def servers() -> Iterator[TestServers]:
    """PostgreSQL and Kafka of this test run, each started when first used."""
    with test_servers() as running:
        yield running


@pytest.fixture(scope="session")
def jwks_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the test run's public keys lie."""
    return tokens.write_jwks(Path(tmp_path_factory.mktemp("keys")) / "jwks.json")


@pytest.fixture(scope="session")
def databases(servers: TestServers) -> Databases:
    """Migrated databases, lent to one test after the other."""
    return Databases(servers)


@pytest.fixture
async def make_harness(databases: Databases, jwks_url: str) -> AsyncIterator[MakeHarness]:
    """Makes a service with a database of its own: `await make_harness("campaigns")`."""
    made: list[tuple[str, Harness, ServiceDatabase]] = []

    async def make(name: str, **overrides: Any) -> Harness:
        service: Service = import_module(f"services.{name}.app").SERVICE
        common = {
            "kafka_bootstrap_servers": overrides.pop("kafka_bootstrap_servers", "127.0.0.1:1"),
            "jwks_url": jwks_url,
            "token_issuer": tokens.ISSUER,
            "database_pool_size": 6,
            "log_level": "warning",
            **overrides,
        }
        lent = await databases.lend(name, lambda new: upgrade(_settings(service, new, common), service.package))
        settings = _settings(service, lent, common)
        harness = Harness(service, settings, Database(settings))
        made.append((name, harness, lent))
        return harness

    yield make
    for name, harness, lent in made:
        await harness.close()
        await databases.take_back(name, lent)


def _settings(service: Service, database: ServiceDatabase, common: dict[str, Any]) -> Settings:
    values = {"service": service.name, "database_url": database.app_url, "database_owner_url": database.owner_url}
    return service.settings.model_validate(values | common)
