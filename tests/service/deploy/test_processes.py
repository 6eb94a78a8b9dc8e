"""Servers of a test run end with it, whatever ends it; servers of `make up` do not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.errors import ServerDied
from deploy.local.ports import wait_until
from deploy.local.postgres import PostgresServer
from deploy.local.processes import Command, ServerProcess, wait_until_ready

PROJECT = Path(__file__).parents[3]
END_TIMEOUT_SECONDS = 15

RUN_SERVER = """
import signal, sys, time
from pathlib import Path
for number in (signal.SIGHUP, signal.SIGINT):  # a run that is started in the background hands both down as ignored
    signal.signal(number, signal.SIG_DFL)
from deploy.local.processes import Command, ServerProcess
directory = Path(sys.argv[1])
process = ServerProcess(directory / "record", outlives_caller=sys.argv[2] == "outlives")
process.start(Command(["sleep", "600"], log=directory / "log"))
print("started", flush=True)
time.sleep(600 if sys.argv[3] == "stays" else 0)
"""

RUN_POSTGRES = """
import signal, sys, time
from pathlib import Path
for number in (signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_DFL)
from deploy.local.postgres import PostgresServer
PostgresServer(Path(sys.argv[1])).start()
print("started", flush=True)
time.sleep(600)
"""


def run(program: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """A Python program that has started its server."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def end(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send the signal to the program's whole group, as a terminal or a CI would."""
    os.killpg(process.pid, number)
    process.communicate(timeout=END_TIMEOUT_SECONDS)


def record_of(directory: Path) -> ServerProcess:
    """The same server, as another program finds it."""
    return ServerProcess(directory / "record", outlives_caller=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_a_guarded_server_ends_with_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    """Also when the parent has no chance to clean up."""
    parent = run(RUN_SERVER, tmp_path, "guarded", "stays")
    assert record_of(tmp_path).running
    end(parent, number)
    assert wait_until(lambda: not record_of(tmp_path).running, END_TIMEOUT_SECONDS)


def test_a_guarded_server_ends_with_a_parent_that_simply_finishes(tmp_path: Path) -> None:
    """Forgetting to stop a server is no reason to keep it."""
    run(RUN_SERVER, tmp_path, "guarded", "finishes").communicate(timeout=END_TIMEOUT_SECONDS)
    assert wait_until(lambda: not record_of(tmp_path).running, END_TIMEOUT_SECONDS)


def test_an_interrupted_run_leaves_no_postgres_behind(tmp_path: Path) -> None:
    """With all of its processes: the record stays locked while one of them lives."""
    parent = run(RUN_POSTGRES, tmp_path)
    end(parent, signal.SIGKILL)
    server = PostgresServer(tmp_path)
    assert wait_until(lambda: not server.running, END_TIMEOUT_SECONDS)
    server.drop()


def test_a_server_that_ended_by_itself_can_be_started_again(tmp_path: Path) -> None:
    """And is guarded anew; its first guard does not hit whoever got the first one's process id."""
    process = ServerProcess(tmp_path / "record", outlives_caller=False)
    process.start(Command(["true"], log=tmp_path / "log"))
    assert wait_until(lambda: not process.running, END_TIMEOUT_SECONDS)
    process.start(Command(["sleep", "600"], log=tmp_path / "log"))
    assert process.running
    assert process.stop()


def test_a_server_of_make_up_outlives_the_command_and_is_found_again(tmp_path: Path) -> None:
    """A later command knows its process, and stops it."""
    parent = run(RUN_SERVER, tmp_path, "outlives", "stays")
    end(parent, signal.SIGKILL)
    found = record_of(tmp_path)
    assert found.running
    assert found.pid
    found.stop()
    assert (found.running, found.pid) == (False, None)


def test_a_server_with_other_settings_is_started_anew(tmp_path: Path) -> None:
    """And left alone with the same: `make up` makes the running system what the settings say."""
    process = record_of(tmp_path)
    pids: list[int | None] = []
    for fingerprint in ("one", "one", "two"):
        process.start(Command(["sleep", "600"], log=tmp_path / "log", fingerprint=fingerprint))
        pids.append(process.pid)
    process.stop()
    assert pids[0] == pids[1] != pids[2]


def test_a_server_that_does_not_listen_is_killed_with_its_children(tmp_path: Path) -> None:
    """Stopping takes no longer than the limit says, and tells that it had to be rough."""
    process = ServerProcess(tmp_path / "record", outlives_caller=True, stop_timeout_seconds=0.2)
    log = tmp_path / "log"
    process.start(Command(["sh", "-c", "trap '' TERM; echo deaf; sleep 600; echo never"], log=log))
    assert wait_until(lambda: "deaf" in log.read_text(), END_TIMEOUT_SECONDS)
    assert not process.stop()
    assert not process.running


def test_children_of_a_guarded_server_end_with_it(tmp_path: Path) -> None:
    """A service's own child processes must not stay either."""
    parent = run(
        RUN_SERVER.replace('["sleep", "600"]', '["sh", "-c", "sleep 600; true"]'), tmp_path, "guarded", "stays"
    )
    end(parent, signal.SIGKILL)
    assert wait_until(lambda: not record_of(tmp_path).running, END_TIMEOUT_SECONDS)


def test_a_server_that_ends_at_once_says_its_last_words(tmp_path: Path) -> None:
    """One line with the reason and the log, instead of a wait for nothing."""
    process = record_of(tmp_path)
    process.start(Command(["sh", "-c", "echo first; echo no such option >&2; exit 2"], log=tmp_path / "log"))
    with pytest.raises(ServerDied, match=r"The broker ended after its start: 'no such option'\. Its log is .*log\."):
        wait_until_ready(process, "The broker", tmp_path / "log", lambda: False, timeout_seconds=10)
