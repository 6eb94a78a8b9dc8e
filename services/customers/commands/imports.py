"""Confirmed rows of an import become customers or sectors: each row once, whatever comes twice (M2, M9).

A chunk is one transaction. What the uploader may do is checked again here, with their permissions as
of the confirmation and their sight as of now; a row whose customer has changed since the preview is a
conflict and nothing of it is written. What was written over is kept beside the row, for its undo.
"""

from collections.abc import Sequence
from typing import Any

from services.customers.commands.employees import active_employees
from services.customers.commands.import_chunk import Chunk, Refused
from services.customers.commands.import_options import create_options
from services.customers.commands.import_writes import create_rows, update_rows
from services.customers.commands.publishing import tell, write_entries
from services.customers.commands.revealing import keep_reveals_of_rows
from services.customers.commands.sector_rows import write_sector_rows
from shared import outbox
from shared.access import actor_of
from shared.contracts.events import CHUNK_BYTES, Cause, StateEvent
from shared.contracts.imports import AppliedRow, ConfirmedRow, ImportKind, ImportRowsApplied, ImportRowsConfirmed
from shared.database import Session, advisory_lock, clock, run, run_counting, settings_of
from shared.envelope import Envelope
from shared.errors import RapportError
from shared.identity import IMPORT, SETTINGS, Actor
from shared.revealing import look_at_reveals

_KEEP = """
INSERT INTO import_row (import_id, row, chunk, customer_id, action, old, new, version_after, result)
SELECT $1, row, $2, customer_id, action, old::jsonb, new::jsonb, version_after, result::jsonb
FROM unnest($3::int[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[])
     AS news(row, customer_id, action, old, new, version_after, result)
"""


FORGOTTEN_AT_ONCE = 10_000
"""Rows that one transaction of the purge removes."""

_FORGET = f"""
DELETE FROM import_row WHERE (import_id, row) IN (
    SELECT import_id, row FROM import_row WHERE written_at < clock_timestamp() - make_interval(days => $1)
    ORDER BY written_at LIMIT {FORGOTTEN_AT_ONCE})
"""


async def apply_import_rows(session: Session, envelope: Envelope[ImportRowsConfirmed]) -> None:
    """Write one confirmed chunk and answer with its outcomes; a chunk seen before is answered again (M9)."""
    event = envelope.event
    assert event is not None
    await advisory_lock(session, f"import chunk|{event.import_id}|{event.chunk}")  # it may have been sent twice
    known = await _known(session, event)
    rows = [row for row in event.rows if row.row not in known]
    chunk = await _begin(session, envelope, event)
    told = await _apply(session, chunk, rows) if rows else []
    known |= chunk.outcomes
    # Before the answers: a preview made upon them counts these. The answers before the customers: somebody watches.
    await keep_reveals_of_rows(session, chunk.reveals, chunk.cause, event.import_id, envelope.origin())
    applied = [known[row.row] for row in event.rows]
    outbox.add(session, _answers(event, applied), envelope.origin())
    if rows:
        await session.flush()
        await write_entries(session, tell(session, told, after=envelope, actor=chunk.actor))
        await _keep(session, chunk, rows)


async def forget_import_rows(session: Session, days: int) -> int:
    """Forget rows written `days` ago, which nobody can take back or send again; answers how many (at most a batch)."""
    return await run_counting(session, _FORGET, days)


def _answers(event: ImportRowsConfirmed, applied: Sequence[AppliedRow]) -> list[ImportRowsApplied]:
    """The outcomes of a chunk, in as many records as they need: a conflict holds what the customer says now (M2)."""
    parts: list[list[AppliedRow]] = [[]]
    size = 0
    for row in applied:
        row_bytes = len(row.model_dump_json().encode())
        if parts[-1] and size + row_bytes > CHUNK_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(row)
        size += row_bytes
    return [
        ImportRowsApplied(
            import_id=event.import_id,
            chunk=event.chunk,
            rows=tuple(part),
            elsewhere=tuple(row.row for other in parts if other is not part for row in other),
        )
        for part in parts
    ]


async def _begin(session: Session, envelope: Envelope[ImportRowsConfirmed], event: ImportRowsConfirmed) -> Chunk:
    cause = Cause(kind="contact_sync" if event.kind == "contacts" else "import", id=str(event.import_id))
    unknown = Actor(event.actor.kind, event.actor.id)
    return Chunk(envelope, event, unknown, await clock(session), cause)


async def _apply(session: Session, chunk: Chunk, rows: Sequence[ConfirmedRow]) -> list[StateEvent[Any]]:
    """Write the rows that may be written; answers what is to be told of them."""
    event = chunk.event
    try:
        chunk.actor = await actor_of(session, event.actor)
        _require_permission(chunk.actor, event.kind, rows)
    except RapportError as refusal:
        for row in rows:
            chunk.refuse(row, Refused(refusal.code))
        return []
    if event.kind == "sectors":
        return await write_sector_rows(session, chunk, rows)
    return await _write_customers(session, chunk, rows)


def _require_permission(actor: Actor, kind: ImportKind, rows: Sequence[ConfirmedRow]) -> None:
    """Raises Forbidden (R1). One's own contacts are anybody's to bring."""
    if kind == "sectors":
        actor.require(SETTINGS)
    elif kind == "customers" or any(row.employee_id != actor.employee_id for row in rows):
        actor.require(IMPORT)


async def _write_customers(session: Session, chunk: Chunk, rows: Sequence[ConfirmedRow]) -> list[StateEvent[Any]]:
    chunk.reveals = await look_at_reveals(session, chunk.actor, "batch", settings_of(session).reveal_batch_per_hour)
    chunk.active = await active_employees(session, {row.employee_id for row in rows if row.employee_id is not None})
    told = await create_options(session, chunk, rows)
    told += await create_rows(session, chunk, [row for row in rows if row.action == "create"])
    return told + await update_rows(session, chunk, [row for row in rows if row.action == "update"])


async def _known(session: Session, event: ImportRowsConfirmed) -> dict[int, AppliedRow]:
    found = await run(
        session,
        "SELECT row, result::text FROM import_row WHERE import_id = $1 AND row = ANY($2::int[])",
        event.import_id,
        [row.row for row in event.rows],
    )
    return {row: AppliedRow.parse(result.encode()) for row, result in found}


async def _keep(session: Session, chunk: Chunk, rows: Sequence[ConfirmedRow]) -> None:
    records = []
    for row in rows:
        outcome = chunk.outcomes[row.row]
        old, new = chunk.overwritten.get(row.row, ("{}", "{}"))
        customer_id = outcome.customer_id if outcome.outcome != "error" else None
        result = outcome.model_dump_json()
        records.append((row.row, customer_id, row.action, old, new, outcome.version, result))
    await run(session, _KEEP, chunk.event.import_id, chunk.event.chunk, *map(list, zip(*records, strict=True)))
