"""PostgreSQL as a part: its data outlives a crash, and a service's roles reach their own database only."""

from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.local.postgres import SUPERUSER, PostgresServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A running server with two services' databases."""
    server = PostgresServer(tmp_path_factory.mktemp("postgres"))
    server.start()
    server.create_service_databases(["customers", "imports"])
    yield server
    server.drop()


def test_what_was_committed_survives_kill_9_and_a_clean_stop(server: PostgresServer) -> None:
    """The same port, the same data, and writes that wait for the disk."""
    port = server.port
    server.execute("CREATE TABLE kept (number int); INSERT INTO kept VALUES (1)")
    server.kill()
    assert not server.running
    server.start()
    server.execute("INSERT INTO kept VALUES (2)")
    server.stop()
    assert not server.running
    server.start()
    assert server.execute("SELECT number FROM kept ORDER BY 1").split() == ["1", "2"]
    assert server.port == port
    assert server.execute("SHOW fsync") == "on"
    assert server.execute("SHOW server_version").startswith("18.")


def test_making_the_databases_again_changes_nothing(server: PostgresServer) -> None:
    """`make up` does so at every start."""
    server.execute("CREATE TABLE mine (number int)", "customers")
    server.create_service_databases(["customers", "imports"])
    assert server.execute("SELECT count(*) FROM mine", "customers") == "0"


async def test_a_service_reaches_its_own_database_only(server: PostgresServer) -> None:
    """Neither role of one service may connect to another's database, nor to the server's own."""
    for role in ("imports_app", "imports_owner"):
        await (await asyncpg.connect(server.url("imports", role))).close()
        for database in ("customers", "postgres", "template1"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asyncpg.connect(server.url(database, role))


async def test_the_app_role_may_do_nothing_until_a_migration_allows_it(server: PostgresServer) -> None:
    """It can neither make tables nor read the owner's; the owner can, and brings its extensions along."""
    owner = await asyncpg.connect(server.url("imports", "imports_owner"))
    await owner.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm; CREATE TABLE owned (number int)")
    await owner.close()
    app = await asyncpg.connect(server.url("imports", "imports_app"))
    for statement in ("CREATE TABLE intruder (number int)", "SELECT * FROM owned", "CREATE ROLE other"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(statement)
    await app.close()


async def test_a_password_is_asked_for(server: PostgresServer) -> None:
    """Every user of the machine can reach 127.0.0.1."""
    address = server.url("postgres", SUPERUSER).replace(":", ":wrong", 2).replace(":wrong//", "://", 1)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(address)


def test_text_sorts_and_folds_the_same_on_every_machine(server: PostgresServer) -> None:
    """Whatever the machine's own locale, Vietnamese letters have their small forms."""
    assert server.execute("SELECT lower('ĐẶNG THỊ ÁNH'), 'b' > 'A'") == "đặng thị ánh\tt"


def test_dropping_leaves_nothing_and_the_next_start_is_fresh(tmp_path: Path) -> None:
    """`make reset`."""
    server = PostgresServer(tmp_path)
    server.start()
    server.execute("CREATE TABLE gone (number int)")
    server.drop()
    server.start()
    assert server.execute("SELECT to_regclass('gone') IS NULL") == "t"
    server.drop()
