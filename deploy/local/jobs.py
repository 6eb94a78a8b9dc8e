"""The services' jobs on a timer, one at a time: on this machine what a CronJob does in a deployment.

A job catches up by itself and runs once for its slot, so nothing is lost when the machine sleeps.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from deploy.local.settings import PROJECT, SERVICES

MINUTE_SECONDS, HOUR_SECONDS, DAY_SECONDS = 60, 3600, 86_400
FIRST_RUN_SECONDS = 300  # At the latest: an hourly job leaves the start alone, but does not wait an hour.
RETRY_SECONDS = 60  # A job that failed may only have come too early: contacts lag, a database restarts.
JOB_TIMEOUT_SECONDS = 600
STOP_TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Job:
    """`python -m services.<service> job <name>`, again after every `every_seconds`."""

    service: str
    name: str
    every_seconds: float


class RunningJob(Protocol):
    """A job's process, as far as the timer looks at it."""

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


Start: TypeAlias = Callable[[Job], RunningJob]

JOBS = (
    Job("campaigns", "distribute-waiting", MINUTE_SECONDS),
    Job("customers", "forget", HOUR_SECONDS),
    Job("customers", "recount-purchases", DAY_SECONDS),
    Job("interactions", "reconcile", HOUR_SECONDS),
    Job("imports", "expire", HOUR_SECONDS),
    *(Job(service, "purge", HOUR_SECONDS) for service in SERVICES),
    *(Job(service, "compact", DAY_SECONDS) for service in SERVICES),
)


class JobTimer:
    """Starts jobs that are due. Call `tick` often; it never waits."""

    def __init__(self, start: Start, jobs: Sequence[Job] = JOBS, clock: Callable[[], float] = time.monotonic) -> None:
        self._start = start
        self._clock = clock
        self._due = {job: clock() + min(job.every_seconds, FIRST_RUN_SECONDS) for job in jobs}
        self._running: RunningJob | None = None
        self._job: Job | None = None
        self._started = 0.0

    def tick(self) -> None:
        """Start the job that has been due longest, unless one still runs; end one that takes too long."""
        if self._running is not None and self._running.poll() is None:
            if self._clock() - self._started > JOB_TIMEOUT_SECONDS:
                self._running.kill()
            return
        self._ended()
        job = min(self._due, key=lambda each: self._due[each], default=None)
        if job is not None and self._due[job] <= self._clock():
            self._due[job] = self._clock() + job.every_seconds
            self._started = self._clock()
            self._job, self._running = job, self._start(job)

    def _ended(self) -> None:
        """A job that failed is due again soon: an hourly one would miss its hour."""
        if self._running is not None and self._job is not None and self._running.poll():
            self._due[self._job] = min(self._due[self._job], self._clock() + RETRY_SECONDS)
        self._running = None

    def stop(self) -> None:
        """End the job that runs; its next run catches up."""
        if self._running is None:
            return
        self._running.terminate()
        try:
            self._running.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()


def start_job(job: Job, environment: Mapping[str, str], log: Path) -> RunningJob:
    """Start a job as a process of its own, which writes to `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", f"services.{job.service}", "job", job.name],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=PROJECT,
        )
