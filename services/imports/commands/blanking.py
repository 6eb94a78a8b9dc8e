"""Rows without what they say of erased customers (C8): that they were, and what became of them, stays.

A row is about whom it makes, changes or shows; one that was refused names nobody, and is known by what it claimed.
One on its way to `customers` may become either: it is marked, and emptied if its answer is that it was refused.
Whoever stores what rows are about keeps erasures off first, before any lock: either the erasure finds the rows, or
they are judged and stored by what the erasure has left.
"""

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from shared.database import Session, advisory_lock, run

_LOCK = "erasing customers"

ABOUT_ERASED = """
(customer_id = ANY($1::uuid[]) OR customer_id IS NULL AND outcome NOT IN ('create', 'update') AND keys && $2::text[])
"""

_MARK = "erased"
"""Among the keys of a row on its way: it claims what somebody had who is erased. No key that a row claims looks so."""

_MARK_WAITING = f"""
UPDATE import_row SET keys = array_append(keys, '{_MARK}') FROM import
WHERE import.id = import_row.import_id AND import.state = 'applying'
  AND import_row.customer_id IS NULL AND outcome IN ('create', 'update')
  AND keys && $1::text[] AND '{_MARK}' <> ALL(keys)
"""

# A preview that was not confirmed must not write an erased customer again.
_BLANK = f"""
UPDATE import_row SET cells = '[]', "values" = '{{}}', old = '{{}}', current = '{{}}', code = NULL,
    keys = '{{}}', changed = '{{}}', new_options = '[]', warnings = '[]', stale = false,
    outcome = CASE WHEN import_id = ANY($3::uuid[]) AND outcome IS NOT NULL THEN 'error' ELSE outcome END,
    errors = CASE WHEN import_id = ANY($3::uuid[]) AND outcome IS NOT NULL
                  THEN '[{{"field": null, "code": "not_found"}}]' ELSE errors END
WHERE {ABOUT_ERASED}
"""


async def keep_erasures_off(session: Session) -> None:
    """Nobody is erased before the transaction ends; waits for an erasure that has begun."""
    await advisory_lock(session, _LOCK, shared=True)


async def begin_erasure(session: Session) -> None:
    """Wait for what keeps erasures off, and let nothing of it begin before the transaction ends."""
    await advisory_lock(session, _LOCK)


async def erased_among(session: Session, customer_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the customers who are erased."""
    found = await run(
        session, "SELECT id FROM customer WHERE id = ANY($1::uuid[]) AND state = 'erased'", list(customer_ids)
    )
    return set(found.scalars())


async def blank_rows(
    session: Session, customer_ids: Collection[UUID], keys: Sequence[str] = (), open_ids: Sequence[UUID] = ()
) -> None:
    """Empty all rows about these customers, or refused ones with their keys; in imports before confirm they fail."""
    await run(session, _BLANK, list(customer_ids), list(keys), list(open_ids))


async def mark_waiting_rows(session: Session, keys: Sequence[str]) -> None:
    """Remember which rows on their way to `customers` claim what erased customers had; the rows keep it meanwhile.

    The number may be free again when `customers` writes the row: then it makes somebody new.
    """
    if keys:
        await run(session, _MARK_WAITING, list(keys))


async def blank_refused_rows(session: Session) -> None:
    """Empty the marked rows that wait no longer and made nobody."""
    await blank_rows(session, (), [_MARK])
