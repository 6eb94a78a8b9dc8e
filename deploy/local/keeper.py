"""Keeps the four services running and their jobs on time, until told to stop: `make up`'s long-lived part.

A service may end by itself, as one does whose consumer is stuck; a platform would start it again, and
so does the keeper, after a pause that grows while it keeps ending. SIGTERM stops the services, then the keeper.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Protocol

from deploy.local.jobs import JobTimer, start_job
from deploy.local.processes import Command, ServerProcess
from deploy.local.services import STOP_TIMEOUT_SECONDS, ServiceProcess, fingerprint
from deploy.local.settings import PROJECT, SERVICES, LocalSettings

POLL_SECONDS = 0.5
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30
SETTLED_SECONDS = 60  # Whoever ran that long starts again without a long pause.


class Restartable(Protocol):
    """What the keeper needs to know of a service."""

    name: str

    @property
    def running(self) -> bool: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Keeper:
    """Watches services. Call `tick` often; it never waits."""

    def __init__(self, services: Sequence[Restartable], clock: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._clock = clock
        self._started = {service.name: 0.0 for service in services}
        self._pause = {service.name: FIRST_PAUSE_SECONDS for service in services}
        self._restart_at: dict[str, float] = {}

    def start(self) -> None:
        """Start all services."""
        for service in self._services:
            self._start(service)

    def tick(self) -> None:
        """Start again what has ended and paused long enough."""
        for service in self._services:
            if service.running:
                continue
            if service.name not in self._restart_at:
                self._restart_at[service.name] = self._clock() + self._pause_before(service.name)
            elif self._restart_at[service.name] <= self._clock():
                del self._restart_at[service.name]
                self._start(service)

    def stop(self) -> None:
        """Stop all services at once, each with its time to drain."""
        with ThreadPoolExecutor(len(self._services)) as pool:
            list(pool.map(lambda service: service.stop(), self._services))

    def _start(self, service: Restartable) -> None:
        service.start()
        self._started[service.name] = self._clock()

    def _pause_before(self, name: str) -> float:
        settled = self._clock() - self._started[name] > SETTLED_SECONDS
        pause = FIRST_PAUSE_SECONDS if settled else self._pause[name]
        self._pause[name] = min(pause * 2, LONGEST_PAUSE_SECONDS)
        return pause


class KeeperProcess:
    """The keeper as a process of its own, found again by every later command."""

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        self.log = directory / "keeper.log"
        self._environment = environment
        self._process = ServerProcess(
            directory / "keeper.process",
            outlives_caller=True,
            stop_timeout_seconds=STOP_TIMEOUT_SECONDS + POLL_SECONDS + 10,
        )

    def start(self) -> None:
        """Start keeper and services, or anew when code or settings are no longer the same."""
        self._process.start(
            Command(
                [sys.executable, "-m", "deploy.local.keeper", self.log.parent],
                log=self.log,
                environment=self._environment,
                directory=PROJECT,
                fingerprint=fingerprint(self._environment),
            )
        )

    def stop(self) -> None:
        """Stop the services, then the keeper."""
        self._process.stop()

    @property
    def is_current(self) -> bool:
        """Whether it runs, with the code and settings of today."""
        return self._process.fingerprint == fingerprint(self._environment)

    @property
    def running(self) -> bool:
        """Whether the keeper's process lives."""
        return self._process.running


def services_of(settings: LocalSettings, environment: Mapping[str, str], directory: Path) -> list[ServiceProcess]:
    """The four services, whoever started them."""
    return [ServiceProcess(name, settings.ports[name], environment, directory) for name in SERVICES]


def main(directory: Path) -> None:
    """Keep until SIGTERM or SIGINT. The environment is complete: `make up` made it."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    environment = dict(os.environ)
    keeper = Keeper(services_of(LocalSettings.load(), environment, directory))
    timer = JobTimer(partial(start_job, environment=environment, log=directory / "jobs.log"))
    keeper.start()
    while not stopping.wait(POLL_SECONDS):
        keeper.tick()
        timer.tick()
    timer.stop()
    keeper.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
