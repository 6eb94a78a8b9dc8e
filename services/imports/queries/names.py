"""Names for ids, from this service's copies: options, employees and customers as people call them."""

from collections.abc import Iterable
from uuid import UUID

from shared.database import Session, run

_NAMES = """
SELECT id, CASE WHEN $2 = 'en' THEN coalesce(name_en, name) ELSE name END FROM classification WHERE id = ANY($1::uuid[])
UNION ALL SELECT id, name FROM employee WHERE id = ANY($1::uuid[])
UNION ALL SELECT id, code FROM customer WHERE id = ANY($1::uuid[]) AND code <> ''
"""


async def names_of(session: Session, ids: Iterable[str], language: str) -> dict[str, str]:
    """What to show instead of each id; ids we know nothing of are left out. Customers show their code."""
    wanted = [UUID(identifier) for identifier in ids]
    if not wanted:
        return {}
    found = await run(session, _NAMES, wanted, language)
    return {str(identifier): name for identifier, name in found}
