"""Fixtures for all tests: servers once per run, a migrated database per test."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from shared.database import Database
from shared.migrations import upgrade
from shared.service import Service
from shared.settings import Settings
from tests.support import tokens
from tests.support.harness import Harness
from tests.support.servers import ServiceDatabase, TestServers, test_servers

_numbers = count(1)

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
def templates() -> dict[str, str]:
    """Migrated databases by service, to be copied for each test."""
    return {}


@pytest.fixture
async def make_harness(servers: TestServers, jwks_url: str, templates: dict[str, str]) -> AsyncIterator[MakeHarness]:
    """Makes a service with a database of its own: `await make_harness("campaigns")`."""
    made: list[tuple[Harness, str]] = []

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
        if name not in templates:
            database = await servers.create_database(name, f"template_{os.getpid()}")
            settings = _settings(service, database, common)
            await upgrade(settings, service.package)
            templates[name] = f"{name}_template_{os.getpid()}"
        suffix = f"test_{os.getpid()}_{next(_numbers)}"
        copy = await servers.create_database(name, suffix, templates[name])
        settings = _settings(service, copy, common)
        harness = Harness(service, settings, Database(settings))
        made.append((harness, f"{name}_{suffix}"))
        return harness

    yield make
    for harness, database_name in made:
        await harness.close()
        await servers.drop_database(database_name)


def _settings(service: Service, database: ServiceDatabase, common: dict[str, Any]) -> Settings:
    values = {"service": service.name, "database_url": database.app_url, "database_owner_url": database.owner_url}
    return service.settings.model_validate(values | common)
