"""The system a bench runs on: real parts on free ports, and its databases open to look into.

Everything ends with the bench, also when that is interrupted or killed. Figures are taken from what
the databases hold, so that nothing counts as done before it can be read.
"""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg

from deploy.local.keys import DevelopmentKeys
from deploy.local.services import ServiceProcess
from shared.contracts.catalogue import SERVICES
from tests.performance.processes import Usage, cpu_seconds
from tests.support.servers import ServiceDatabase, TestServers
from tests.support.system import Rapport, running_system

SETTLE_SECONDS = 900
SETTLE_POLL_SECONDS = 0.25
INGEST_SOURCE = "dev-connector"

_COPY = "SELECT count(*), coalesce(sum(version), 0)::bigint FROM customer WHERE state <> 'erased'"
_NUMBERS = "SELECT count(*), sum(interaction_count) FROM {table}"


@dataclass
class Stage:
    """A running system with people and customers in it."""

    rapport: Rapport
    directory: Path
    databases: dict[str, ServiceDatabase]
    connections: dict[str, asyncpg.Connection]
    """A superuser's, by service: to look, and for the yardsticks."""
    customer_ids: list[UUID] = field(default_factory=list)
    seller_ids: list[UUID] = field(default_factory=list)
    superior_id: UUID | None = None
    """Superior of the first forty sellers."""

    @property
    def keys(self) -> DevelopmentKeys:
        """What signs the tokens that the system takes."""
        return self.rapport.keys

    def port(self, service: str) -> int:
        """Where a service listens."""
        return self.rapport.services[service].port

    def owner_url(self, service: str) -> str:
        """A service's database as the role that may make tables: for yardsticks."""
        return self.databases[service].owner_url

    def usage(self) -> Usage:
        """CPU used so far. A server that was given, or runs in a container, counts as nothing."""
        return Usage(
            services=sum(cpu_seconds(service.pid) for service in self.rapport.services.values()),
            database=cpu_seconds(recorded_pid(self.directory / "postgres" / "postgres.process")),
            broker=cpu_seconds(recorded_pid(self.directory / "kafka" / "kafka.process")),
            bench=time.process_time(),  # alone: the servers are its children
        )

    async def settle(self) -> None:
        """Wait until every event has arrived: copies equal their originals, nothing waits to be sent.

        Raises AssertionError when they never become equal.
        """
        deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
        while (missing := await self._missing()) is not None:
            assert asyncio.get_running_loop().time() < deadline, missing
            await asyncio.sleep(SETTLE_POLL_SECONDS)

    async def analyze(self) -> None:
        """What autovacuum does in its own time: fresh statistics, pages marked as visible."""
        for connection in self.connections.values():
            await connection.execute("VACUUM ANALYZE")
        await self.connections["customers"].execute("CHECKPOINT")

    async def _missing(self) -> str | None:
        for name, connection in self.connections.items():
            if await connection.fetchval("SELECT EXISTS (SELECT FROM outbox)"):
                return f"{name} has not sent everything"
        original = await self.connections["customers"].fetchrow(_COPY)
        for name in ("interactions", "imports", "campaigns"):
            if (copy := await self.connections[name].fetchrow(_COPY)) != original:
                return f"{name} has {copy} of {original}"
        ledger = await self.connections["interactions"].fetchrow(_NUMBERS.format(table="summary"))
        shown = await self.connections["customers"].fetchrow(_NUMBERS.format(table="customer_contact"))
        return None if ledger == shown else f"of {ledger} only {shown} is shown"


@contextlib.asynccontextmanager
async def stage(directory: Path, **environment: str) -> AsyncIterator[Stage]:
    """An empty system, ready; `environment` is what its services are told beside the usual."""
    with ExitStack() as stack:
        servers = TestServers(directory, stack, fsync=True)
        databases = {name: await servers.create_database(name, f"bench_{os.getpid()}") for name in SERVICES}
        urls = {name: (database.app_url, database.owner_url) for name, database in databases.items()}
        rapport = stack.enter_context(running_system(servers, directory, urls, ServiceProcess, **environment))
        async with AsyncExitStack() as opened:
            connections: dict[str, asyncpg.Connection] = {}
            for name, database in databases.items():
                connections[name] = await asyncpg.connect(_as_superuser(servers.admin_url, database.app_url))
                opened.push_async_callback(connections[name].close)
            yield Stage(rapport, directory, databases, connections)


def _as_superuser(admin_url: str, url: str) -> str:
    return urlunsplit(urlsplit(admin_url)._replace(path=urlsplit(url).path))


def recorded_pid(record: Path) -> int | None:
    """The process id that the launcher has noted."""
    if not record.exists():
        return None
    noted: dict[str, Any] = json.loads(record.read_text() or "{}")
    return noted.get("pid")
