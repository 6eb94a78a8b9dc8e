"""Reads an uploaded file in a child process and answers with its rows or a reason, never otherwise.

Guarantees that a hostile file costs at most one child's limits and no more of the caller than a wait:
a child that is killed, crashes or talks nonsense means `hostile_file`. Rows come some at a time, so that the caller
never holds a whole file of them. How many files are read at a time is left to the caller.
"""

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import msgspec

from services.imports.spreadsheets.errors import CODES, HOSTILE_FILE, UnreadableFile, hostile, unsupported
from services.imports.spreadsheets.guard import OLE_MAGIC, ZIP_MAGIC
from services.imports.spreadsheets.limits import Limits
from services.imports.spreadsheets.table import Row, Table

FileKind = Literal["xlsx", "csv"]

_logger = logging.getLogger(__name__)
_ROOT = Path(__file__).parents[3]
_CHILD = ("-E", "-s", "-m", "services.imports.spreadsheets.child")
# The child gets no secrets: of our environment only what an interpreter may need to start.
_ENVIRONMENT_NAMES = ("PATH", "LD_LIBRARY_PATH", "LANG")
_COMPLAINT_BYTES = 2_000
_OTHER_MAGICS = (ZIP_MAGIC, OLE_MAGIC, b"%PDF", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"{\\rtf")
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class _Answer(msgspec.Struct):
    rows: list[Row] | None = None
    code: str | None = None
    detail: str = ""
    end: bool = False


def looks_supported(first_bytes: bytes, file_name: str) -> bool:
    """Whether a file's name and first 8 bytes are those of an .xlsx or .csv (for a 415 at once).

    A workbook under a password passes: it is one of ours, and reading it says `encrypted_file`.
    """
    return _kind_of(first_bytes, file_name) is not None


async def read_table(content: bytes, file_name: str, limits: Limits | None = None) -> Table:
    """The whole of a small file. Raises as `read_rows`."""
    rows: list[Row] = []
    async with aclosing(read_rows(content, file_name, limits or Limits())) as portions:
        async for portion in portions:
            rows += portion
    return Table(rows)


async def read_rows(content: bytes, file_name: str, limits: Limits) -> AsyncGenerator[list[Row]]:
    """The filled rows of the first sheet of an .xlsx, or of a .csv, as texts, some at a time.

    Whatever came before an error is worth nothing. Raises UnreadableFile for anything a file can do; OSError only
    where no process can be started, which is no fault of the file's. To be closed, with `aclosing`.
    """
    kind = _kind_of(content[:8], file_name)
    if kind is None:
        raise unsupported("neither .xlsx nor .csv by name and first bytes")
    if len(content) > limits.file_bytes:
        raise hostile(f"larger than {limits.file_bytes} bytes")
    async with aclosing(_ask_child(content, kind, limits)) as answers:
        async for answer in answers:
            if answer.rows is None:
                raise UnreadableFile(answer.code if answer.code in CODES else HOSTILE_FILE, answer.detail)
            yield answer.rows


def _kind_of(first_bytes: bytes, file_name: str) -> FileKind | None:
    suffix = Path(file_name).suffix.lower()
    if suffix == ".xlsx" and first_bytes.startswith((ZIP_MAGIC, OLE_MAGIC)):
        return "xlsx"
    if suffix == ".csv" and not first_bytes.startswith(_OTHER_MAGICS):
        is_text = b"\x00" not in first_bytes or first_bytes.startswith(_UTF_16_MARKS)
        return "csv" if is_text else None
    return None


async def _ask_child(content: bytes, kind: FileKind, limits: Limits) -> AsyncGenerator[_Answer]:
    """What the child says, up to its last word. Raises UnreadableFile where it does not come to that."""
    ends = asyncio.get_running_loop().time() + limits.child_wall_seconds
    process = await _start_child(kind, limits)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    sending = asyncio.create_task(_send(process.stdin, content))
    complaining = asyncio.create_task(_receive(process.stderr, _COMPLAINT_BYTES))
    try:
        left = limits.answer_bytes + _COMPLAINT_BYTES
        while True:
            async with asyncio.timeout_at(ends):
                said = await _next_answer(process.stdout, left)
                if said is None:
                    break
            answer, left = _decoded(said), left - len(said)
            if answer.end:
                break
            yield answer
        async with asyncio.timeout_at(ends):
            return_code, complaint = await process.wait(), await complaining
        if return_code != 0 or said is None:
            _logger.warning("a file ended its reader: status %s: %s", return_code, complaint)
            raise hostile(f"the file ended its reader: status {return_code}")
    except TimeoutError as error:
        raise hostile(f"not read within {limits.child_wall_seconds} seconds") from error
    finally:
        sending.cancel()
        complaining.cancel()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _start_child(kind: FileKind, limits: Limits) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *_CHILD,
        json.dumps({"kind": kind, "limits": asdict(limits)}),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=_ROOT,
        env={name: os.environ[name] for name in _ENVIRONMENT_NAMES if name in os.environ},
        start_new_session=True,  # a Ctrl-C for the service must not end a read as if the file were bad
    )


async def _next_answer(stdout: asyncio.StreamReader, most_bytes: int) -> bytes | None:
    """One line of the child's, without the length before it; None at the end of what it says."""
    try:
        length = int(await stdout.readuntil(b"\n"))
        if 0 <= length <= most_bytes:
            return await stdout.readexactly(length)
    except asyncio.IncompleteReadError:
        return None
    except (ValueError, asyncio.LimitOverrunError) as error:
        raise hostile("the file confused its reader") from error
    raise hostile("the file confused its reader")


async def _send(stdin: asyncio.StreamWriter, content: bytes) -> None:
    # A child that died has closed its end; why it died is told by its status.
    with contextlib.suppress(ConnectionError):
        stdin.write(content)
        await stdin.drain()
    stdin.close()


async def _receive(stream: asyncio.StreamReader, most_bytes: int) -> str:
    """The last line of the first `most_bytes` of a stream; the rest is read and thrown away."""
    received = b""
    while more := await stream.read(most_bytes):
        received = (received + more)[:most_bytes]
    return received.decode(errors="replace").strip().rpartition("\n")[2]


def _decoded(answer: bytes) -> _Answer:
    try:
        return msgspec.json.decode(answer, type=_Answer)
    except msgspec.DecodeError as error:
        raise hostile("the file confused its reader") from error
