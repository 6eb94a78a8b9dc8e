"""A whole system on servers of its own, which these tests kill and start again."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from deploy.local.kafka import KafkaServer
from deploy.local.keeper import Keeper
from deploy.local.postgres import PostgresServer
from shared.contracts.catalogue import SERVICES
from tests.chaos.victims import kind_of_service
from tests.support.system import Rapport, eventually, running_system

TICK_SECONDS = 0.5
READY_AGAIN_SECONDS = 150
"""A consumer that the client library lost is noticed after a minute, and its process started again."""
LAG_ALARM_SECONDS = 12
"""When a service says that it hears of a topic no more: within the time that a server is away."""


@dataclass(frozen=True)
class Ground:
    """PostgreSQL and Kafka under the system."""

    postgres: PostgresServer
    kafka: KafkaServer

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address."""
        return self.kafka.bootstrap_servers


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Both servers, running."""
    directory: Path = tmp_path_factory.mktemp("ground")
    servers = Ground(PostgresServer(directory / "postgres"), KafkaServer(directory / "kafka"))
    servers.postgres.start()
    servers.kafka.start()
    servers.postgres.create_service_databases(SERVICES)
    yield servers
    servers.kafka.stop()
    servers.postgres.drop()


@pytest.fixture(scope="session")
async def rapport(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rapport]:
    """Four services and the gateway, running."""
    databases = {
        name: (ground.postgres.url(name, f"{name}_app"), ground.postgres.url(name, f"{name}_owner"))
        for name in SERVICES
    }
    kind, directory = kind_of_service(), tmp_path_factory.mktemp("system")
    alarm = {"RAPPORT_LAG_ALARM_SECONDS": str(LAG_ALARM_SECONDS)}
    with running_system(cast(Any, ground), directory, databases, kind, **alarm) as system:
        yield system


@pytest.fixture
async def kept(rapport: Rapport) -> AsyncIterator[None]:
    """What a platform does until all is ready: a service that ends by itself is started again."""
    keeper, ending = Keeper(list(rapport.services.values())), threading.Event()

    def keep() -> None:
        while not ending.wait(TICK_SECONDS):
            keeper.tick()

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        yield
        await _become_ready(rapport)
    finally:
        ending.set()
        await asyncio.to_thread(thread.join)


@pytest.fixture(autouse=True)
async def all_ready_afterwards(rapport: Rapport) -> AsyncIterator[None]:
    """Whatever a test did, every service is ready again without help."""
    yield
    await _become_ready(rapport)


async def _become_ready(rapport: Rapport) -> None:
    await eventually(lambda: asyncio.to_thread(_all_ready, rapport), seconds=READY_AGAIN_SECONDS)


def _all_ready(rapport: Rapport) -> bool:
    reasons = {name: service.not_ready_because() for name, service in rapport.services.items()}
    assert not any(reasons.values()), reasons
    return True
