"""Jobs run when due, one at a time, and never for ever."""

import subprocess
from importlib import import_module

from deploy.local.jobs import FIRST_RUN_SECONDS, JOB_TIMEOUT_SECONDS, JOBS, RETRY_SECONDS, Job, JobTimer
from deploy.local.settings import SERVICES
from shared.service import JOBS as JOBS_OF_ALL

HOURLY = Job("customers", "purge", 3600)
EACH_MINUTE = Job("campaigns", "tidy", 60)


class Running:
    """A job's process that ends when told."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.killed = False

    def poll(self) -> int | None:
        return self.status

    def wait(self, timeout: float | None = None) -> int:
        if self.status is None:
            raise subprocess.TimeoutExpired("job", timeout or 0)
        return self.status

    def terminate(self) -> None:
        """Does not listen."""

    def kill(self) -> None:
        self.killed, self.status = True, -9


class Bench:
    """A timer with a clock to turn and a list of what it started."""

    def __init__(self, *jobs: Job) -> None:
        self.now = 0.0
        self.started: list[Job] = []
        self.running = Running()
        self.timer = JobTimer(self._start, jobs, lambda: self.now)

    def _start(self, job: Job) -> Running:
        self.started.append(job)
        self.running = Running()
        return self.running

    def at(self, seconds: float) -> list[Job]:
        """What has started by then."""
        self.now = seconds
        self.timer.tick()
        return self.started


def test_every_job_of_a_service_is_on_the_timer() -> None:
    """A job that nobody starts would be missed first in what it should have forgotten."""
    known = {
        (name, job) for name in SERVICES for job in (*JOBS_OF_ALL, *import_module(f"services.{name}.app").SERVICE.jobs)
    }
    assert {(job.service, job.name) for job in JOBS} == known


def test_a_start_is_left_alone_then_jobs_run_each_in_their_rhythm() -> None:
    """The hourly one runs soon after the start and then each hour, the other each minute."""
    bench = Bench(HOURLY, EACH_MINUTE)
    assert bench.at(59) == []
    for second in range(60, FIRST_RUN_SECONDS + 3600):
        bench.at(second)
        bench.running.status = 0
        if second < FIRST_RUN_SECONDS:
            assert HOURLY not in bench.started
    assert bench.started.count(HOURLY) == 1
    assert 60 <= bench.started.count(EACH_MINUTE) <= 65


def test_a_job_waits_until_the_one_before_has_ended() -> None:
    """Two cores are there for the services first."""
    bench = Bench(HOURLY, EACH_MINUTE)
    assert len(bench.at(FIRST_RUN_SECONDS)) == 1
    assert len(bench.at(FIRST_RUN_SECONDS + 10)) == 1
    bench.running.status = 0
    assert len(bench.at(FIRST_RUN_SECONDS + 11)) == 2


def test_a_job_that_failed_runs_again_after_a_minute() -> None:
    """An hourly sweep that came too early does not miss its hour."""
    bench = Bench(HOURLY)
    assert len(bench.at(FIRST_RUN_SECONDS)) == 1
    bench.running.status = 1
    assert len(bench.at(FIRST_RUN_SECONDS + 1)) == 1
    assert len(bench.at(FIRST_RUN_SECONDS + RETRY_SECONDS)) == 1
    assert len(bench.at(FIRST_RUN_SECONDS + RETRY_SECONDS + 1)) == 2
    bench.running.status = 0
    assert len(bench.at(FIRST_RUN_SECONDS + 3000)) == 2


def test_a_job_that_does_not_end_is_ended() -> None:
    """It would keep all others from running for ever."""
    bench = Bench(HOURLY)
    bench.at(FIRST_RUN_SECONDS)
    bench.at(FIRST_RUN_SECONDS + JOB_TIMEOUT_SECONDS + 1)
    assert bench.running.killed


def test_stopping_ends_a_job_that_does_not_listen() -> None:
    """`make down` leaves no job behind."""
    bench = Bench(HOURLY)
    bench.at(FIRST_RUN_SECONDS)
    bench.running.kill, killed = (lambda: killed.append(True) or setattr(bench.running, "status", -9)), []
    bench.timer.stop()
    assert killed
