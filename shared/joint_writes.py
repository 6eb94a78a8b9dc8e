"""Small writes of requests that come at the same time share a transaction: one statement, one commit for all.

While one joint transaction is under way the next one gathers. A request is answered once its own is
committed. A joint transaction that fails has done nothing: each of its writes is then tried by itself, so
that nobody is refused for another's fault. One that is held up by a lock does not hold up those who come later.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Any, Generic, TypeVar

from shared.database import Database, Session

W = TypeVar("W")
R = TypeVar("R")

MOST_TOGETHER = 100
PATIENCE_SECONDS = 0.1
"""How long the next joint transaction waits for the one before it."""

Write = Callable[[Session, Sequence[W]], Awaitable[Sequence[R]]]
"""Does several works in a transaction; answers what became of each, in their order."""


class JointWrites:
    """The joint writes of one process, gathered by what is to be done."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lines: dict[Write[Any, Any], _Line[Any, Any]] = {}

    async def do(self, write: Write[W, R], work: W) -> R:
        """Have `write` do this work together with others'; returns when it is committed.

        Raises what `write` raises for this work alone. Who stops waiting before it began takes it back.
        """
        if write not in self._lines:
            self._lines[write] = _Line(self._database, write)
        return await self._lines[write].join(work)


class _Line(Generic[W, R]):
    """Those who wait for one kind of write."""

    def __init__(self, database: Database, write: Write[W, R]) -> None:
        self._database, self._do = database, write
        self._waiting: deque[tuple[W, asyncio.Future[R]]] = deque()
        self._gathering: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    def join(self, work: W) -> asyncio.Future[R]:
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, answer))
        if self._gathering is None or self._gathering.done():
            # what is written for many belongs to nobody's trace
            self._gathering = asyncio.create_task(self._serve(), context=Context())
        return answer

    async def _serve(self) -> None:
        while self._waiting:
            writing = asyncio.create_task(self._write_together(self._next()))
            self._under_way.add(writing)
            writing.add_done_callback(self._under_way.discard)
            await asyncio.wait({writing}, timeout=PATIENCE_SECONDS)

    def _next(self) -> list[tuple[W, asyncio.Future[R]]]:
        taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))]
        return [(work, answer) for work, answer in taken if not answer.done()]

    async def _write_together(self, taken: Sequence[tuple[W, asyncio.Future[R]]]) -> None:
        try:
            results = await self._committed([work for work, _ in taken]) if taken else ()
        except Exception as error:
            if len(taken) > 1:
                await asyncio.gather(*(self._write_together([one]) for one in taken))
            elif not taken[0][1].done():
                taken[0][1].set_exception(error)
        except BaseException:
            for _, answer in taken:
                answer.cancel()
            raise
        else:
            for (_, answer), result in zip(taken, results, strict=True):
                if not answer.done():
                    answer.set_result(result)

    async def _committed(self, works: Sequence[W]) -> Sequence[R]:
        async with self._database.transaction() as session:
            return await self._do(session, works)
