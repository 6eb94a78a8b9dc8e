"""PostgreSQL: one engine per process, one transaction per request, batch or job, committed only here.

`transaction` writes the events that the work left in the session's outbox, then commits both
together. What a passing fault looks like (`is_transient`) is decided here, for HTTP and Kafka alike.
"""

import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import CursorResult, event, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from shared import outbox
from shared.envelope import Origin
from shared.errors import SchemaTooOld
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
        self.engine = _engine(settings, pool_size or settings.database_pool_size)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=False)
        reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._readers = async_sessionmaker(reading, expire_on_commit=False, autoflush=False)
        self.on_outbox: Callable[[], None] = lambda: None
        self.service = settings.service

    @asynccontextmanager
    async def transaction(self, origin: Origin | None = None) -> AsyncIterator[Session]:
        """A session whose work and events are committed together at the end, or not at all."""
        async with self._sessions() as session:
            outbox.open_box(session, self.service, origin or Origin())
            yield session
            await session.flush()
            written = await outbox.write(session)
            await session.commit()
        if written:
            self.on_outbox()

    @asynccontextmanager
    async def reading(self, origin: Origin | None = None) -> AsyncIterator[Session]:
        """A session for reads: every statement by itself, no transaction around them."""
        async with self._readers() as session:
            outbox.open_box(session, self.service, origin or Origin())
            yield session

    async def require_schema(self, version: str) -> None:
        """Raises SchemaTooOld when the database has not been migrated up to `version`."""
        async with self._readers() as session:
            exists = await session.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
            stored = await session.scalar(text("SELECT max(version_num) FROM alembic_version")) if exists else None
        if stored is None or stored < version:
            raise SchemaTooOld(f"{self.service}: schema {stored or 'none'} is older than {version}: run migrate")

    async def close(self) -> None:
        """Give the connections back."""
        await self.engine.dispose()


async def run(session: Session, sql: str, *parameters: Any) -> CursorResult[*tuple[Any, ...]]:
    """Run one hand-written statement with PostgreSQL's own `$1` parameters in the session's transaction.

    For statements whose shape is the point (batches over `unnest`, lists as JSON); values arrive as
    asyncpg sends them, JSON as text.
    """
    connection = await session.connection()
    return await connection.exec_driver_sql(sql, parameters)


async def clock(session: Session) -> datetime:
    """The database's own time, now; read after the row lock, it orders writes across processes."""
    return (await run(session, "SELECT clock_timestamp()")).scalar_one()


async def advisory_lock(session: Session, name: str) -> None:
    """Hold a named lock until the transaction ends; waits for its holder (lock timeout applies)."""
    await run(session, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name)


async def try_advisory_lock(session: Session, name: str) -> bool:
    """Hold a named lock until the transaction ends, or say at once that somebody else does."""
    result = await run(session, "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))", name)
    return bool(result.scalar_one())


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed a little later: connection lost, server away, lock not had."""
    if isinstance(error, PoolTimeout | ConnectionError | TimeoutError | asyncpg.PostgresConnectionError):
        return True
    if isinstance(error, DBAPIError):
        if error.connection_invalidated or isinstance(error, InterfaceError):
            return True
        state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
        if state is None:
            return isinstance(error, OperationalError) or "state" in str(error.orig)
        return state in PASSING_STATES or state.startswith("08")
    if isinstance(error, asyncpg.PostgresError):
        return (getattr(error, "sqlstate", None) or "") in PASSING_STATES
    return isinstance(error, asyncpg.InterfaceError | OSError)


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


def _engine(settings: Settings, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        driver_url(settings.database_url.get_secret_value()).replace("postgresql://", "postgresql+asyncpg://", 1),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=settings.database_pool_wait_seconds,
        pool_use_lifo=True,
        connect_args={**connect_arguments(settings), "prepared_statement_cache_size": STATEMENT_CACHE},
    )
    event.listen(engine.sync_engine, "handle_error", _mark_dead_connection)
    return engine


def _mark_dead_connection(context: Any) -> None:
    """asyncpg reports a dead backend in several ways; each must drop the pooled connection."""
    if isinstance(context.original_exception, asyncpg.InternalClientError | asyncpg.PostgresConnectionError):
        context.is_disconnect = True
    cause = getattr(context.original_exception, "__cause__", None)
    if isinstance(cause, asyncpg.InternalClientError | asyncpg.PostgresConnectionError | asyncpg.AdminShutdownError):
        context.is_disconnect = True
