"""What a library says again and again while a server is away must not fill the disk, and must not vanish either."""

import io
import logging
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from shared import telemetry
from shared.telemetry import MAX_REMEMBERED_LOGS, REPEATED_LOG_SECONDS, Seldom


@dataclass
class Library:
    """A library that logs through the filter; `now_seconds` is its clock."""

    now_seconds: float = 1000.0
    written: io.StringIO = field(default_factory=io.StringIO)
    log: logging.Logger = field(default_factory=lambda: logging.Logger("aiokafka"))
    seldom: Seldom = field(default_factory=Seldom)

    def lines(self) -> list[str]:
        """What came through."""
        return self.written.getvalue().splitlines()


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    """A library whose log passes the filter."""
    library = Library()
    monkeypatch.setattr(telemetry, "time", SimpleNamespace(monotonic=lambda: library.now_seconds))
    handler = logging.StreamHandler(library.written)
    handler.addFilter(library.seldom)
    library.log.addHandler(handler)
    return library


def test_the_same_complaint_comes_once_whatever_stands_in_it(library: Library) -> None:
    """Addresses and numbers differ from line to line; it is the same thing said again."""
    for number in range(300):
        library.log.error("Unable to connect to %s", f"node {number}")
    assert library.lines() == ["Unable to connect to node 0"]


def test_after_a_while_it_comes_again_and_says_how_often_it_was_held_back(library: Library) -> None:
    """Nobody who reads the log takes an outage for one failed attempt."""
    for _ in range(300):
        library.log.error("Unable to connect to %s", "node 1")
    library.now_seconds += REPEATED_LOG_SECONDS
    library.log.error("Unable to connect to %s", "node 1")
    library.now_seconds += REPEATED_LOG_SECONDS
    library.log.error("Unable to connect to %s", "node 1")
    assert library.lines() == [
        "Unable to connect to node 1",
        "Unable to connect to node 1 [299 more like it]",
        "Unable to connect to node 1",
    ]


def test_another_complaint_is_not_held_back(library: Library) -> None:
    """What is seldom is what matters."""
    library.log.error("Unable to connect")
    library.log.error("Heartbeat failed")
    library.log.error("Unable to connect")
    assert library.lines() == ["Unable to connect", "Heartbeat failed"]


def test_a_library_that_says_something_new_each_time_costs_no_memory(library: Library) -> None:
    """Text that was put together before it was logged: all of it comes, a bounded part is remembered."""
    for number in range(3 * MAX_REMEMBERED_LOGS):
        library.log.error(f"offset {number} is out of range")
    assert len(library.lines()) == 3 * MAX_REMEMBERED_LOGS
    assert len(library.seldom._said) <= MAX_REMEMBERED_LOGS + 1
