"""Databases of services for tests, lent and taken back.

To empty a database and lend it again takes a tenth of the time in which another is copied and met for the first
time. One whose schema a test has changed is dropped.
"""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from tests.support.servers import ServiceDatabase, TestServers

LOCK_TIMEOUT_SECONDS = 5
"""How long a session that a test has left behind may hold what is to be emptied."""

Migrate = Callable[[ServiceDatabase], Awaitable[Any]]

_TABLES = """
SELECT oid::regclass::text FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
"""
_SEQUENCES = """
SELECT oid::regclass::text FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace
"""
_SCHEMA = """
SELECT ARRAY[
    (SELECT (count(*), max(xmin::text::bigint))::text FROM pg_proc),
    (SELECT (count(*), max(xmin::text::bigint))::text FROM pg_attribute),
    (SELECT (count(*), max(xmin::text::bigint))::text FROM pg_trigger),
    (SELECT (count(*), max(xmin::text::bigint))::text FROM pg_constraint)]
"""
"""Moves with every function, column, trigger and constraint that is made, changed or dropped; not with data."""

_END_OTHERS = """
SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# Rows that are many, or that statistics know of, go with their table's file: what the planner knew goes, too.
_EMPTY = f"""
DO $$
DECLARE
    one record;
    many boolean;
BEGIN
    FOR one IN SELECT name, reltuples FROM ({_TABLES}) AS listed(name) JOIN pg_class c ON c.oid = name::regclass LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s OFFSET 500)', one.name) INTO many;
        IF many OR one.reltuples > 0 THEN
            EXECUTE format('TRUNCATE %s CASCADE', one.name);
        ELSE
            EXECUTE format('DELETE FROM %s', one.name);
        END IF;
    END LOOP;
END $$
"""
_FILL = """
INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_recordset(NULL::{table}, $1::jsonb)
"""


@dataclass
class _Pattern:
    """What a migrated database of a service holds before anything happens."""

    name: str
    schema: list[str]
    rows: dict[str, str]
    sequences: dict[str, tuple[int, bool]]
    spare: list[ServiceDatabase] = field(default_factory=list)


class Databases:
    """Lends databases as migrations leave them."""

    def __init__(self, servers: TestServers) -> None:
        self._servers, self._numbers = servers, count(1)
        self._patterns: dict[str, _Pattern] = {}

    async def lend(self, service: str, migrate: Migrate) -> ServiceDatabase:
        """A database of a service for one test, migrated; nobody else has it until it is taken back."""
        if service not in self._patterns:
            made = await self._servers.create_database(service, f"template_{os.getpid()}")
            await migrate(made)
            self._patterns[service] = await self._read(made)
        pattern = self._patterns[service]
        if pattern.spare:
            return pattern.spare.pop()
        return await self._servers.create_database(service, f"test_{os.getpid()}_{next(self._numbers)}", pattern.name)

    async def take_back(self, service: str, database: ServiceDatabase) -> None:
        """Empty a database and keep it, or drop it where it is not what it was."""
        pattern = self._patterns[service]
        if await self._emptied(pattern, database):
            pattern.spare.append(database)
        else:
            await self._servers.drop_database(_name(database))

    async def _read(self, database: ServiceDatabase) -> _Pattern:
        connection = await asyncpg.connect(self._servers.superuser_url(_name(database)))
        try:
            pattern = _Pattern(_name(database), await connection.fetchval(_SCHEMA), {}, {})
            for (table,) in await connection.fetch(_TABLES):
                rows = await connection.fetchval(f"SELECT jsonb_agg(t)::text FROM {table} t")
                if rows is not None:
                    pattern.rows[table] = rows
            for (sequence,) in await connection.fetch(_SEQUENCES):
                [stored] = await connection.fetch(f"SELECT last_value, is_called FROM {sequence}")
                pattern.sequences[sequence] = stored["last_value"], stored["is_called"]
        finally:
            await connection.close()
        return pattern

    async def _emptied(self, pattern: _Pattern, database: ServiceDatabase) -> bool:
        settings = {"lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s"}
        connection = await asyncpg.connect(
            self._servers.superuser_url(_name(database)), server_settings=settings, statement_cache_size=0
        )
        try:
            await connection.execute(_END_OTHERS)
            if await connection.fetchval(_SCHEMA) != pattern.schema:
                return False
            async with connection.transaction():
                await connection.execute("SET LOCAL session_replication_role = 'replica'")  # no triggers
                await connection.execute(_EMPTY)
                for table, rows in pattern.rows.items():
                    await connection.execute(_FILL.format(table=table), rows)
                for sequence, (last, called) in pattern.sequences.items():
                    await connection.execute("SELECT setval($1::text::regclass, $2, $3)", sequence, last, called)
        finally:
            await connection.close()
        return True


def _name(database: ServiceDatabase) -> str:
    return urlsplit(database.app_url).path.removeprefix("/")
