"""The connections of a process to its database, each with the SQLAlchemy session that works on it.

Borrowing is nearly free: what is idle is kept with its session, and only a session that was used is
emptied. A connection that was lost, or that comes back in the middle of a transaction, is never lent
again. SQLAlchemy begins no transactions here; `database.transaction` does, at the driver.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

CACHED_STATEMENTS = 500
MAX_CACHED_STATEMENT_BYTES = 100_000
"""The ledger's statements are longer than what the driver keeps by default."""


@dataclass(frozen=True, slots=True)
class Lent:
    """One connection: the driver's own, and a session on top of it."""

    connection: AsyncConnection
    driver: asyncpg.Connection
    session: AsyncSession

    @property
    def may_be_lent_again(self) -> bool:
        """Whether it is alive and between transactions."""
        return not self.driver.is_closed() and not self.driver.is_in_transaction()

    async def discard(self) -> None:
        """Close it at once, whatever state it is in."""
        self.driver.terminate()
        with contextlib.suppress(Exception):  # it may be half dead already, and nothing is left to save
            await self.connection.invalidate()
            await self.connection.close()


class Connections:
    """At most `size` connections, lent one by one; who waits longer than `wait_seconds` gets a TimeoutError."""

    def __init__(self, url: str, arguments: dict[str, Any], size: int, wait_seconds: float) -> None:
        self._engine = create_async_engine(
            url.replace("postgresql://", "postgresql+asyncpg://", 1),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={
                **arguments,
                "statement_cache_size": CACHED_STATEMENTS,
                "max_cacheable_statement_size": MAX_CACHED_STATEMENT_BYTES,
                "prepared_statement_cache_size": CACHED_STATEMENTS,
            },
        )
        self._free = asyncio.Semaphore(size)
        self._wait_seconds = wait_seconds
        self._idle: list[Lent] = []

    @asynccontextmanager
    async def borrowed(self) -> AsyncIterator[Lent]:
        """A connection for the block. Raises TimeoutError when none comes free in time."""
        await self._admit()
        try:
            lent = await self._idle_one() or await self._open()
            try:
                yield lent
            finally:
                await self._take_back(lent)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            await self._idle.pop().discard()
        await self._engine.dispose()

    async def _admit(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        async with asyncio.timeout(self._wait_seconds):
            await self._free.acquire()

    async def _idle_one(self) -> Lent | None:
        while self._idle:
            lent = self._idle.pop()  # the last one used: its pages and plans are warm
            if lent.may_be_lent_again:
                return lent
            await lent.discard()
        return None

    async def _open(self) -> Lent:
        connection = await self._engine.connect()
        driver = (await connection.get_raw_connection()).driver_connection
        assert isinstance(driver, asyncpg.Connection)
        session = AsyncSession(connection, expire_on_commit=False, autoflush=False)
        session.info["driver"] = driver
        return Lent(connection, driver, session)

    async def _take_back(self, lent: Lent) -> None:
        try:
            if lent.session.in_transaction():
                await lent.session.close()
            lent.session.info.clear()
            lent.session.info["driver"] = lent.driver
        except BaseException:
            lent.driver.terminate()
            raise
        if lent.may_be_lent_again:
            self._idle.append(lent)
        else:
            await lent.discard()


def driver(session: AsyncSession) -> asyncpg.Connection:
    """The driver's connection under a session that was lent here: what runs on it is in the same transaction."""
    return session.info["driver"]
