"""A service of the running system in a process that is made to fail, and its recovery."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local.processes import Command, ServerProcess, last_line
from deploy.local.services import ServiceProcess
from deploy.local.settings import PROJECT
from tests.chaos.sabotage import VARIABLE
from tests.support.system import Rapport, eventually

DEATH_SECONDS = 30
STOP_SECONDS = 30


class WeakenedService(ServiceProcess):
    """A service of the system without the safeguards that the whole run of tests has switched off."""

    def start(self) -> None:
        """Start it, unless it runs."""
        self._process.start(_under_sabotage(self.name, "all", os.environ[VARIABLE], self._environment, self.log))


def kind_of_service() -> type[ServiceProcess]:
    """What a system is made of in this run of tests."""
    return WeakenedService if os.environ.get(VARIABLE) else ServiceProcess


class Process:
    """One process of a service, run under sabotage; `faults` may be empty."""

    def __init__(self, service: str, part: str, faults: str, environment: Mapping[str, str], directory: Path) -> None:
        self.log = directory / f"{service}-{part}-{faults.replace(':', '-') or 'sound'}.log"
        self._process = ServerProcess(
            self.log.with_suffix(".process"), outlives_caller=False, stop_timeout_seconds=STOP_SECONDS
        )
        # what a whole run of tests has switched off is off in here too
        named = ",".join(filter(None, (os.environ.get(VARIABLE), faults)))
        self._command = _under_sabotage(service, part, named, environment, self.log)

    async def start(self) -> None:
        """Start it; it is not ready yet."""
        await asyncio.to_thread(self._process.start, self._command)

    async def stop(self) -> None:
        """Let it drain, then end."""
        await asyncio.to_thread(self._process.stop)

    async def kill(self) -> None:
        """kill -9."""
        await asyncio.to_thread(self._process.kill)

    async def has_died(self, during: "asyncio.Task[None] | None" = None) -> None:
        """Return when it died by its own sabotage. Raises AssertionError when it does not, or what ended the work."""

        async def is_gone() -> bool:
            if during is not None and during.done():
                during.result()
            assert not self._process.running, f"it lives on: {last_line(self.log)}"
            return True

        await eventually(is_gone, seconds=DEATH_SECONDS)


@asynccontextmanager
async def victim(rapport: Rapport, service: str, faults: str, directory: Path) -> AsyncIterator[Process]:
    """A service of the system, replaced by a process that will die; then the service comes back by itself.

    Work that outlives the death belongs into a task: the service is started again when the block ends.
    """
    normal = rapport.services[service]
    await asyncio.to_thread(normal.stop)
    dying = Process(service, "all", faults, rapport.environment, directory)
    try:
        await dying.start()
        await asyncio.to_thread(rapport.wait_until_ready, service)
        yield dying
        await dying.has_died()
    finally:
        await dying.kill()
        await asyncio.to_thread(normal.start)
        await asyncio.to_thread(rapport.wait_until_ready, service)


def _under_sabotage(service: str, part: str, faults: str, environment: Mapping[str, str], log: Path) -> Command:
    return Command(
        [sys.executable, "-m", "tests.chaos.sabotage", f"services.{service}", part],
        log=log,
        environment={**environment, VARIABLE: faults},
        directory=PROJECT,
    )
