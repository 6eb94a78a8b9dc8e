"""The customers service alone, over a database that grows to a million customers.

It serves HTTP only: nothing here writes through it, so neither Kafka nor the other services are needed.
"""

import contextlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from deploy.local.keys import AUDIENCE, ISSUER, DevelopmentKeys
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.services import ServiceProcess
from shared.cursors import Cursors
from shared.migrations import upgrade
from shared.settings import Settings
from tests.performance.million_filling import Company, found, grow
from tests.performance.processes import Usage, cpu_seconds
from tests.performance.stage import recorded_pid
from tests.performance.yardsticks import until_open
from tests.support.servers import ServiceDatabase, TestServers

NO_BROKER = f"{LOOPBACK}:1"


@dataclass
class ListStage:
    """The running service, its database and who is in it. It may be started anew as often as wanted."""

    directory: Path
    keys: DevelopmentKeys
    database: ServiceDatabase
    superuser_url: str
    connection: asyncpg.Connection
    company: Company
    service: ServiceProcess
    customers: int = 0

    @property
    def port(self) -> int:
        """Where the service listens."""
        return self.service.port

    def usage(self) -> Usage:
        """CPU used so far by the service and PostgreSQL; nothing else runs."""
        database = cpu_seconds(recorded_pid(self.directory / "postgres" / "postgres.process"))
        return Usage(cpu_seconds(self.service.pid), database, 0.0, cpu_seconds(os.getpid()))

    def cursor(self, asked: Any, position: list[Any]) -> str:
        """The cursor that a page would have ended with: the deepest page is not walked to."""
        return Cursors(self.keys.cursor_key).make(asked, position)

    async def grow(self, until: int, total: int) -> None:
        """Fill up to so many customers; the service begins anew, with statistics of what is there now."""
        self.service.stop()
        started = time.perf_counter()
        await grow(self.superuser_url, self.company, self.customers, until, total)
        await self.connection.execute("VACUUM ANALYZE")
        await self.connection.execute("CHECKPOINT")
        self.customers = until
        print(f"filled up to {until:,} customers in {time.perf_counter() - started:.0f} s", flush=True)
        self.service.start()
        await until_open(self.port)  # It never calls itself ready without its consumers.


@contextlib.asynccontextmanager
async def list_stage(directory: Path) -> AsyncIterator[ListStage]:
    """A service without customers yet, in a directory of its own; it starts when they have been filled in."""
    with ExitStack() as stack:
        servers = TestServers(directory, stack, fsync=True)
        database = await servers.create_database("customers", f"lists_{os.getpid()}")
        superuser_url = servers.superuser_url(urlsplit(database.app_url).path.removeprefix("/"))
        keys = DevelopmentKeys(directory / "keys")
        await upgrade(_settings(keys, database), "services.customers")
        port = free_port()
        environment = _environment(keys, database, port)
        service = ServiceProcess("customers", port, environment, directory, outlives_caller=False, part="api")
        stack.callback(service.stop)
        connection = await asyncpg.connect(superuser_url)
        try:
            company = await found(superuser_url)
            yield ListStage(directory, keys, database, superuser_url, connection, company, service)
        finally:
            await connection.close()


def _environment(keys: DevelopmentKeys, database: ServiceDatabase, port: int) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "KAFKA_BOOTSTRAP_SERVERS": NO_BROKER,
        "RAPPORT_HOST": LOOPBACK,
        "RAPPORT_CUSTOMERS_PORT": str(port),
        "RAPPORT_TOKEN_ISSUER": ISSUER,
        "RAPPORT_TOKEN_AUDIENCE": AUDIENCE,
        "RAPPORT_TOKEN_MAX_LIFE_SECONDS": "43200",
        "RAPPORT_CURSOR_KEY": keys.cursor_key,
        "RAPPORT_JWKS_URL": keys.jwks_url,
        "DATABASE_URL_CUSTOMERS": database.app_url,
    }


def _settings(keys: DevelopmentKeys, database: ServiceDatabase) -> Settings:
    return Settings.model_validate(
        {
            "service": "customers",
            "database_url": database.app_url,
            "database_owner_url": database.owner_url,
            "kafka_bootstrap_servers": NO_BROKER,
            "jwks_url": keys.jwks_url,
            "token_issuer": ISSUER,
        }
    )
