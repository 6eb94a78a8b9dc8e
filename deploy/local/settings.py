"""What can be set about the system on this machine, from the environment and `.env`.

Everything has a default. An address of a database or a broker that is given is used, and nothing is
started in its place.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.gateway.rendering import SERVICE_PORTS
from deploy.local.dotenv import read_dotenv
from deploy.local.errors import LaunchError

PROJECT = Path(__file__).resolve().parents[2]
SERVICES = tuple(SERVICE_PORTS)
DEFAULT_PORTS = {"gateway": 8080, **SERVICE_PORTS, "kafka": 9092, "postgres": 5432}
HIGHEST_PORT = 65_535


@dataclass(frozen=True)
class LocalSettings:
    """The environment of the system, `.env` included, and where its state lies."""

    environment: Mapping[str, str]
    ports: Mapping[str, int]
    """By part: gateway, the four services, kafka, postgres."""
    state: Path

    @classmethod
    def load(cls, project: Path = PROJECT, environment: Mapping[str, str] | None = None) -> "LocalSettings":
        """Read `.env` of the project below the process's environment. Raises LaunchError for a bad value."""
        given = {**read_dotenv(project / ".env"), **(os.environ if environment is None else environment)}
        # An empty value is how people write "not set" in such files.
        given = {name: value for name, value in given.items() if value.strip()}
        ports = {part: _port(variable_of_port(part), given, port) for part, port in DEFAULT_PORTS.items()}
        _refuse_shared_ports(ports)
        return cls(given, ports, project / ".local")

    @property
    def kafka_is_given(self) -> bool:
        """Whether a broker of somebody else is used."""
        return "KAFKA_BOOTSTRAP_SERVERS" in self.environment

    @property
    def services_without_database(self) -> tuple[str, ...]:
        """The services whose database is ours to run."""
        return tuple(name for name in SERVICES if f"DATABASE_URL_{name.upper()}" not in self.environment)

    @property
    def identity_is_given(self) -> bool:
        """Whether tokens come from an identity provider and not from the key of this machine."""
        return "RAPPORT_JWKS_URL" in self.environment


def variable_of_port(part: str) -> str:
    """The variable that moves a part to another port."""
    return f"RAPPORT_{part.upper()}_PORT"


def _port(variable: str, environment: Mapping[str, str], default: int) -> int:
    text = environment.get(variable, str(default)).strip()
    if not text.isdecimal() or not 0 < int(text) <= HIGHEST_PORT:
        raise LaunchError(f"{variable} is not a port: {text!r}.", f"Set it between 1 and {HIGHEST_PORT}.")
    return int(text)


def _refuse_shared_ports(ports: Mapping[str, int]) -> None:
    parts_by_port: dict[int, str] = {}
    for part, port in ports.items():
        if port in parts_by_port:
            raise LaunchError(
                f"{part} and {parts_by_port[port]} would share port {port}.", f"Set {variable_of_port(part)}."
            )
        parts_by_port[port] = part
