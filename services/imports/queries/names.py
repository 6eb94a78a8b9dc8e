"""Names for ids, from this service's copies: options, employees and customers as people call them."""

from collections.abc import Iterable
from uuid import UUID

from shared.access import visible_sql
from shared.database import Session, run
from shared.identity import Actor

_NAMES = """
SELECT id, CASE WHEN $2 = 'en' THEN coalesce(name_en, name) ELSE name END FROM classification WHERE id = ANY($1::uuid[])
UNION ALL SELECT id, name FROM employee WHERE id = ANY($1::uuid[])
UNION ALL SELECT id, code FROM customer WHERE id = ANY($1::uuid[]) AND code <> '' AND {seen}
"""


async def names_of(session: Session, actor: Actor, ids: Iterable[str], language: str) -> dict[str, str]:
    """What to show instead of each id; ids we know nothing of are left out, and customers the actor does not see (A2).

    Customers show their code.
    """
    wanted = [UUID(identifier) for identifier in ids]
    if not wanted:
        return {}
    seen, sight = visible_sql(actor, "customer", 3)
    found = await run(session, _NAMES.format(seen=seen), wanted, language, *sight)
    return {str(identifier): name for identifier, name in found}


_UPLOAD_TEXTS = """
SELECT option.id, CASE WHEN option.code IS NOT NULL AND EXISTS (
           SELECT 1 FROM classification AS other WHERE other.kind = option.kind AND other.id <> option.id
               AND other.names_folded && option.names_folded) THEN option.code ELSE option.name END
FROM classification AS option WHERE option.id = ANY($1::uuid[])
UNION ALL SELECT id, code FROM employee WHERE id = ANY($1::uuid[])
UNION ALL SELECT id, code FROM customer WHERE id = ANY($1::uuid[]) AND code <> '' AND {seen}
"""


async def upload_texts(session: Session, actor: Actor, ids: Iterable[str]) -> dict[str, str]:
    """What a file may call each id so that it means exactly that one: codes where a name would not do.

    Customers whom the actor does not see are left out: their id means them as well (A2).
    """
    wanted = [UUID(identifier) for identifier in ids]
    if not wanted:
        return {}
    seen, sight = visible_sql(actor, "customer", 2)
    found = await run(session, _UPLOAD_TEXTS.format(seen=seen), wanted, *sight)
    return {str(identifier): text for identifier, text in found}
