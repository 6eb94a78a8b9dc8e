"""Forgets erased customers (C8): their copy, rows that made, changed or met them, chunks on their way."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from services.imports.commands.blanking import ABOUT_ERASED, begin_erasure, blank_rows, mark_waiting_rows
from services.imports.commands.results import count_outcomes
from services.imports.domain.job import OPEN, Import
from services.imports.domain.preview import keys_of
from shared import outbox
from shared.contracts.customers import CustomerErased, CustomerEvent
from shared.contracts.events import Event
from shared.contracts.imports import ImportRowsConfirmed
from shared.contracts.work import ErasureCompleted
from shared.database import Session, clock, run
from shared.erasing import forget_mechanisms

# What waits for the relay has not left the house yet: a row about an erased customer stays.
_UNDELIVERED = """
SELECT id, payload FROM outbox
WHERE topic = $1 AND type = $2
  AND EXISTS (SELECT 1 FROM unnest($3::text[]) AS gone WHERE convert_from(payload, 'UTF8') LIKE '%' || gone || '%')
ORDER BY id FOR UPDATE
"""


async def find_keys(session: Session, erased: Sequence[CustomerErased], batch: Sequence[Event | None]) -> list[str]:
    """What rows may claim that met these customers; before their copy, which has the numbers, is emptied.

    What the batch says of them beside their end never reaches the copy. Who was told of the numbers is forgotten.
    """
    await begin_erasure(session)
    ids = {event.state.id for event in erased}
    copied = await run(session, "SELECT id, code, phones FROM customer WHERE id = ANY($1::uuid[])", list(ids))
    known = [(row.id, row.code, row.phones) for row in copied]
    states = [event.state for event in batch if isinstance(event, CustomerEvent)]
    known += [(state.id, state.code, state.phones) for state in states if state.id in ids]
    phones = {phone for _, _, own in known for phone in own}
    await run(session, "DELETE FROM revealed_phone WHERE phone = ANY($1::text[])", list(phones))
    return list(dict.fromkeys(key for one in known for key in keys_of(*one)))


async def forget_customers(session: Session, erased: Sequence[CustomerErased], keys: Sequence[str]) -> None:
    """Empty everything this service holds of these customers and say so, in one transaction."""
    ids = [event.state.id for event in erased]
    jobs = await _lock_imports_of(session, ids, keys)
    await blank_rows(session, ids, keys, [job.id for job in jobs if job.state in OPEN])
    await mark_waiting_rows(session, keys)
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


async def _lock_imports_of(session: Session, customer_ids: list[UUID], keys: Sequence[str]) -> Sequence[Import]:
    statement = f"SELECT DISTINCT import_id FROM import_row WHERE {ABOUT_ERASED}"
    touching = await run(session, statement, customer_ids, list(keys))
    jobs = select(Import).where(Import.id.in_(list(touching.scalars()))).order_by(Import.id)
    return (await session.scalars(jobs.with_for_update())).all()


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
