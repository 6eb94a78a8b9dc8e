"""What processes cost, as the kernel counts it: CPU seconds with their children, memory by share."""

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_COMMAND, _PARENT, _USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM = ")", 1, 11, 12, 13, 14


@dataclass(frozen=True)
class Usage:
    """CPU seconds, user and system, of the four services, PostgreSQL, the broker and the bench itself."""

    services: float
    database: float
    broker: float
    bench: float

    def since(self, earlier: "Usage") -> "Usage":
        """What was used since then."""
        return Usage(
            self.services - earlier.services,
            self.database - earlier.database,
            self.broker - earlier.broker,
            self.bench - earlier.bench,
        )


def cpu_seconds(pid: int | None) -> float:
    """User and system time of a process, of its living children, and of those it has buried."""
    if pid is None:
        return 0.0
    return sum(_ticks(fields) for fields in (_fields(one) for one in (pid, *_children(pid))) if fields) / _TICKS


def family(pid: int) -> list[int]:
    """A process and its living children."""
    return [pid, *_children(pid)]


def pss_bytes(pids: Iterable[int]) -> int:
    """Memory by proportional share: a page that several processes map counts for each as a part."""
    return sum(_pss_kilobytes(pid) for pid in pids) * 1_024


def family_bytes(pid: int | None) -> int:
    """Memory by proportional share of a process and its living children."""
    if pid is None:
        return 0
    total = pss_bytes([pid])
    for child in _children(pid):
        with contextlib.suppress(OSError, ValueError):  # it has ended meanwhile
            total += pss_bytes([child])
    return total


def load_average() -> float:
    """How many processes wanted a processor in the last minute."""
    return os.getloadavg()[0]


def _fields(pid: int) -> list[str] | None:
    """The fields of a process's `stat` behind its name; None when it is gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(_COMMAND)[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _ticks(fields: list[str]) -> int:
    return sum(int(fields[place]) for place in (_USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM))


def _children(pid: int) -> list[int]:
    processes = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal()]
    return [one for one in processes if (fields := _fields(one)) and int(fields[_PARENT]) == pid]


def _pss_kilobytes(pid: int) -> int:
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise ValueError(f"process {pid} has no Pss")
