"""Schema changes: Alembic under an advisory lock, and the tables that mechanisms need everywhere.

Changes expand first and contract a release later, so that two releases run side by side. Revision
ids are four digits in order: a process compares the highest it knows with the database's.
"""

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util.concurrency import await_only

from shared import outbox
from shared.contracts.events import Event
from shared.database import connect_arguments, driver_url
from shared.envelope import Origin
from shared.settings import Settings

MIGRATION_LOCK_TIMEOUT_SECONDS = 60

MECHANISMS_1 = """
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL UNIQUE,
    topic text NOT NULL,
    aggregatetype text NOT NULL,
    aggregateid text NOT NULL,
    type text NOT NULL,
    payload bytea,
    headers jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE outbox_sent (
    id bigint PRIMARY KEY,
    event_id uuid NOT NULL,
    topic text NOT NULL,
    aggregatetype text NOT NULL,
    aggregateid text NOT NULL,
    type text NOT NULL,
    payload bytea,
    headers jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX outbox_sent_sent_at ON outbox_sent (sent_at);
CREATE TABLE relay_hand_over (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), clean boolean NOT NULL);
INSERT INTO relay_hand_over (clean) VALUES (true);
CREATE TABLE inbox (
    consumer text NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL CHECK (length(event_id) <= 256),
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, source, event_id)
);
CREATE INDEX inbox_received_at ON inbox (received_at);
CREATE TABLE consumer_progress (
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    end_offset bigint NOT NULL,
    progressed_at timestamptz NOT NULL,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);
CREATE TABLE job_run (
    job text NOT NULL,
    slot text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    PRIMARY KEY (job, slot)
);
CREATE TABLE idempotency (
    actor text NOT NULL,
    path text NOT NULL,
    key text NOT NULL,
    body_hash bytea NOT NULL,
    answer jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (actor, path, key)
);
CREATE INDEX idempotency_created_at ON idempotency (created_at);
"""

COPIES_1 = """
CREATE TABLE customer (
    id uuid PRIMARY KEY,
    code text NOT NULL,
    name text NOT NULL,
    manager_id uuid,
    viewer_ids uuid[] NOT NULL DEFAULT '{}',
    relationship_id uuid,
    phones text[] NOT NULL DEFAULT '{}',
    state text NOT NULL,
    created_at timestamptz NOT NULL,
    version bigint NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX customer_manager ON customer (manager_id);
CREATE INDEX customer_viewers ON customer USING gin (viewer_ids) WHERE viewer_ids <> '{}';
CREATE TABLE employee (
    id uuid PRIMARY KEY,
    code text NOT NULL,
    name text NOT NULL,
    email text,
    superior_id uuid,
    active boolean NOT NULL,
    successor_id uuid,
    version bigint NOT NULL
);
CREATE INDEX employee_superior ON employee (superior_id);
"""


def script(sql: str) -> None:
    """Run many statements in the migration's transaction (a prepared statement takes only one)."""
    from alembic import op

    await_only(op.get_bind().connection.driver_connection.execute(sql))  # pyright: ignore[reportOptionalMemberAccess]  # the pool's connection is open here


def tell(service: str, events: Sequence[Event]) -> None:
    """Put events of a migration into the outbox, such as the state of what it has created."""
    from alembic import op

    for event in events:
        op.get_bind().exec_driver_sql(outbox.INSERT, outbox.parameters(service, [event], Origin()))


def newest_revision(package: str) -> str:
    """The highest revision that this code knows, such as `0003`."""
    return max(path.name[:4] for path in _versions(package).glob("[0-9][0-9][0-9][0-9]_*.py"))


async def upgrade(settings: Settings, package: str) -> list[str]:
    """Bring a service's schema up to date; answers the revisions that were run.

    Two upgrades at once wait for each other. The app role gets rights on data only, and temporary
    tables of its own (`rebuild`).
    """
    engine = create_async_engine(
        driver_url(settings.owner_url).replace("postgresql://", "postgresql+asyncpg://", 1),
        poolclass=pool.NullPool,
        connect_args={**connect_arguments(settings), "command_timeout": None},
    )
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"SET LOCAL lock_timeout = '{MIGRATION_LOCK_TIMEOUT_SECONDS}s'"))
            await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('rapport-migrations'))"))
            revisions = await connection.run_sync(_upgrade, package)
            await connection.run_sync(_grant, app_role(settings))
    finally:
        await engine.dispose()
    return revisions


def app_role(settings: Settings) -> str | None:
    """The role the processes use, if it is not the owner itself."""
    role = urlsplit(settings.database_url.get_secret_value()).username
    owner = urlsplit(settings.owner_url).username
    return None if role == owner else role


def _versions(package: str) -> Path:
    location = import_module(f"{package}.migrations").__file__
    assert location is not None
    return Path(location).parent / "versions"


def _upgrade(connection: Connection, package: str) -> list[str]:
    from alembic.config import Config  # only this command needs Alembic: 10 MB in every process else
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(_versions(package).parent), version_locations=[str(_versions(package))])
    done: list[str] = []

    def steps(revision: object, _: object) -> object:
        planned = script._upgrade_revs("head", revision)  # pyright: ignore[reportArgumentType]  # alembic's own env.py calls it so
        done.extend(step.revision.revision for step in planned if step.revision is not None)
        return planned

    with EnvironmentContext(Config(), script, fn=steps) as environment:
        environment.configure(connection=connection, target_metadata=None)
        environment.run_migrations()
    return done


def _grant(connection: Connection, role: str | None) -> None:
    if role is None:
        return
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", role):
        raise ValueError(f"the app role's name needs quoting, which is not supported: {role}")
    database = connection.execute(text("SELECT quote_ident(current_database())")).scalar_one()
    for statement in (
        f"GRANT TEMPORARY ON DATABASE {database} TO {role}",
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {role}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    ):
        connection.execute(text(statement))
