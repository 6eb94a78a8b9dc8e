"""A second ruleset for tests, brought in as a release would: functions, a branch, a number.

By it an SMS counts nothing and is no contact, a chat that was sent counts one, and each link clicked
counts two.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from shared.database import driver_url
from tests.support.harness import Harness

_STATEMENTS = (
    """
    CREATE FUNCTION contribution_2(entry ledger) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE entry.kind
        WHEN 'sms' THEN 0
        WHEN 'chat' THEN CASE WHEN (entry.outcome).fact = 'sent' THEN 1 ELSE 0 END
        ELSE contribution_1(entry)
    END
    """,
    """
    CREATE FUNCTION contact_at_2(entry ledger) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN entry.kind <> 'sms' THEN contact_at_1(entry) ELSE entry.received_at END
    """,
    """
    CREATE FUNCTION rule_2(entry ledger) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE entry.kind WHEN 'sms' THEN 'I14' WHEN 'chat' THEN 'I15' ELSE rule_1(entry) END
    """,
    """
    CREATE OR REPLACE FUNCTION contribution(ruleset int, entry ledger) RETURNS int LANGUAGE sql IMMUTABLE
    RETURN CASE ruleset WHEN 1 THEN contribution_1(entry) WHEN 2 THEN contribution_2(entry) END
    """,
    """
    CREATE OR REPLACE FUNCTION link_contribution(ruleset int, entry ledger) RETURNS int LANGUAGE sql IMMUTABLE
    RETURN CASE ruleset WHEN 1 THEN link_contribution_1(entry) WHEN 2 THEN 2 * link_contribution_1(entry) END
    """,
    """
    CREATE OR REPLACE FUNCTION contact_at(ruleset int, entry ledger) RETURNS timestamptz LANGUAGE sql IMMUTABLE
    RETURN CASE ruleset WHEN 1 THEN contact_at_1(entry) WHEN 2 THEN contact_at_2(entry) END
    """,
    """
    CREATE OR REPLACE FUNCTION two_way_at(ruleset int, entry ledger) RETURNS timestamptz LANGUAGE sql IMMUTABLE
    RETURN two_way_at_1(entry)
    """,
    """
    CREATE OR REPLACE FUNCTION rule(ruleset int, entry ledger) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN CASE ruleset WHEN 1 THEN rule_1(entry) WHEN 2 THEN rule_2(entry) END
    """,
    "INSERT INTO ruleset (number, in_force) VALUES (2, false)",
)


async def install(harness: Harness) -> None:
    """Let the service know the second ruleset; the first stays in force."""
    engine = create_async_engine(
        driver_url(harness.settings.owner_url).replace("postgresql://", "postgresql+asyncpg://", 1)
    )
    async with engine.begin() as connection:
        for statement in _STATEMENTS:
            await connection.execute(text(statement))
    await engine.dispose()


async def put_in_force(harness: Harness, number: int) -> None:
    """Let new facts count by a ruleset, as the command does at its beginning."""
    await harness.sql("UPDATE ruleset SET in_force = false")
    await harness.sql("UPDATE ruleset SET in_force = true WHERE number = $1", number)
