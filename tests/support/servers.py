"""PostgreSQL and Kafka for a test run: given by the environment, by containers, or started here.

What is started here ends with the test process, also when that is interrupted or killed.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from deploy.local.kafka import KafkaServer
from deploy.local.postgres import SUPERUSER, PostgresServer
from shared.contracts.catalogue import SERVICES

CLEANING = {
    "log.cleaner.backoff.ms": "500",
    "log.retention.check.interval.ms": "1000",
    "log.initial.task.delay.ms": "1000",
}
"""What is due to be cleaned is cleaned within a second or two: by default nobody looks for five minutes."""


@dataclass(frozen=True)
class ServiceDatabase:
    """The addresses of one service's database, for its processes and for migrations."""

    app_url: str
    owner_url: str


class TestServers:
    """The servers of one test run, each started when first asked for.

    Without `fsync` a thousand tests each get a database of their own in a third of the time; no test here
    pulls the plug of the machine.
    """

    __test__ = False

    def __init__(self, directory: Path, stack: ExitStack, *, fsync: bool = False) -> None:
        self._directory, self._stack, self._fsync = directory, stack, fsync
        self._containers = os.environ.get("RAPPORT_TEST_SERVERS") == "containers"

    @cached_property
    def admin_url(self) -> str:
        """A superuser's address of the PostgreSQL server."""
        given = os.environ.get("RAPPORT_TEST_POSTGRES_ADMIN_URL")
        if given:
            return given
        if self._containers:
            from tests.support.containers import postgres_container

            return self._stack.enter_context(postgres_container())
        server = PostgresServer(self._directory / "postgres", fsync=self._fsync)
        server.start()
        self._stack.callback(server.drop)
        self._stack.callback(server.stop)
        return server.url("postgres", SUPERUSER)

    @cached_property
    def bootstrap_servers(self) -> str:
        """The broker's address."""
        given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        if given:
            return given
        if self._containers:
            from tests.support.containers import kafka_container

            return self._stack.enter_context(kafka_container())
        server = KafkaServer(self._directory / "kafka", settings=CLEANING)
        server.start()
        self._stack.callback(server.stop)
        return server.bootstrap_servers

    async def create_database(self, service: str, suffix: str, template: str | None = None) -> ServiceDatabase:
        """A database for one service, with its owner and app roles; a copy of `template` if given."""
        name = f"{service}_{suffix}"
        connection = await asyncpg.connect(self.admin_url)
        try:
            for role in (f"{service}_owner", f"{service}_app"):
                if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                    await connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'test'")
                await connection.execute(f"ALTER ROLE {role} PASSWORD 'test'")
            source = f" TEMPLATE {template} STRATEGY FILE_COPY" if template else ""
            await connection.execute(f"CREATE DATABASE {name} OWNER {service}_owner{source}")
        finally:
            await connection.close()
        return ServiceDatabase(self._url(name, f"{service}_app"), self._url(name, f"{service}_owner"))

    async def drop_database(self, name: str) -> None:
        """Drop a test's database, whoever is still connected."""
        connection = await asyncpg.connect(self.admin_url)
        try:
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        finally:
            await connection.close()

    def superuser_url(self, database: str) -> str:
        """A superuser's address of a database."""
        return urlunsplit(urlsplit(self.admin_url)._replace(path=f"/{database}"))

    def _url(self, database: str, role: str) -> str:
        parts = urlsplit(self.admin_url)
        return urlunsplit(("postgresql", f"{role}:test@{parts.hostname}:{parts.port}", f"/{database}", "", ""))


@contextmanager
def test_servers() -> Iterator[TestServers]:
    """The servers of a test run; stopped and dropped at its end."""
    with tempfile.TemporaryDirectory(prefix="rapport-test-") as directory, ExitStack() as stack:
        yield TestServers(Path(directory), stack)


test_servers.__test__ = False  # pyright: ignore[reportFunctionMemberAccess]  # its name looks like a test's

__all__ = ["SERVICES", "ServiceDatabase", "TestServers", "test_servers"]
