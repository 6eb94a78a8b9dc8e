"""Registers of what must be unique: phones of live customers (C2), codes for ever (C1).

A claim inserts and lets the unique index decide, so that of two writers at once exactly one has it.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from shared.copies import array_text
from shared.database import Session, run

_CLAIM = """
INSERT INTO customer_phone AS stored (phone, customer_id) SELECT * FROM unnest($1::text[], $2::uuid[])
ON CONFLICT (phone)"""

_CLAIM_FREED = f"{_CLAIM} DO UPDATE SET customer_id = stored.customer_id RETURNING phone, customer_id"
"""Holds who has one: only for the few that another writer let go of, since owners must not wait for each other."""

_RELEASE = """
DELETE FROM customer_phone USING unnest($1::uuid[], $2::text[]) AS left_over(customer_id, keep)
WHERE customer_phone.customer_id = left_over.customer_id AND customer_phone.phone <> ALL(left_over.keep::text[])
"""

CODE_PREFIX = "KH"
CODE_ATTEMPTS = 5


async def claim_phones(session: Session, phones: Mapping[str, UUID]) -> dict[str, UUID]:
    """Give phones to customers; answers those that other customers have, with whom. Their own stay theirs."""
    if not phones:
        return {}
    ordered = sorted(phones)  # one order for all writers: no deadlocks
    await run(session, f"{_CLAIM} DO NOTHING", ordered, [phones[phone] for phone in ordered])
    found = await run(session, "SELECT phone, customer_id FROM customer_phone WHERE phone = ANY($1::text[])", ordered)
    owners = dict(map(tuple, found))
    free = [phone for phone in ordered if phone not in owners]
    if free:  # their owners let go of them in between: claimed in one statement, whatever happens meanwhile
        owners |= dict(map(tuple, await run(session, _CLAIM_FREED, free, [phones[phone] for phone in free])))
    return {phone: owner for phone, owner in owners.items() if owner != phones[phone]}


async def release_phones(session: Session, customer_id: UUID, keep: Iterable[str]) -> None:
    """Take back a customer's phones except those to keep."""
    await run(
        session,
        "DELETE FROM customer_phone WHERE customer_id = $1 AND phone <> ALL($2::text[])",
        customer_id,
        list(keep),
    )


async def release_all_phones(session: Session, keep: Mapping[UUID, Iterable[str]]) -> None:
    """Take back the phones of many customers except those that each is to keep."""
    if keep:
        await run(session, _RELEASE, list(keep), [array_text(list(phones)) for phones in keep.values()])


async def claim_code(session: Session, code: str, customer_id: UUID) -> bool:
    """Give a code to a customer for ever; False when anybody has or had it."""
    return code in await claim_codes(session, {code: customer_id})


async def claim_codes(session: Session, codes: Mapping[str, UUID]) -> set[str]:
    """Give codes to customers; answers those that were free."""
    if not codes:
        return set()
    ordered = sorted(codes)
    granted = await run(
        session,
        "INSERT INTO customer_code (code, customer_id) SELECT * FROM unnest($1::text[], $2::uuid[])"
        " ON CONFLICT (code) DO NOTHING RETURNING code",
        ordered,
        [codes[code] for code in ordered],
    )
    return set(granted.scalars())


async def new_codes(session: Session, customer_ids: Sequence[UUID]) -> list[str]:
    """Generated codes (`KH000001`…), one for each customer; numbers that people have taken are skipped (C1)."""
    result: list[str] = []
    for _ in range(CODE_ATTEMPTS):
        missing = customer_ids[len(result) :]
        if not missing:
            return result
        numbers = await run(session, "SELECT nextval('customer_number') FROM generate_series(1, $1)", len(missing))
        codes = [f"{CODE_PREFIX}{number:06d}" for number in numbers.scalars()]
        free = await claim_codes(session, dict(zip(codes, missing, strict=True)))
        if len(free) == len(missing):
            return result + codes
        granted = [code for code in codes if code in free]
        await _rename(session, granted, missing[: len(granted)])
        result += granted
    return result + [(await new_codes(session, [customer_id]))[0] for customer_id in customer_ids[len(result) :]]


async def _rename(session: Session, codes: Sequence[str], customer_ids: Sequence[UUID]) -> None:
    """After gaps the codes move up: say again whose each one is."""
    await run(
        session,
        "UPDATE customer_code SET customer_id = news.id FROM unnest($1::text[], $2::uuid[]) AS news(code, id)"
        " WHERE customer_code.code = news.code",
        list(codes),
        list(customer_ids),
    )
