"""The four services as processes of this machine: their environment, their start, whether they are ready."""

import hashlib
import http.client
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.local.ports import LOOPBACK
from deploy.local.processes import Command, ServerProcess
from deploy.local.settings import PROJECT, SERVICES

# Longer than a service takes to drain: it lets requests and batches in hand finish first.
STOP_TIMEOUT_SECONDS = 30
ANSWER_TIMEOUT_SECONDS = 5
CODE_FOLDERS = ("services", "shared")
SETTINGS_PREFIXES = ("RAPPORT_", "DATABASE_", "KAFKA_", "OTEL_")


class ServiceProcess:
    """One service, with all its parts in one process or one part only. Its log is `<directory>/<name>.log`.

    It ends with the calling process, however that ends, unless `outlives_caller`.
    """

    def __init__(
        self,
        name: str,
        port: int,
        environment: Mapping[str, str],
        directory: Path,
        *,
        outlives_caller: bool = True,
        part: str = "all",
    ) -> None:
        self.name = name
        self._part = part
        self.port = port
        self.log = directory / f"{name}.log"
        self._environment = _only_its_own(name, environment)
        self._process = ServerProcess(
            directory / f"{name}.process", outlives_caller=outlives_caller, stop_timeout_seconds=STOP_TIMEOUT_SECONDS
        )

    def start(self) -> None:
        """Start the service, or start it anew when its code or settings are no longer the same."""
        self._process.start(
            Command(
                [sys.executable, "-m", f"services.{self.name}", self._part],
                log=self.log,
                environment=self._environment,
                directory=PROJECT,
                fingerprint=fingerprint(self._environment),
            )
        )

    def stop(self) -> None:
        """Let it drain, then end."""
        self._process.stop()

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process.running

    def not_ready_because(self) -> str | None:
        """What `/health/ready` complains of, or None when the service is ready."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=ANSWER_TIMEOUT_SECONDS)
        try:
            connection.request("GET", "/health/ready")
            answer = connection.getresponse()
            body = answer.read().decode(errors="replace")
            return None if answer.status == 200 else f"{answer.status} {body}"
        except (OSError, http.client.HTTPException) as error:
            return f"no answer ({type(error).__name__})"
        finally:
            connection.close()


def fingerprint(environment: Mapping[str, str]) -> str:
    """Says whether a service started now would be the same: its settings, and the code's last changes."""
    settings = {name: value for name, value in environment.items() if name.startswith(SETTINGS_PREFIXES)}
    code = [
        (str(file), file.stat().st_mtime_ns)
        for folder in CODE_FOLDERS
        for file in sorted((PROJECT / folder).rglob("*.py"))
    ]
    return hashlib.sha256(json.dumps([settings, code], sort_keys=True).encode()).hexdigest()


def _only_its_own(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the other services' databases, and without the owner's rights to its own."""
    others = {f"DATABASE_URL_{other.upper()}" for other in SERVICES if other != name}
    return {
        variable: value
        for variable, value in environment.items()
        if variable not in others and not variable.startswith("DATABASE_OWNER_URL_")
    }
