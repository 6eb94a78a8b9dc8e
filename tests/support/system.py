"""The whole system for a test run: four service processes and the gateway on free ports.

PostgreSQL and Kafka are the run's (`servers`); everything ends with the test process.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import httpx

from deploy.gateway.rendering import GatewaySettings
from deploy.local.environment import INGEST_SOURCES
from deploy.local.gateway import GatewayServer
from deploy.local.keys import ADMINISTRATOR_ID, AUDIENCE, ISSUER, DevelopmentKeys
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.preparation import Preparation
from deploy.local.services import ServiceProcess
from shared.contracts.catalogue import SERVICES
from tests.support.servers import TestServers

READY_SECONDS = 60
EVENTUALLY_SECONDS = 15
POLL_SECONDS = 0.05

T = TypeVar("T")


class Rapport:
    """A running system, spoken to through its gateway."""

    def __init__(
        self,
        directory: Path,
        environment: dict[str, str],
        keys: DevelopmentKeys,
        make_service: Callable[..., ServiceProcess] = ServiceProcess,
    ) -> None:
        self.environment, self.keys = environment, keys
        self.gateway = GatewayServer(directory / "gateway", GatewaySettings.load(environment))
        self.services = {
            name: make_service(
                name, int(environment[f"RAPPORT_{name.upper()}_PORT"]), environment, directory, outlives_caller=False
            )
            for name in SERVICES
        }

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address."""
        return self.environment["KAFKA_BOOTSTRAP_SERVERS"]

    def client(
        self, subject: UUID | str = ADMINISTRATOR_ID, permissions: Sequence[str] = (), kind: Any = "employee"
    ) -> httpx.AsyncClient:
        """An HTTP client of the gateway with a token; without permissions the administrator has all."""
        administrator = str(subject) == ADMINISTRATOR_ID and not permissions
        token = self.keys.administrator_token() if administrator else self.keys.token(str(subject), permissions, kind)
        return httpx.AsyncClient(
            base_url=f"{self.gateway.url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=30
        )

    async def employees(self, *names: str, superior_id: str | None = None) -> dict[str, str]:
        """New employees, known to every service; answers their ids by name."""
        async with self.client() as admin:
            ids = {}
            for name in names:
                answer = await admin.post("/employees", json={"name": name, "superior_id": superior_id})
                answer.raise_for_status()
                ids[name] = answer.json()["id"]
        for employee_id in ids.values():
            async with self.client(employee_id) as client:
                for path in ("/opportunities", "/interaction-summaries/0", "/imports"):
                    await eventually(lambda path=path, client=client: _is_known(client, path))
        return ids

    def start(self) -> None:
        """Start everything and wait until it is ready."""
        self.gateway.start()
        for service in self.services.values():
            service.start()
        self.wait_until_ready()

    def wait_until_ready(self, *names: str) -> None:
        """Wait for services to be ready. Raises AssertionError with their complaint."""
        deadline = time.monotonic() + READY_SECONDS
        for name in names or SERVICES:
            while (reason := self.services[name].not_ready_because()) is not None:
                log = self.services[name].log
                assert time.monotonic() < deadline, f"{name}: {reason}\n{log.read_text()[-3000:]}"
                time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stop everything."""
        self.gateway.stop()
        for service in self.services.values():
            service.stop()


async def eventually(look: Callable[[], Awaitable[T]], seconds: float = EVENTUALLY_SECONDS) -> T:
    """Look again and again until `look` neither raises AssertionError nor answers something false."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            found = await look()
            if found:
                return found
            problem: object = f"still {found!r}"
        except AssertionError as error:
            problem = error
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {seconds} s: {problem}")
        await asyncio.sleep(POLL_SECONDS)


@contextmanager
def running_system(
    servers: TestServers,
    directory: Path,
    databases: dict[str, tuple[str, str]],
    make_service: Callable[..., ServiceProcess] = ServiceProcess,
    **more: str,
) -> Iterator[Rapport]:
    """A migrated and running system; `databases` are (app, owner) addresses by service, `more` is environment."""
    keys = DevelopmentKeys(directory / "keys")
    ports = {name: free_port() for name in (*SERVICES, "gateway")}
    environment = {
        "PATH": "/usr/bin:/bin",
        "KAFKA_BOOTSTRAP_SERVERS": servers.bootstrap_servers,
        "RAPPORT_HOST": LOOPBACK,
        "RAPPORT_INGEST_SOURCES": INGEST_SOURCES,
        "RAPPORT_TOKEN_ISSUER": ISSUER,
        "RAPPORT_TOKEN_AUDIENCE": AUDIENCE,
        "RAPPORT_TOKEN_MAX_LIFE_SECONDS": "43200",
        "RAPPORT_CURSOR_KEY": keys.cursor_key,
        "RAPPORT_JWKS_URL": keys.jwks_url,
        **{f"RAPPORT_{name.upper()}_PORT": str(port) for name, port in ports.items()},
        **{f"DATABASE_URL_{name.upper()}": urls[0] for name, urls in databases.items()},
        **{f"DATABASE_OWNER_URL_{name.upper()}": urls[1] for name, urls in databases.items()},
        **more,
    }
    preparation = Preparation(environment, directory / "preparation.log")
    try:
        preparation.migrate()
        preparation.complete()
    finally:
        preparation.close()
    rapport = Rapport(directory, environment, keys, make_service)
    try:
        rapport.start()
        yield rapport
    finally:
        rapport.stop()


async def _is_known(client: httpx.AsyncClient, path: str) -> bool:
    return (await client.get(path)).status_code != 403
