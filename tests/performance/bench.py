"""`make bench`: every number that Rapport promises, measured in one run beside its yardstick.

`python -m tests.performance.bench [--only ROW ...] [--customers N] [--quick] [--output FILE]`. Never fails
for being slow; ends with status 1 when something broke. What it starts ends with it.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import uvloop

from tests.performance.assignment import bulk_assignment
from tests.performance.campaigns import automation, distribution
from tests.performance.drain import PRELOADED, summaries_drained
from tests.performance.exports import REST_SECONDS, exported_files
from tests.performance.facts import facts_by_http, facts_by_topic, facts_shown
from tests.performance.filling import fill
from tests.performance.imports import imports_in_full
from tests.performance.large_imports import LIMITS as LARGE_IMPORTS
from tests.performance.large_imports import MANY_ROWS, large_imports
from tests.performance.ledger import new_ruleset
from tests.performance.lists import filtered_lists, text_searches
from tests.performance.machine import fresh_system
from tests.performance.million import million_customers
from tests.performance.multiplied import TOTAL
from tests.performance.report import Figure, header, table
from tests.performance.stage import Stage, stage
from tests.performance.sweep import dont_forget
from tests.performance.work import imported_file

ROWS = (
    "import", "imports", "imports-large", "list", "search", "http", "topic", "shown", "distribution", "automation",
    "lists-million", "machine", "assignment", "export", "ruleset", "drain", "sweep",
)  # fmt: skip
OWN_STAGE = frozenset({"machine", "lists-million"})
"""Rows that bring what they run on."""
CUSTOMERS, QUICK_CUSTOMERS = 100_000, 2_000
FACTS, QUICK_FACTS = 30_000, 1_000
QUICK_IMPORT_ROWS = 5_000
LOAD_SECONDS, QUICK_LOAD_SECONDS = 10.0, 1.0
PACED_SECONDS, QUICK_PACED_SECONDS = 15.0, 2.0
QUICK_TOTAL, QUICK_PRELOADED = 10_000, 1_000

Measure = Callable[[Stage], Awaitable[list[Figure]]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the same to a file if asked."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # So that what runs is stopped in good order.
    wanted = _parser().parse_args(arguments)
    count = wanted.customers or (QUICK_CUSTOMERS if wanted.quick else CUSTOMERS)
    rows, title = wanted.only or ROWS, header(count)
    print(title, flush=True)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as directory:
        if "machine" in rows:
            figures += _told("machine", fresh_system(Path(directory) / "fresh"))
        if "lists-million" in rows:
            own = Path(directory) / "million"
            own.mkdir()
            figures += _told("lists-million", uvloop.run(million_customers(own, wanted.quick)))
        if set(rows) - OWN_STAGE:
            work = _on_stage(Path(directory), rows, count, wanted.quick)
            figures += uvloop.run(work)
    text = f"{title}\n\n{table(sorted(figures, key=lambda figure: figure.name))}\n"
    print(f"\n{text}")
    if wanted.output:
        wanted.output.write_text(text)


async def _on_stage(directory: Path, rows: Sequence[str], count: int, quick: bool) -> list[Figure]:
    """The rows that need a system with customers in it: imports late, since they add some; the last make a million."""
    figures: list[Figure] = []
    async with stage(directory, **LARGE_IMPORTS) as set_up:
        started = time.perf_counter()
        people = await fill(set_up, count)
        print(f"filled in {time.perf_counter() - started:.0f} s", flush=True)
        for name, measure in _measures(people, quick).items():
            if name in rows:
                figures += _told(name, await measure(set_up))
                await set_up.settle()
    return figures


def _measures(people: Iterator[dict[str, Any]], quick: bool) -> dict[str, Measure]:
    seconds = QUICK_LOAD_SECONDS if quick else LOAD_SECONDS
    paced = QUICK_PACED_SECONDS if quick else PACED_SECONDS
    facts = QUICK_FACTS if quick else FACTS
    total, preloaded = (QUICK_TOTAL, QUICK_PRELOADED) if quick else (TOTAL, PRELOADED)
    return {
        "search": text_searches,
        "list": lambda on: filtered_lists(on, seconds),
        "assignment": bulk_assignment,
        "export": lambda on: exported_files(on, QUICK_LOAD_SECONDS if quick else REST_SECONDS),
        "http": lambda on: facts_by_http(on, seconds),
        "topic": lambda on: facts_by_topic(on, facts),
        "shown": lambda on: facts_shown(on, paced),
        "automation": lambda on: automation(on, paced),  # before the distributions: they leave nobody unassigned
        "distribution": distribution,
        "import": lambda on: imported_file(on, people),
        "imports": lambda on: imports_in_full(on, people),
        "imports-large": lambda on: large_imports(on, people, QUICK_IMPORT_ROWS if quick else MANY_ROWS),
        "ruleset": lambda on: new_ruleset(on, total),
        "drain": lambda on: summaries_drained(on, total, preloaded),
        "sweep": lambda on: dont_forget(on, total, seconds),  # behind the contacts, of which nobody is forgotten
    }


def _told(name: str, figures: list[Figure]) -> list[Figure]:
    """Say at once what was measured: a run takes minutes."""
    for figure in figures:
        print(f"{name}: {figure.name}: {figure.measured} ({figure.bar.reached(figure.judged)})", flush=True)
    return figures


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.performance.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=ROWS, help="a row to measure (may be repeated)")
    parser.add_argument("--customers", type=int, help=f"how many customers are present ({CUSTOMERS:,})")
    parser.add_argument("--quick", action="store_true", help="little of everything: whether the bench works")
    parser.add_argument("--output", type=Path, help="a file for the table")
    return parser


if __name__ == "__main__":
    main()
