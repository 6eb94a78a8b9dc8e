"""Imports at their limits: memory beside a file of 5 MiB, and 100,000 rows by a setting, as quick a row as 2,000."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tests.performance.processes import family_bytes
from tests.performance.report import Bar, Figure
from tests.performance.stage import Stage
from tests.performance.work import ROWS, Imported, client_of, import_file, wide_csv_of

MIB = 1024 * 1024
MANY_ROWS = 100_000
FILE_BYTES = 5 * MIB
SAMPLE_SECONDS = 0.1
WATCHED = ("imports", "customers")

LIMITS = {
    "RAPPORT_IMPORTS_IMPORT_MAX_ROWS": str(MANY_ROWS),
    "RAPPORT_IMPORTS_IMPORT_MAX_FILE_BYTES": str(64 * MIB),
    "RAPPORT_IMPORTS_MAX_BODY_BYTES": str(65 * MIB),
}
"""The environment of a deployment that takes such files."""

MEMORY = Bar("at most", 200, None, "MiB more")
BACK = Bar("at most", 50, 20, "MiB more")
RATE = Bar("at least", 1, None, "times that of 2,000")


@dataclass
class Peaks:
    """The most memory of services while somebody watched, above what they had, by name, in MiB."""

    before: dict[str, float]
    most: dict[str, float]

    def more(self, service: str) -> float:
        """How much more than at the start."""
        return self.most[service] - self.before[service]


async def large_imports(stage: Stage, people: Iterator[dict[str, Any]], rows: int = MANY_ROWS) -> list[Figure]:
    """A wide file of 5 MiB, then files of 2,000 and of 100,000 rows one after the other."""
    async with client_of(stage, "imports") as client:
        await import_file(client, wide_csv_of(list(islice(people, ROWS))))
        await stage.settle()
        figures = await _five_mebibytes(stage, people)
        few, _, _ = await _timed(stage, people, ROWS)
        many, peaks, note = await _timed(stage, people, rows)
    slow, quick = rows / _whole(many), ROWS / _whole(few)
    measured, yardstick = f"{slow:,.0f} rows/s", f"2,000: {quick:,.0f} rows/s"
    figures.append(Figure(f"16 {rows:,} rows", measured, slow / quick, RATE, yardstick, None, [note]))
    for service in WATCHED:
        more = peaks.more(service)
        name = f"17 memory of {service} for {rows:,} rows"
        figures.append(Figure(name, f"+{more:.0f} MiB", more, MEMORY, f"before {peaks.before[service]:.0f} MiB"))
    return figures


async def _five_mebibytes(stage: Stage, people: Iterator[dict[str, Any]]) -> list[Figure]:
    content = _padded(list(islice(people, ROWS)))
    before = stage.usage()
    async with client_of(stage, "imports") as client, _watching(stage) as peaks:
        await import_file(client, content)
    await stage.settle()
    cost = stage.usage().since(before)
    left = _memory(stage)["imports"] - peaks.before["imports"]
    more, yardstick = peaks.more("imports"), f"before {peaks.before['imports']:.0f} MiB"
    named = f"a file of {len(content) / MIB:.1f} MiB"
    return [
        Figure(f"14 memory of imports during {named}", f"+{more:.0f} MiB", more, MEMORY, yardstick, cost),
        Figure(f"15 memory of imports after {named}", f"+{left:.0f} MiB", left, BACK, yardstick),
    ]


async def _timed(stage: Stage, people: Iterator[dict[str, Any]], rows: int) -> tuple[Imported, Peaks, str]:
    content = wide_csv_of(list(islice(people, rows)))
    before = stage.usage()
    async with client_of(stage, "imports") as client, _watching(stage) as peaks:
        imported = await import_file(client, content)
    cost = stage.usage().since(before)
    note = (
        f"{len(content) / MIB:.0f} MiB: preview {imported.preview_seconds:.1f} s, confirm to every outcome"
        f" {imported.confirm_seconds:.1f} s; CPU {cost.services:.0f}/{cost.database:.0f}/{cost.broker:.0f} s"
    )
    await stage.settle()
    return imported, peaks, note


def _whole(imported: Imported) -> float:
    return imported.preview_seconds + imported.confirm_seconds


def _padded(people: Sequence[dict[str, Any]]) -> bytes:
    """As many rows as usual with descriptions so long that the file has 5 MiB."""
    each = (FILE_BYTES - len(wide_csv_of(people))) // len(people) - 8
    return wide_csv_of([person | {"description": "x" * each} for person in people])


def _memory(stage: Stage) -> dict[str, float]:
    return {name: family_bytes(stage.rapport.services[name].pid) / MIB for name in WATCHED}


@asynccontextmanager
async def _watching(stage: Stage) -> AsyncIterator[Peaks]:
    """Look at the services' memory again and again while the block runs."""
    before = _memory(stage)
    peaks = Peaks(before, dict(before))

    async def watch() -> None:
        while True:
            for name, now in _memory(stage).items():
                peaks.most[name] = max(peaks.most[name], now)
            await asyncio.sleep(SAMPLE_SECONDS)

    watching = asyncio.create_task(watch())
    try:
        yield peaks
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
