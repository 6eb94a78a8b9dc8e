"""Places where a process can be made to die by kill -9, each at the `number`-th time that it comes there.

Or where it lingers, so that a kill from outside finds it there.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import wraps
from itertools import count
from typing import Any

LINGER_SECONDS = 0.3


def die() -> None:
    """kill -9, by our own hand, so that the place is exact."""
    os.kill(os.getpid(), signal.SIGKILL)


def consumer_dies_before_commit(number: int) -> None:
    """A batch is applied, its transaction not yet committed; anything that works by the clock had its time."""
    from shared.messaging import Consumers

    subscribe, batches = Consumers._subscribe, count(1)

    @wraps(subscribe)
    def dying(self: Any, subscription: Any) -> Any:
        async def handle(session: Any, envelopes: Sequence[Any]) -> None:
            await subscription.handle(session, envelopes)
            if next(batches) == number:
                await asyncio.sleep(LINGER_SECONDS)
                die()

        return subscribe(self, replace(subscription, handle=handle))

    Consumers._subscribe = dying


def consumer_dies_after_commit(number: int) -> None:
    """A batch is committed, its offsets are not."""
    from shared.messaging import Consumers

    transact, batches = Consumers._transact, count(1)

    @wraps(transact)
    async def dying(self: Any, subscription: Any, envelopes: Sequence[Any], positions: list[Any]) -> None:
        await transact(self, subscription, envelopes, positions)
        if positions and envelopes and next(batches) == number:
            die()

    Consumers._transact = dying


def consumer_lingers_before_offsets(seconds: int) -> None:
    """Of every batch the effects are committed some time before its offsets are."""
    from shared.messaging import Consumers

    transact = Consumers._transact

    @wraps(transact)
    async def lingering(self: Any, subscription: Any, envelopes: Sequence[Any], positions: list[Any]) -> None:
        await transact(self, subscription, envelopes, positions)
        await asyncio.sleep(seconds)

    Consumers._transact = lingering


def relay_dies_before_send(number: int) -> None:
    """A batch of events is read, and nothing of it has left."""
    from shared import relay

    send, batches = relay._send, count(1)

    @wraps(send)
    async def dying(producer: Any, rows: Sequence[Any]) -> list[Any]:
        if next(batches) == number:
            die()
        return await send(producer, rows)

    relay._send = dying


def relay_dies_before_delete(number: int) -> None:
    """A batch of events is acknowledged, and still in the outbox."""
    from shared import relay

    done_with, batches = relay._done_with, count(1)

    def dying(rows: Sequence[Any], results: Sequence[Any]) -> list[int]:
        if next(batches) == number:
            die()
        return done_with(rows, results)

    relay._done_with = dying


def api_dies_before_commit(number: int) -> None:
    """A POST has done its work, its transaction is not yet committed."""
    _at_post(number, lambda session: die())


def api_dies_before_answer(number: int) -> None:
    """A POST is committed, and its client will never hear of it."""
    from shared.database import Database

    transaction = Database.transaction

    @asynccontextmanager
    async def watched(self: Any, origin: Any = None) -> AsyncIterator[Any]:
        async with transaction(self, origin) as session:
            yield session
            dies = "dies" in session.info  # its connection, given back, forgets everything
        if dies:
            die()

    Database.transaction = watched
    _at_post(number, lambda session: session.info.update(dies=True))


def import_worker_dies_reading(number: int) -> None:
    """Rows of a file are stored, their transaction is not yet committed."""
    _worker_dies("store_rows", number)


def import_worker_dies_judging(number: int) -> None:
    """Rows of a preview are judged and stored, their transaction is not yet committed."""
    _worker_dies("store_portion", number)


def _worker_dies(after: str, number: int) -> None:
    """Die when a step of the worker of imports is done for the `number`-th time."""
    from services.imports import worker

    step, times = getattr(worker, after), count(1)

    @wraps(step)
    async def dying(*given: Any) -> Any:
        answer = await step(*given)
        if next(times) == number:
            die()
        return answer

    setattr(worker, after, dying)


def _at_post(number: int, act: Callable[[Any], None]) -> None:
    """Do something to the session of the `number`-th POST when its work is done."""
    from shared import http

    once, requests = http._once, count(1)

    async def counted(request: Any, session: Any, handle: Any) -> Any:
        answer = await once(request, session, handle)
        if request.method == "POST" and next(requests) == number:
            act(session)
        return answer

    http._once = counted
