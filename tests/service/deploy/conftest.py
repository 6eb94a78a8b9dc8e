"""The real Envoy before stand-ins for the services, once for all tests of the gateway."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from deploy.gateway.rendering import GatewaySettings
from deploy.local.gateway import GatewayServer
from deploy.local.keys import ISSUER, DevelopmentKeys
from deploy.local.ports import free_port
from tests.service.deploy.stand_in import StandIn

REQUESTS_PER_SECOND = 20
MAX_BODY_BYTES = 100_000
TIMEOUT_SECONDS = 0.5
FRONT_END = "https://front.test"
ABSENT = "campaigns"


@dataclass
class Gateway:
    """The gateway under test. `campaigns` is away; the other services are stand-ins."""

    url: str
    keys: DevelopmentKeys
    services: dict[str, StandIn]

    def client(self, **headers: str) -> httpx.Client:
        """An HTTP client of an employee of its own, so that no test spends another's rate."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token()}", **headers})

    def token(self, subject: str | None = None) -> str:
        """A good token."""
        return self.keys.token(subject or str(uuid4()))


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Envoy with limits small enough to be met."""
    directory: Path = tmp_path_factory.mktemp("gateway")
    keys = DevelopmentKeys(directory / "keys")
    services = {name: StandIn(name) for name in ("customers", "interactions", "imports")}
    upstreams = [(name, "127.0.0.1", service.server_port) for name, service in services.items()]
    server = GatewayServer(
        directory,
        GatewaySettings(
            port=free_port(),
            jwks_url=keys.jwks_url,
            token_issuer=ISSUER,
            upstreams=(*upstreams, (ABSENT, "127.0.0.1", free_port())),
            requests_per_second=REQUESTS_PER_SECOND,
            max_body_bytes=MAX_BODY_BYTES,
            timeout_seconds=TIMEOUT_SECONDS,
            cors_origins=(FRONT_END,),
        ),
    )
    server.start()
    yield Gateway(server.url, keys, services)
    server.stop()
    for service in services.values():
        service.released.set()
        service.shutdown()


Client = Callable[..., httpx.Client]


@pytest.fixture
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    """A client with a good token of an employee of its own."""
    with gateway.client() as opened:
        yield opened
