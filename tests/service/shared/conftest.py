"""A service of mechanisms alone, the run's broker, and the customers service with two people."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from shared.database import Database
from shared.migrations import upgrade
from shared.settings import Settings
from tests.conftest import MakeHarness
from tests.service.shared.broker import Broker
from tests.service.shared.office import Office
from tests.service.shared.probe.contracts import SERVICE
from tests.service.shared.probe.process import Probe
from tests.support import tokens
from tests.support.databases import Databases
from tests.support.servers import ServiceDatabase, TestServers

PACKAGE = "tests.service.shared.probe"

MakeProbe = Callable[..., Awaitable[Probe]]


@pytest.fixture(scope="session")
async def broker(servers: TestServers) -> AsyncIterator[Broker]:
    """The run's broker."""
    connected = Broker(servers.bootstrap_servers)
    await connected.start()
    yield connected
    await connected.stop()


@pytest.fixture
async def make_probe(databases: Databases, broker: Broker, jwks_url: str) -> AsyncIterator[MakeProbe]:
    """Makes a probe with a database of its own; keywords are settings."""
    made: list[tuple[Probe, ServiceDatabase]] = []

    async def make(**overrides: Any) -> Probe:
        lent = await databases.lend(
            SERVICE, lambda new: upgrade(_settings(new, jwks_url, broker.bootstrap_servers), PACKAGE)
        )
        settings = _settings(lent, jwks_url, broker.bootstrap_servers, **overrides)
        probe = Probe(settings, Database(settings), broker)
        made.append((probe, lent))
        return probe

    yield make
    for probe, lent in made:
        await probe.database.close()
        await databases.take_back(SERVICE, lent)


@pytest.fixture
async def probe(make_probe: MakeProbe) -> Probe:
    """A probe with the usual settings."""
    return await make_probe()


def _settings(urls: ServiceDatabase, jwks_url: str, bootstrap_servers: str, **overrides: Any) -> Settings:
    values = {
        "service": SERVICE,
        "database_url": urls.app_url,
        "database_owner_url": urls.owner_url,
        "kafka_bootstrap_servers": bootstrap_servers,
        "jwks_url": jwks_url,
        "token_issuer": tokens.ISSUER,
        "consumer_retry_first_seconds": 0.02,
        "consumer_retry_max_seconds": 0.05,
        "consumer_poll_seconds": 0.02,
        "consumer_progress_seconds": 0.2,
    }
    return Settings.model_validate(values | overrides)


@pytest.fixture
async def office(make_harness: MakeHarness) -> Office:
    """A fresh customers service."""
    opened = Office(await make_harness("customers"))
    await opened.open()
    return opened
