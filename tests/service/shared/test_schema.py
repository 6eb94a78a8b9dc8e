"""Schemas and roles: migrated once however often and by however many, used by those who may."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from shared.database import Database
from shared.errors import SchemaTooOld
from shared.migrations import newest_revision, upgrade
from shared.settings import Settings
from tests.service.shared.conftest import PACKAGE
from tests.service.shared.probe.contracts import SERVICE
from tests.support.servers import TestServers

PROJECT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 30

_numbers = count(1)


@dataclass(frozen=True)
class Empty:
    """A database without a schema."""

    settings: Settings
    app_url: str
    owner_url: str


@pytest.fixture
async def empty(servers: TestServers) -> AsyncIterator[Empty]:
    """A new database with its two roles."""
    suffix = f"empty_{os.getpid()}_{next(_numbers)}"
    urls = await servers.create_database(SERVICE, suffix)
    values = {
        "service": SERVICE,
        "database_url": urls.app_url,
        "database_owner_url": urls.owner_url,
        "kafka_bootstrap_servers": "127.0.0.1:1",
        "jwks_url": "file:///nowhere",
        "token_issuer": "nobody",
    }
    yield Empty(Settings.model_validate(values), urls.app_url, urls.owner_url)
    await servers.drop_database(f"{SERVICE}_{suffix}")


async def test_migrations_run_once_however_often_they_are_asked_for(empty: Empty) -> None:
    """The second run finds nothing to do; ten at once wait for each other and one does the work."""
    first = await asyncio.gather(*(upgrade(empty.settings, PACKAGE) for _ in range(10)))
    assert sorted(map(len, first)) == [0] * 9 + [1]
    assert await upgrade(empty.settings, PACKAGE) == []


async def test_a_process_refuses_a_schema_older_than_its_code(empty: Empty) -> None:
    """Without any schema, and with an older one; a newer one is fine, since changes expand first."""
    database = Database(empty.settings, pool_size=1)
    try:
        with pytest.raises(SchemaTooOld, match="run migrate"):
            await database.require_schema(newest_revision(PACKAGE))
        await upgrade(empty.settings, PACKAGE)
        await database.require_schema(newest_revision(PACKAGE))
        await database.require_schema("0000")
        with pytest.raises(SchemaTooOld, match="schema 0001 is older than 0002"):
            await database.require_schema("0002")
    finally:
        await database.close()


@pytest.mark.parametrize("part", ["all", "api", "consumers", "relay"])
async def test_every_process_of_a_service_ends_with_one_line_when_its_schema_is_missing(
    empty: Empty, part: str
) -> None:
    """Status 1 and what to do about it; nothing was started before, no trace of calls."""
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL_CUSTOMERS": empty.app_url,
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "RAPPORT_JWKS_URL": "file:///nowhere",
        "RAPPORT_TOKEN_ISSUER": "nobody",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.customers", part),
        cwd=PROJECT,
        env=environment,
        stderr=subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    assert process.returncode == 1
    newest = newest_revision("services.customers")
    assert said.decode().strip() == f"SchemaTooOld: customers: schema none is older than {newest}: run migrate"


async def test_the_processes_role_writes_data_and_nothing_else(empty: Empty) -> None:
    """It cannot make, change or drop a table, nor say that a migration was run."""
    await upgrade(empty.settings, PACKAGE)
    connection = await asyncpg.connect(empty.app_url)
    try:
        await connection.execute("INSERT INTO effect (key, text) VALUES (gen_random_uuid(), 'allowed')")
        for statement in (
            "CREATE TABLE mine (id int)",
            "CREATE SCHEMA mine",
            "ALTER TABLE effect ADD COLUMN more text",
            "DROP TABLE effect",
            "TRUNCATE effect",
            "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1",
            "UPDATE alembic_version SET version_num = '9999'",
            "CREATE ROLE mine",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()
