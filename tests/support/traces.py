"""Looks through every column of every table of a service for pieces of text, whatever the column's type."""

from collections.abc import Sequence

from tests.support.harness import Harness

_COLUMNS = """
SELECT table_name, column_name, data_type FROM information_schema.columns
WHERE table_schema = 'public' ORDER BY table_name, ordinal_position
"""


async def traces(harness: Harness, needles: Sequence[str]) -> list[tuple[str, str, str]]:
    """Where a piece of text stands: `(table, column, piece)`; bytes are looked through as UTF-8."""
    found: list[tuple[str, str, str]] = []
    for table, column, kind in await harness.sql(_COLUMNS):
        for needle in needles:
            condition = (
                f"position(convert_to($1, 'UTF8') IN {column}) > 0"
                if kind == "bytea"
                else f"position(lower($1) IN lower({column}::text)) > 0"
            )
            if await harness.sql(f'SELECT 1 FROM "{table}" WHERE {condition} LIMIT 1', needle):
                found.append((table, column, needle))
    return found
