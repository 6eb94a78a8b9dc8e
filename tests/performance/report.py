"""The table of a bench: every figure beside its yardstick, with what it cost and whether it is enough."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from tests.performance.processes import Usage, load_average

HEADINGS = ("row", "measured", "yardstick of the same run", "judged", "floor", "aim", "reached", "CPU s: svc/db/broker")


@dataclass(frozen=True)
class Bar:
    """What a figure has to reach: `floor` at least or at most, `aim` better."""

    direction: Literal["at least", "at most"]
    floor: float
    aim: float | None
    unit: str

    def reached(self, value: float) -> str:
        """`aim`, `floor` or `BELOW FLOOR`."""
        if self.aim is not None and self._is_met(value, self.aim):
            return "aim"
        return "floor" if self._is_met(value, self.floor) else "BELOW FLOOR"

    def said(self, value: float | None) -> str:
        """A bar as text."""
        if value is None:
            return "-"
        return f"{'>=' if self.direction == 'at least' else '<='} {amount(value)} {self.unit}"

    def _is_met(self, value: float, bar: float) -> bool:
        return value >= bar if self.direction == "at least" else value <= bar


@dataclass(frozen=True)
class Figure:
    """One line of the table. `judged` is the number that the bar is about; `notes` stand below the table."""

    name: str
    measured: str
    judged: float
    bar: Bar
    yardstick: str = "-"
    cost: Usage | None = None
    notes: Sequence[str] = ()

    def cells(self) -> tuple[str, ...]:
        """The line's cells, in the order of the headings."""
        cost = self.cost
        spent = f"{cost.services:.1f}/{cost.database:.1f}/{cost.broker:.1f}" if cost else "-"
        return (
            self.name,
            self.measured,
            self.yardstick,
            f"{amount(self.judged)} {self.bar.unit}",
            self.bar.said(self.bar.floor),
            self.bar.said(self.bar.aim),
            self.bar.reached(self.judged),
            spent,
        )


def header(customers: int) -> str:
    """When, where and beside how much other work this was measured."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return (
        f"Rapport bench, {now}: {customers:,} customers, {_processors()} processors, Python"
        f" {platform.python_version()}, fsync on, load average before the start {load_average():.1f}"
    )


def table(figures: Sequence[Figure]) -> str:
    """The figures in columns, their notes below."""
    lines = [HEADINGS, *(figure.cells() for figure in figures)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    text.insert(1, "  ".join("-" * width for width in widths))
    notes = [f"{figure.name}: {note}" for figure in figures for note in figure.notes]
    return "\n".join([*text, "", *notes])


def amount(value: float) -> str:
    """A number with as many digits as it deserves."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _processors() -> int:
    return len(os.sched_getaffinity(0))
