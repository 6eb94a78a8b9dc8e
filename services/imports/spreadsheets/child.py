"""The process that reads one file: `python -m services.imports.spreadsheets.child REQUEST < file`.

Takes limits upon itself before it sees a byte of the file, so that whatever a file does to the
parsers ends here. Answers lines of JSON on standard output, each behind its length in bytes: some rows
`{"rows": [[number, [texts]]]}` at a time, then `{"end": true}`; or `{"code", "detail"}`. Started and watched by
`reader.py`; imports little, since each import waits for it.
"""

import json
import resource
import sys
from collections.abc import Callable, Iterator

from services.imports.spreadsheets.errors import UnreadableFile, hostile
from services.imports.spreadsheets.limits import Limits
from services.imports.spreadsheets.rows import NumberedRow

Reader = Callable[[bytes, Limits], list[NumberedRow]]

ROWS_AT_ONCE = 1_000
CHARACTERS_AT_ONCE = 1_000_000
"""Rows are handed on when there are so many, or so long ones: what the service holds of a file at a time."""

_OPEN_FILES = 32


def main() -> None:
    """Read standard input as the kind of file the first argument names, within the limits it carries."""
    request = json.loads(sys.argv[1])
    limits = Limits(**request["limits"])
    read = _reader(request["kind"])
    _confine(limits)
    content = sys.stdin.buffer.read(limits.file_bytes + 1)
    for answer in _answers(read, content, limits):
        sys.stdout.buffer.write(b"%d\n" % len(answer))
        sys.stdout.buffer.write(answer)


def _reader(kind: str) -> Reader:
    """Only the reader of this kind is loaded, and before the limits, so that its bytecode can be kept."""
    if kind == "csv":
        from services.imports.spreadsheets.delimited import read_delimited

        return read_delimited
    from services.imports.spreadsheets.workbook import read_workbook

    return read_workbook


def _confine(limits: Limits) -> None:
    for kind, amount in (
        (resource.RLIMIT_AS, limits.child_memory_bytes),
        (resource.RLIMIT_CPU, limits.child_cpu_seconds),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),  # an aborted parser would leave people's data in a core file
    ):
        resource.setrlimit(kind, (amount, amount))


def _answers(read: Reader, content: bytes, limits: Limits) -> Iterator[bytes]:
    said = 0
    try:
        for rows in _portions(read(content, limits)):
            answer = _encoded({"rows": rows})
            said += len(answer)
            if said > limits.answer_bytes:
                raise hostile(f"the texts take more than {limits.answer_bytes} bytes")
            yield answer
    except UnreadableFile as error:
        yield _encoded({"code": error.code, "detail": error.detail})
    except Exception as error:  # nothing a stranger's file provokes may look like a fault of ours
        refusal = hostile(f"the file broke its reader: {type(error).__name__}")
        yield _encoded({"code": refusal.code, "detail": refusal.detail})
    else:
        yield _encoded({"end": True})


def _portions(rows: list[NumberedRow]) -> Iterator[list[NumberedRow]]:
    portion: list[NumberedRow] = []
    characters = 0
    for row in rows:
        portion.append(row)
        characters += sum(map(len, row[1]))
        if len(portion) == ROWS_AT_ONCE or characters > CHARACTERS_AT_ONCE:
            yield portion
            portion, characters = [], 0
    if portion:
        yield portion


def _encoded(answer: dict[str, object]) -> bytes:
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


if __name__ == "__main__":
    main()
