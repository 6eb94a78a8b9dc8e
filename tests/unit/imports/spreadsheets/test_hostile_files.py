"""Every file that somebody made to hurt is answered by its code, within the limits of the process that reads it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

import pytest

from services.imports.spreadsheets.limits import Limits
from services.imports.spreadsheets.reader import looks_supported
from tests.unit.imports.spreadsheets.hostile_files import ATTEMPTS, Attempt

LIMITS = Limits()
CHILD = (sys.executable, "-E", "-s", "-m", "services.imports.spreadsheets.child")
HALF = 0.5
"""No file may come near the limits on which the kernel would end its reader: then nobody knows why."""


@dataclass(frozen=True)
class Reading:
    """What the reading process answered, and what it cost."""

    code: str | None
    rows: list[Any]
    processor_seconds: float
    peak_bytes: int


def read(content: bytes, kind: str) -> Reading:
    """Let the process read a file, and measure it."""
    request = json.dumps({"kind": kind, "limits": asdict(LIMITS)})
    process = subprocess.Popen(
        (*CHILD, request), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(content)
    process.stdin.close()
    said = process.stdout.read()
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # waited for already; Popen would wait again
    seconds, peak_bytes = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
    answers = list(_answers(said))
    # a reader that the kernel ended has said no last word: whoever started it takes that for a hostile file
    code = answers[-1].get("code") if process.returncode == 0 else "hostile_file"
    return Reading(code, [row for answer in answers for row in answer.get("rows", [])], seconds, peak_bytes)


def _answers(said: bytes) -> Iterator[dict[str, Any]]:
    while said:
        length, _, said = said.partition(b"\n")
        yield json.loads(said[: int(length)])
        said = said[int(length) :]


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_it_is_answered_with_its_code_within_the_limits(attempt: Attempt) -> None:
    """M1: refused by name or first bytes, else read in time and memory that stay below the process's limits."""
    content = attempt.make()
    assert len(content) <= LIMITS.file_bytes
    if not looks_supported(content[:8], attempt.name):
        assert attempt.code == "unsupported_file"
        return
    reading = read(content, PurePath(attempt.name).suffix[1:])
    assert reading.code == attempt.code
    assert reading.processor_seconds < LIMITS.child_cpu_seconds * HALF
    assert reading.peak_bytes < LIMITS.child_memory_bytes
    if attempt.code is None:
        assert reading.rows[1] == [2, ["Lan", "0901234567"]], "what it holds is read, what it names is not followed"
