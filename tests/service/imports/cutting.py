"""Transactions that are cut once at every place where one is opened: before they commit, or just after.

Before: the server ends the connection when all work is done, so that nothing of it stays. After: all of it
stays, and whoever waited hears of a lost connection. What a killed process leaves behind is one or the other.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import wraps
from typing import Any, Literal

import httpx
import pytest

from shared.database import Database, is_transient, run

Moment = Literal["before its commit", "after its commit"]

TRIES = 25
"""More than any step has transactions: whoever needs more does not get on."""


class Cuts:
    """Which transactions were cut, each by its step and the line that opened it."""

    def __init__(self, moment: Moment) -> None:
        self.moment, self.made = moment, set[tuple[str, str, int]]()
        self._step: str | None = None

    @contextmanager
    def during(self, step: str) -> Iterator[None]:
        """Cut what is opened inside the block."""
        self._step = step
        try:
            yield
        finally:
            self._step = None

    async def persist(self, step: str, act: Callable[[], Awaitable[Any]]) -> Any:
        """Do something again until nothing is cut any more: what a client, a worker's next turn, a broker do."""
        for _ in range(TRIES):
            try:
                with self.during(step):
                    answer = await act()
            except Exception as error:
                if not is_transient(error):
                    raise
                continue
            if not isinstance(answer, httpx.Response) or answer.status_code != 503:
                return answer
        raise AssertionError(f"{step} does not come to an end")

    def is_due(self, opened_at: tuple[str, int]) -> bool:
        """Whether the transaction opened there is to be cut; each is, once a step."""
        if self._step is None or (place := (self._step, *opened_at)) in self.made:
            return False
        self.made.add(place)
        return True


def cut_transactions(monkeypatch: pytest.MonkeyPatch, moment: Moment) -> Cuts:
    """Cut every transaction of every service in this process that is opened while a step goes on."""
    cuts, transaction = Cuts(moment), Database.transaction

    @asynccontextmanager
    async def cut(self: Any, origin: Any, due: bool) -> AsyncIterator[Any]:
        async with transaction(self, origin) as session:
            yield session
            if due and moment == "before its commit":
                await run(session, "SELECT pg_terminate_backend(pg_backend_pid())")
        if due:
            raise ConnectionError("cut after its commit")

    @wraps(transaction)
    def watched(self: Any, origin: Any = None) -> Any:
        caller = sys._getframe(1)
        return cut(self, origin, cuts.is_due((caller.f_code.co_filename, caller.f_lineno)))

    monkeypatch.setattr(Database, "transaction", watched)
    return cuts
