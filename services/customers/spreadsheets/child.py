"""The process that writes one file: `python -m services.customers.spreadsheets.child REQUEST < rows > file`.

Takes rows as lines of JSON arrays (texts, numbers, nulls) and limits upon itself; knows no database and
no secrets. An .xlsx holds texts and numbers only, a .csv texts that nothing takes for formulas (M14); in both a text
that an import would take for a word of its own is marked as a text.
Imports little: the memory of an export is this process. Started and watched by `writing.py`.
"""

import csv
import io
import json
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, BinaryIO

from shared.spreadsheets import MAX_CELL_CHARACTERS, TEXT_ONLY, guard_clear, guard_formula

COPY_BYTES = 256 * 1024
_COLUMN_CHARACTERS = 22
_CREATED = datetime(2026, 1, 1)  # equal content gives equal bytes
_NICE = 10
"""Lists of people who wait come first."""


def main() -> None:
    """Write standard input as the kind of file the first argument names."""
    request = json.loads(sys.argv[1])
    _confine(request["memory_bytes"], request["cpu_seconds"], request["file_bytes"])
    write = _write_csv if request["format"] == "csv" else _write_xlsx
    write(request["header"], request["sheet"], map(json.loads, sys.stdin.buffer), sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _confine(memory_bytes: int, cpu_seconds: int, file_bytes: int) -> None:
    os.nice(_NICE)
    for kind, amount in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_CORE, 0),  # a core file would hold people's data
    ):
        resource.setrlimit(kind, (amount, amount))


def _write_csv(header: Sequence[str], _: str, rows: Iterator[list[Any]], target: BinaryIO) -> None:
    # Spreadsheets take a file without the mark for Windows-1252.
    text = io.TextIOWrapper(target, encoding="utf-8-sig", newline="", write_through=False)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([guard_formula(label) for label in header])
    writer.writerows([guard_formula(guard_clear(cell)) if type(cell) is str else cell for cell in row] for row in rows)
    text.flush()
    text.detach()


def _write_xlsx(header: Sequence[str], sheet_name: str, rows: Iterator[list[Any]], target: BinaryIO) -> None:
    from xlsxwriter import Workbook

    with tempfile.TemporaryFile() as file:
        with Workbook(file, TEXT_ONLY) as book:
            book.set_properties({"created": _CREATED})
            sheet = book.add_worksheet(sheet_name)
            sheet.freeze_panes(1, 0)
            sheet.set_column(0, len(header) - 1, _COLUMN_CHARACTERS)
            bold = book.add_format({"bold": True, "num_format": "@"})
            for column, label in enumerate(header):
                sheet.write_string(0, column, label, bold)
            text, number = sheet.write_string, sheet.write_number
            for place, row in enumerate(rows, start=1):
                for column, cell in enumerate(row):
                    if type(cell) is str:
                        text(place, column, guard_clear(cell)[:MAX_CELL_CHARACTERS])
                    elif cell is not None:
                        number(place, column, cell)
        file.seek(0)
        shutil.copyfileobj(file, target, COPY_BYTES)


if __name__ == "__main__":
    main()
