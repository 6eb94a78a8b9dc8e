"""Forgets erased customers (C8): their copy, the rows that made or changed them, chunks on their way."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from services.imports.commands.results import count_outcomes
from services.imports.domain.job import OPEN, Import
from shared import outbox
from shared.contracts.customers import CustomerErased
from shared.contracts.imports import ImportRowsConfirmed
from shared.contracts.work import ErasureCompleted
from shared.database import Session, clock, run
from shared.erasing import forget_mechanisms

# A preview that was not confirmed must not write an erased customer again.
_BLANK = """
UPDATE import_row SET cells = '[]', "values" = '{}', old = '{}', current = '{}', code = NULL,
    keys = '{}', changed = '{}', new_options = '[]', warnings = '[]', stale = false,
    outcome = CASE WHEN import_id = ANY($2::uuid[]) AND outcome IS NOT NULL THEN 'error' ELSE outcome END,
    errors = CASE WHEN import_id = ANY($2::uuid[]) AND outcome IS NOT NULL
                  THEN '[{"field": null, "code": "not_found"}]' ELSE errors END
WHERE customer_id = ANY($1::uuid[])
"""


# What waits for the relay has not left the house yet: a row about an erased customer stays.
_UNDELIVERED = """
SELECT id, payload FROM outbox
WHERE topic = $1 AND type = $2
  AND EXISTS (SELECT 1 FROM unnest($3::text[]) AS gone WHERE convert_from(payload, 'UTF8') LIKE '%' || gone || '%')
ORDER BY id FOR UPDATE
"""


async def forget_told_numbers(session: Session, erased: Sequence[CustomerErased]) -> None:
    """Forget who was told of these customers' numbers; before their copy, which has the numbers, is emptied."""
    await run(
        session,
        "DELETE FROM revealed_phone USING customer"
        " WHERE customer.id = ANY($1::uuid[]) AND revealed_phone.phone = ANY(customer.phones)",
        [event.state.id for event in erased],
    )


async def forget_customers(session: Session, erased: Sequence[CustomerErased]) -> None:
    """Empty everything this service holds of these customers and say so, in one transaction."""
    ids = [event.state.id for event in erased]
    jobs = await _lock_imports_of(session, ids)
    open_ids = [job.id for job in jobs if job.state in OPEN]
    await run(session, _BLANK, ids, open_ids)
    await forget_mechanisms(session, ids)  # rows that were confirmed and not sent yet name the person, too
    await run(session, "DELETE FROM customer_record WHERE id = ANY($1::uuid[])", ids)
    await _forget_undelivered(session, ids)
    for job in jobs:
        if job.state == "ready":
            job.progressed(await count_outcomes(session, job.id), False, job.created_at)
    at = await clock(session)
    outbox.add(
        session,
        (
            ErasureCompleted(
                customer_id=event.state.id, service="imports", erased_version=event.version, completed_at=at
            )
            for event in erased
        ),
    )


async def _lock_imports_of(session: Session, customer_ids: list[UUID]) -> Sequence[Import]:
    touching = await run(
        session, "SELECT DISTINCT import_id FROM import_row WHERE customer_id = ANY($1::uuid[])", customer_ids
    )
    statement = select(Import).where(Import.id.in_(list(touching.scalars()))).order_by(Import.id)
    return (await session.scalars(statement.with_for_update())).all()


async def _forget_undelivered(session: Session, customer_ids: list[UUID]) -> None:
    """Take rows out of chunks that were not sent yet; such a row is `failed` when its chunk is answered."""
    kind = ImportRowsConfirmed
    gone = frozenset(customer_ids)
    for outbox_id, payload in await run(
        session, _UNDELIVERED, kind.topic.name, kind.ce_type, [str(one) for one in gone]
    ):
        event = kind.parse(payload)
        kept = event.model_copy(update={"rows": tuple(row for row in event.rows if row.customer_id not in gone)})
        await run(session, "UPDATE outbox SET payload = $2 WHERE id = $1", outbox_id, kept.model_dump_json().encode())
