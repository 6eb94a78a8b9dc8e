"""`python -m deploy.compose.jobs`: the services' jobs on a timer, in a container of their own.

On a platform with CronJobs these run `services.<name> job <job>` instead, and this container is left out.
Each job sees its own service's database and no other. SIGTERM ends the job in hand; its next run catches up.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from deploy.local.jobs import Job, JobTimer
from deploy.local.settings import SERVICES

POLL_SECONDS = 1
ALIVE = Path("/tmp/alive")


def environment_of(service: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the other services' databases."""
    others = {f"DATABASE_URL_{other.upper()}" for other in SERVICES if other != service}
    return {name: value for name, value in environment.items() if name not in others}


def start(job: Job) -> subprocess.Popen[bytes]:
    """Start a job as a process of its own; its output is the container's."""
    return subprocess.Popen(
        [sys.executable, "-m", f"services.{job.service}", "job", job.name],
        stdin=subprocess.DEVNULL,
        env=environment_of(job.service, os.environ),
    )


def main() -> None:
    """Run jobs until SIGTERM or SIGINT; `ALIVE` is touched while the timer turns, for the health check."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    timer = JobTimer(start)
    ALIVE.touch()
    while not stopping.wait(POLL_SECONDS):
        timer.tick()
        ALIVE.touch()
    timer.stop()


if __name__ == "__main__":
    main()
