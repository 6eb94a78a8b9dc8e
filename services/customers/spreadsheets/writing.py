"""Starts the process that writes a file, and passes rows in and the file out, never holding either (M14)."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

FileFormat = Literal["xlsx", "csv"]

MIB = 1024 * 1024
PART_BYTES = MIB
"""A file is kept and sent in parts of this size."""

_ROOT = Path(__file__).parents[3]
_CHILD = ("-E", "-s", "-m", "services.customers.spreadsheets.child")
# The child gets no secrets: of our environment only what an interpreter may need to start.
_ENVIRONMENT_NAMES = ("PATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR")
_COMPLAINT_BYTES = 2_000


class WritingFailed(RuntimeError):
    """The process that writes a file ended before its work; the text has its last words."""


@dataclass(frozen=True)
class WritingLimits:
    """What one file may cost its process."""

    memory_bytes: int = 512 * MIB
    cpu_seconds: int = 300
    file_bytes: int = 2_048 * MIB


class Writing:
    """One file on its way: `rows` goes in, `parts` come out, both as they come."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(
        cls, file_format: FileFormat, header: Sequence[str], sheet: str, limits: WritingLimits | None = None
    ) -> "Writing":
        """Start the process. Raises OSError where none can be started."""
        request = {"format": file_format, "header": header, "sheet": sheet, **asdict(limits or WritingLimits())}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *_CHILD,
            json.dumps(request),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=_ROOT,
            env={name: os.environ[name] for name in _ENVIRONMENT_NAMES if name in os.environ},
            start_new_session=True,  # a Ctrl-C for the service must not end a file as if it had failed
        )
        return cls(process)

    async def write(self, lines: str) -> None:
        """Rows as lines of JSON; waits until the process takes them. A process that died is told of by `parts`."""
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(lines.encode())
            self._process.stdin.write(b"\n")
            await self._process.stdin.drain()

    def end(self) -> None:
        """There are no more rows."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def parts(self) -> AsyncIterator[bytes]:
        """The file, in parts. Raises WritingFailed at the end when it is none."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        while True:
            try:
                yield await self._process.stdout.readexactly(PART_BYTES)
            except asyncio.IncompleteReadError as rest:
                if rest.partial:
                    yield rest.partial
                break
        complaint = await self._process.stderr.read(_COMPLAINT_BYTES)
        if await self._process.wait() != 0:
            raise WritingFailed(complaint.decode(errors="replace").strip().rpartition("\n")[2] or "no last words")

    async def stop(self) -> None:
        """End the process, whatever it is at."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
