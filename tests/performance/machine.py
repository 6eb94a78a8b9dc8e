"""Row 7: how soon a fresh system is up, and what its services take while nothing happens."""

import os
import subprocess
import sys
import time
from pathlib import Path

from deploy.local.ports import free_port
from deploy.local.settings import DEFAULT_PORTS, LocalSettings, variable_of_port
from deploy.local.system import System
from tests.performance.processes import pss_bytes
from tests.performance.report import Bar, Figure

IDLE_SECONDS = 20
MEBIBYTE = 1_048_576

IDLE_MEMORY = Bar("at most", 480, 350, "MiB")
UP = Bar("at most", 30, 15, "s")

_LIBRARIES = "import fastapi, uvicorn, sqlalchemy.ext.asyncio, asyncpg, aiokafka, pydantic; print(flush=True); input()"


def fresh_system(directory: Path) -> list[Figure]:
    """What `make up` does, on an empty state directory with warm jars and libraries; then its idle memory."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "KAFKA_"))}
    ports = {variable_of_port(part): str(free_port()) for part in DEFAULT_PORTS}
    system = System(LocalSettings.load(directory, {**environment, **ports}))
    try:
        started = time.perf_counter()
        system.up()
        seconds = time.perf_counter() - started
        time.sleep(IDLE_SECONDS)
        pids = {service.name: service.pid for service in system.services}
        memory = {name: pss_bytes([pid]) / MEBIBYTE for name, pid in pids.items() if pid is not None}
    finally:
        system.reset()
    libraries = 4 * _memory_of_libraries() / MEBIBYTE
    total = sum(memory.values())
    each = ", ".join(f"{name} {value:.0f}" for name, value in memory.items())
    notes = [f"MiB PSS after {IDLE_SECONDS} s without work: {each}"]
    return [
        Figure(
            "7 idle memory",
            f"{total:.0f} MiB PSS",
            total,
            IDLE_MEMORY,
            f"4 x bare libraries {libraries:.0f} MiB",
            notes=notes,
        ),
        Figure("7 make up", f"{seconds:.1f} s", seconds, UP),
    ]


def _memory_of_libraries() -> int:
    """An interpreter that has loaded what every service is made of, and does nothing."""
    with subprocess.Popen([sys.executable, "-c", _LIBRARIES], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            return pss_bytes([process.pid])
        finally:
            process.kill()
