"""The whole system on this machine: up, down, reset, and how it is doing.

`up` makes the running system the one that code and settings describe, whatever ran before: what is
right already stays, what is not is started anew. Everything that can happen at once does.
"""

import contextlib
import fcntl
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from deploy.gateway.rendering import GatewaySettings
from deploy.local.environment import system_environment
from deploy.local.errors import LaunchError, ServerDied
from deploy.local.gateway import GatewayServer
from deploy.local.kafka import KafkaServer
from deploy.local.keeper import KeeperProcess, services_of
from deploy.local.keys import DevelopmentKeys
from deploy.local.ports import is_free
from deploy.local.postgres import PostgresServer
from deploy.local.preparation import Preparation
from deploy.local.processes import last_line
from deploy.local.services import ServiceProcess
from deploy.local.settings import LocalSettings, variable_of_port

READY_TIMEOUT_SECONDS = 120
STARTS_BEFORE_GIVING_UP = 3
READY_POLL_SECONDS = 0.1

# What `reset` deletes. Keys and downloads stay: tokens stay good, and the next start stays quick.
DATA_FOLDERS = ("kafka", "gateway", "services")


@dataclass(frozen=True)
class PartStatus:
    """One part of the system: whether it runs, and what it waits for if it is not ready."""

    name: str
    port: int
    running: bool
    waits_for: str | None

    @property
    def state(self) -> str:
        """`ready`, `starting` or `stopped`."""
        if not self.running:
            return "stopped"
        return "ready" if self.waits_for is None else "not ready"


class System:
    """All parts of the system whose state lies in `settings.state`."""

    def __init__(self, settings: LocalSettings) -> None:
        self.settings = settings
        state, ports = settings.state, settings.ports
        self.postgres = PostgresServer(state / "postgres", ports["postgres"], outlives_caller=True)
        self.kafka = KafkaServer(state / "kafka", ports["kafka"], outlives_caller=True)
        self.keys = DevelopmentKeys(state / "keys")

    @cached_property
    def environment(self) -> dict[str, str]:
        """Everything a service reads; also what a person sets to run one by hand."""
        return system_environment(self.settings, self.keys, self.postgres, self.kafka)

    @cached_property
    def gateway(self) -> GatewayServer:
        """Envoy, in front of the services."""
        try:
            settings = GatewaySettings.load(self.environment)
        except ValueError as error:
            raise LaunchError(f"{error}.", "Correct it in .env or the environment.") from None
        return GatewayServer(self.settings.state / "gateway", settings, outlives_caller=True)

    @cached_property
    def services(self) -> list[ServiceProcess]:
        """The four services."""
        return services_of(self.settings, self.environment, self._services_folder)

    @cached_property
    def keeper(self) -> KeeperProcess:
        """Who starts the services, starts them again, and runs their jobs."""
        return KeeperProcess(self.environment, self._services_folder)

    def up(self) -> None:
        """Start what does not run and return when every part is ready. Raises LaunchError."""
        with self._alone():
            if not self.keeper.is_current:
                self.keeper.stop()
            self._refuse_taken_ports()
            with ThreadPoolExecutor() as pool:
                gateway = pool.submit(self.gateway.start)
                if self.keeper.is_current and self._servers_run():
                    self._start_servers(pool)
                else:
                    self._prepare(pool)
                self.keeper.start()
                gateway.result()
            self._wait_until_ready()

    def down(self) -> None:
        """Stop everything, callers first, so that nothing fails for want of what it calls."""
        with self._alone():
            self._stop()

    def reset(self) -> None:
        """Stop everything and delete its data. Databases and a broker that were given are left alone."""
        with self._alone():
            self._stop()
            self.postgres.drop()
            for folder in DATA_FOLDERS:
                shutil.rmtree(self.settings.state / folder, ignore_errors=True)

    def status(self) -> list[PartStatus]:
        """Every part that is ours to run."""
        ports = self.settings.ports
        parts = [PartStatus("gateway", ports["gateway"], self.gateway.running, None)]
        for service in self.services:
            waits_for = service.not_ready_because() if service.running else None
            parts.append(PartStatus(service.name, service.port, service.running, waits_for))
        if not self.settings.kafka_is_given:
            parts.append(PartStatus("kafka", ports["kafka"], self.kafka.running, None))
        if self.settings.services_without_database:
            parts.append(PartStatus("postgres", ports["postgres"], self.postgres.running, None))
        return parts

    def logs(self) -> dict[str, Path]:
        """The log files by part."""
        return {
            "gateway": self.gateway.log,
            **{service.name: service.log for service in self.services},
            "jobs": self._services_folder / "jobs.log",
            "kafka": self.kafka.log,
            "postgres": self.postgres.log,
        }

    @property
    def _services_folder(self) -> Path:
        return self.settings.state / "services"

    def _prepare(self, pool: ThreadPoolExecutor) -> None:
        """Servers, and as soon as each is there what belongs on it."""
        preparation = Preparation(self.environment, self._services_folder / "preparation.log")
        try:
            kafka = pool.submit(self._start_kafka)
            self._start_postgres()
            preparation.migrate()
            kafka.result()
            preparation.complete()
        finally:
            preparation.close()

    def _start_servers(self, pool: ThreadPoolExecutor) -> None:
        kafka = pool.submit(self._start_kafka)
        self._start_postgres()
        kafka.result()

    def _start_postgres(self) -> None:
        names = self.settings.services_without_database
        if names:
            self.postgres.start()
            self.postgres.create_service_databases(names)

    def _start_kafka(self) -> None:
        if not self.settings.kafka_is_given:
            self.kafka.start()

    def _servers_run(self) -> bool:
        return all(part.running for part in self.status() if part.name in ("kafka", "postgres"))

    def _stop(self) -> None:
        self.gateway.stop()
        self.keeper.stop()
        with ThreadPoolExecutor() as pool:
            # A keeper that was killed leaves its services behind.
            list(pool.map(lambda service: service.stop(), self.services))
            list(pool.map(lambda server: server.stop(), (self.postgres, self.kafka)))

    def _refuse_taken_ports(self) -> None:
        for part in self.status():
            if not part.running and not is_free(part.port):
                raise LaunchError(
                    f"Port {part.port}, for {part.name}, is taken by another program.",
                    f"Free it, or set {variable_of_port(part.name)} in .env.",
                )

    def _wait_until_ready(self) -> None:
        with ThreadPoolExecutor() as pool:
            for waiting in [pool.submit(_wait_for, service) for service in self.services]:
                waiting.result()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Two commands that start and stop at once would undo each other: the second waits."""
        self.settings.state.mkdir(parents=True, exist_ok=True)
        with (self.settings.state / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _wait_for(service: ServiceProcess) -> None:
    """Wait until a service is ready; give up early on one that ends again and again."""
    deadline = time.monotonic() + READY_TIMEOUT_SECONDS
    starts: set[int] = set()
    while (reason := service.not_ready_because()) is not None:
        if (pid := service.pid) is not None:
            starts.add(pid)
        if len(starts) >= STARTS_BEFORE_GIVING_UP or time.monotonic() > deadline:
            raise ServerDied(
                f"{service.name} does not become ready: {reason}; its last words: {last_line(service.log)!r}.",
                f"Its log is {service.log}.",
            )
        time.sleep(READY_POLL_SECONDS)
