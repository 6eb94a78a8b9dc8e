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


_UPLOAD_TEXTS = """
SELECT option.id, CASE WHEN option.code IS NOT NULL AND EXISTS (
           SELECT 1 FROM classification AS other WHERE other.kind = option.kind AND other.id <> option.id
               AND other.names_folded && option.names_folded) THEN option.code ELSE option.name END
FROM classification AS option WHERE option.id = ANY($1::uuid[])
UNION ALL SELECT id, code FROM employee WHERE id = ANY($1::uuid[])
UNION ALL SELECT id, code FROM customer WHERE id = ANY($1::uuid[]) AND code <> ''
"""


async def upload_texts(session: Session, ids: Iterable[str]) -> dict[str, str]:
    """What a file may call each id so that it means exactly that one: codes where a name would not do."""
    wanted = [UUID(identifier) for identifier in ids]
    if not wanted:
        return {}
    return {str(identifier): text for identifier, text in await run(session, _UPLOAD_TEXTS, wanted)}
