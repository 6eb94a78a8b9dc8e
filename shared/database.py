"""PostgreSQL: a few connections per process, one transaction per request, batch or job, committed only here.

`transaction` writes the events that the work left in the session's outbox, then commits both
together. Objects go through SQLAlchemy's session, hand-written SQL (`run`) past it to the driver of the
same connection: a statement then costs a fifth. What a passing fault looks like (`is_transient`) is
decided here, for HTTP and Kafka alike.
"""

import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from shared import outbox
from shared.connections import Connections, driver
from shared.envelope import Origin
from shared.errors import SchemaTooOld
from shared.rows import Row, Rows
from shared.settings import Settings

Session = AsyncSession

LOCK_TIMEOUT_SECONDS = 10
CONNECT_TIMEOUT_SECONDS = 5
STATEMENT_CACHE = 500
PASSING_STATES = frozenset({"40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "53300", "53400"})
"""Serialisation, deadlock, lock and statement timeouts, shutdown, too many connections."""


class Database:
    """A service's database. `on_outbox` is called after a commit that left events for the relay."""

    def __init__(self, settings: Settings, pool_size: int | None = None) -> None:
        url = driver_url(settings.database_url.get_secret_value())
        size = pool_size or settings.database_pool_size
        self._connections = Connections(url, connect_arguments(settings), size, settings.database_pool_wait_seconds)
        self.on_outbox: Callable[[], None] = lambda: None
        self.service, self._settings = settings.service, settings

    @asynccontextmanager
    async def transaction(self, origin: Origin | None = None) -> AsyncIterator[Session]:
        """A session whose work and events are committed together at the end, or not at all."""
        async with self._connections.borrowed() as connection:
            session = connection.session
            session.info["settings"] = self._settings
            outbox.open_box(session, self.service, origin or Origin())
            async with connection.driver.transaction():
                yield session
                await session.flush()
                written = await outbox.write(session)
        if written:
            self.on_outbox()

    @asynccontextmanager
    async def reading(self, origin: Origin | None = None) -> AsyncIterator[Session]:
        """A session for reads: every statement by itself, no transaction around them."""
        async with self._connections.borrowed() as connection:
            outbox.open_box(connection.session, self.service, origin or Origin())
            yield connection.session

    async def require_schema(self, version: str) -> None:
        """Raises SchemaTooOld when the database has not been migrated up to `version`."""
        async with self.reading() as session:
            exists = (await run(session, "SELECT to_regclass('alembic_version') IS NOT NULL")).scalar_one()
            found = await run(session, "SELECT max(version_num) FROM alembic_version") if exists else None
        stored = found.scalar_one() if found is not None else None
        if stored is None or stored < version:
            raise SchemaTooOld(f"{self.service}: schema {stored or 'none'} is older than {version}: run migrate")

    async def close(self) -> None:
        """Give the connections back."""
        await self._connections.close()


async def run(session: Session, sql: str, *parameters: Any) -> Rows:
    """Run one hand-written statement with PostgreSQL's own `$1` parameters in the session's transaction.

    For statements whose shape is the point (batches over `unnest`, lists as JSON); values arrive as
    asyncpg sends them, JSON as text. What objects have pending is not flushed before.
    """
    return Rows(await driver(session).fetch(sql, *parameters, record_class=Row))


async def run_counting(session: Session, sql: str, *parameters: Any) -> int:
    """Run a statement that answers no rows; says how many it wrote."""
    return int((await driver(session).execute(sql, *parameters)).rpartition(" ")[2])


@asynccontextmanager
async def savepoint(session: Session) -> AsyncIterator[None]:
    """A part of the session's transaction that is taken back alone where the block fails."""
    async with driver(session).transaction():
        yield


def settings_of(session: Session) -> Any:
    """The settings of the process in whose transaction this is: what a handler of events has no other way to know."""
    return session.info["settings"]


async def clock(session: Session) -> datetime:
    """The database's own time, now; read after the row lock, it orders writes across processes."""
    return (await run(session, "SELECT clock_timestamp()")).scalar_one()


async def advisory_lock(session: Session, name: str, *, shared: bool = False) -> None:
    """Hold a named lock until the transaction ends, if asked together with others who share it; waits for its holder
    (lock timeout applies).
    """
    lock = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    await run(session, f"SELECT {lock}(hashtextextended($1, 0))", name)


async def try_advisory_lock(session: Session, name: str) -> bool:
    """Hold a named lock until the transaction ends, or say at once that somebody else does."""
    result = await run(session, "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))", name)
    return bool(result.scalar_one())


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed a little later: connection lost, server away, lock not had."""
    if isinstance(error, ConnectionError | TimeoutError | asyncpg.PostgresConnectionError):
        return True
    if isinstance(error, DBAPIError):  # what SQLAlchemy says in place of the driver
        cause = getattr(error.orig, "__cause__", None)
        return error.connection_invalidated or (cause is not None and is_transient(cause))
    if isinstance(error, asyncpg.PostgresError):
        return (getattr(error, "sqlstate", None) or "") in PASSING_STATES
    if isinstance(error, ValueError):  # a value that the driver cannot send is one of its InterfaceErrors, too
        return False
    return isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError | OSError)


def violated(error: BaseException) -> str | None:
    """Name of the unique or other constraint that a write broke, if that is what happened."""
    orig = getattr(error, "orig", error)
    cause = getattr(orig, "__cause__", None) or orig
    return getattr(cause, "constraint_name", None)


def driver_url(url: str) -> str:
    """The address as asyncpg takes it: plain `postgresql://`."""
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)


def connect_arguments(settings: Settings) -> dict[str, Any]:
    """What every connection needs: timeouts, TLS, a name in `pg_stat_activity`."""
    arguments: dict[str, Any] = {
        "timeout": CONNECT_TIMEOUT_SECONDS,
        "command_timeout": settings.database_command_timeout_seconds,
        "server_settings": {
            "application_name": f"rapport-{settings.service}",
            "timezone": "UTC",
            "rapport.zone": settings.time_zone,
            "jit": "off",
            "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
            "idle_in_transaction_session_timeout": f"{settings.database_idle_transaction_seconds:g}s",
        },
    }
    if settings.database_tls != "off":
        context = ssl.create_default_context(cafile=settings.database_tls_ca)
        if settings.database_tls == "require":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        arguments["ssl"] = context
    return arguments
