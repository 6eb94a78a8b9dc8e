"""Runs commands of services as an operator's timer does: processes of their own beside the running system."""

import asyncio
import json
import resource
import sys
import time
from dataclasses import dataclass
from typing import Any

from deploy.local.settings import PROJECT
from tests.performance.processes import Usage
from tests.performance.stage import Stage


@dataclass(frozen=True)
class Commanded:
    """What a command said, a line of JSON each; seconds from its start to its end; its own CPU seconds."""

    said: list[Any]
    seconds: float
    cpu_seconds: float

    def cost(self, others: Usage) -> Usage:
        """What running services used meanwhile, the command's own process counted with them."""
        return Usage(others.services + self.cpu_seconds, others.database, others.broker, others.bench)


async def command(stage: Stage, service: str, *arguments: str) -> Commanded:
    """Run one command of a service and wait for its end. Raises AssertionError with its complaint."""
    before, started = _cpu_of_ended(), time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"services.{service}", *arguments),
        cwd=PROJECT,
        env=stage.rapport.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, complaint = await process.communicate()
    seconds = time.perf_counter() - started
    assert process.returncode == 0, complaint.decode()[-3_000:]
    said = [json.loads(line) for line in out.decode().splitlines() if line.startswith("{")]
    return Commanded(said, seconds, _cpu_of_ended() - before)


def _cpu_of_ended() -> float:
    """CPU seconds of every child of this process that has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
