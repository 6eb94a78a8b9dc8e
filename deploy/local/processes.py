"""One server's operating-system process, which any later command can find again.

A process holds a lock on its record file for as long as it, or a child of it, lives. So whether it
runs is never guessed from a process id that may have been given to somebody else meanwhile.
It either outlives the command that started it (`make up`) or is guarded: then nothing that ends
its parent, not even kill -9, leaves it behind (tests).
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from deploy.local.errors import ServerDied
from deploy.local.ports import wait_until

# Reads a pipe whose other end only the parent holds. The kernel closes it however the parent ends, which
# needs no cooperation of the parent and, unlike Linux' PR_SET_PDEATHSIG, works on other systems,
# outlives the parent's threads and is not lost when the server changes its user. A line means the server
# was stopped in good order; the end of the pipe means the parent is gone.
GUARD = """
read -r _ && exit 0
kill -s "$2" "$1"
tenths=0
while kill -0 "$1" 2>/dev/null && [ "$tenths" -lt 50 ]; do sleep 0.1; tenths=$((tenths + 1)); done
kill -s KILL -- "-$1" 2>/dev/null
"""
KILL_TIMEOUT_SECONDS = 10
START_LOCK_TIMEOUT_SECONDS = 0.2
LOG_LIMIT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Account:
    """The unprivileged user whom a server runs as when we are root."""

    name: str
    user_id: int
    group_id: int


@dataclass(frozen=True)
class Command:
    """What to run, and where. `fingerprint` tells a later command whether the same would be run today."""

    arguments: Sequence[str | Path]
    log: Path
    environment: Mapping[str, str] | None = None
    directory: Path | None = None
    account: Account | None = None
    fingerprint: str = ""


class ServerProcess:
    """The process described by the record file `record`, whoever started it."""

    def __init__(
        self,
        record: Path,
        *,
        outlives_caller: bool,
        stop_signal: signal.Signals = signal.SIGTERM,
        guard_signal: signal.Signals = signal.SIGTERM,
        stop_timeout_seconds: float = 15,
    ) -> None:
        self._record = record
        self._outlives_caller = outlives_caller
        self._stop_signal = stop_signal
        self._guard_signal = guard_signal
        self._stop_timeout_seconds = stop_timeout_seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    def start(self, command: Command) -> None:
        """Start `command` unless it runs already; one that runs with another fingerprint is stopped first.

        Does not wait until the process is ready.
        """
        if self.fingerprint not in (None, command.fingerprint):
            self.stop()
        self._record.parent.mkdir(parents=True, exist_ok=True)
        command.log.parent.mkdir(parents=True, exist_ok=True)
        _set_aside_when_long(command.log)
        with self._record.open("a+") as record, command.log.open("ab") as log:
            # Whoever asks whether we run holds the lock for an instant: one refusal proves nothing.
            if not wait_until(lambda: _lock(record), START_LOCK_TIMEOUT_SECONDS):
                return
            # Of a process that ended by itself: its guard would one day signal whoever has its number then.
            self._dismiss_guard()
            record.truncate(0)
            account = command.account
            self._child = subprocess.Popen(
                [str(argument) for argument in command.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=command.environment,
                cwd=command.directory,
                user=account.user_id if account else None,
                group=account.group_id if account else None,
                extra_groups=[] if account else None,
                pass_fds=[record.fileno()],
                # Ctrl-C in the terminal goes to the command, which then stops its servers in their order.
                start_new_session=True,
            )
            record.write(json.dumps({"pid": self._child.pid, "fingerprint": command.fingerprint}))
        if not self._outlives_caller:
            self._guard = _guard(self._child.pid, self._guard_signal)

    @property
    def running(self) -> bool:
        """Whether the process, or a child it left, still lives."""
        if self._child is not None:
            self._child.poll()  # A dead child stays a zombie until somebody asks.
        if not self._record.exists():
            return False
        with self._record.open("a+") as record:
            return not _lock(record)

    @property
    def pid(self) -> int | None:
        """The process id, or None when it does not run, or is this instant being started by somebody else."""
        return self._read().get("pid") if self.running else None

    @property
    def fingerprint(self) -> str | None:
        """The fingerprint of the command that runs, or None when none does."""
        return self._read().get("fingerprint") if self.running else None

    def stop(self) -> bool:
        """Ask the process to end, wait, and kill it if it does not listen. Does nothing when it is gone.

        Whether it ended without being killed.
        """
        self._signal(self._stop_signal)
        listened = self._wait(self._stop_timeout_seconds)
        if not listened:
            self.kill()
        self._dismiss_guard()
        return listened

    def kill(self) -> None:
        """kill -9, for the process and its children, and wait until all are gone."""
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        if not self._wait(KILL_TIMEOUT_SECONDS):
            raise ServerDied(f"Process {self.pid} outlives kill -9.", f"See {self._record}.")
        self._dismiss_guard()

    def _signal(self, number: signal.Signals) -> None:
        pid = self.pid
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):  # Ended by itself since we looked.
            os.kill(pid, number)

    def _wait(self, timeout_seconds: float) -> bool:
        gone = wait_until(lambda: not self.running, timeout_seconds)
        if gone and self._child is not None:
            self._child.wait(KILL_TIMEOUT_SECONDS)
            self._child = None
        return gone

    def _dismiss_guard(self) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            try:
                self._guard.stdin.write(b"stopped\n")
                self._guard.stdin.close()
            except BrokenPipeError:
                pass  # Somebody ended the guard; there is nothing left for it to watch.
            self._guard.wait(KILL_TIMEOUT_SECONDS)
            self._guard = None

    def _read(self) -> dict[str, Any]:
        text = self._record.read_text()
        return json.loads(text) if text else {}


def wait_until_ready(
    process: ServerProcess, what: str, log: Path, ready: Callable[[], bool], timeout_seconds: float
) -> None:
    """Wait until `ready()`; raises ServerDied when the process ends first or time runs out."""
    wait_until(lambda: ready() or not process.running, timeout_seconds)
    if not ready():
        state = "is not ready" if process.running else "ended"
        raise ServerDied(f"{what} {state} after its start: {last_line(log)!r}.", f"Its log is {log}.")


def last_line(log: Path) -> str:
    """The last line of a log that is not empty: usually why the server ended."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def _guard(pid: int, number: signal.Signals) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", GUARD, "guard", str(pid), number.name.removeprefix("SIG")],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )


def _set_aside_when_long(log: Path) -> None:
    """Keep one earlier log, so that a machine that runs for months does not fill its disk."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".earlier.log"))


def _lock(record: IO[str]) -> bool:
    try:
        fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
