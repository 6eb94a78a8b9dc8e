"""Frozen lists of customers that somebody selected at `customers`, kept until they expire."""

import asyncio
import time
from collections.abc import Sequence
from uuid import UUID

from shared.contracts.events import Event
from shared.contracts.work import SelectionChunkResolved, SelectionResolved
from shared.copies import array_text
from shared.database import Session, run, run_counting
from shared.envelope import Envelope
from shared.errors import Invalid
from shared.identity import Actor

KEPT_DAYS = 7
"""As long as the topic keeps its records: chunks of a selection that never was complete go then."""

POLL_SECONDS = 0.05
MAX_WAITING = 3
"""Requests of one process that wait at once: each holds a connection of the pool."""

_CHUNKS = """
INSERT INTO selection_chunk (selection_id, chunk, customer_ids)
SELECT selection_id, chunk, customer_ids::uuid[]
FROM unnest($1::uuid[], $2::int[], $3::text[]) AS news(selection_id, chunk, customer_ids)
ON CONFLICT DO NOTHING
"""

_COMPLETE = """
INSERT INTO selection (id, chunks, total, left_out, actor, resolved_at, expires_at)
SELECT id, chunks, total, left_out, actor::jsonb, resolved_at, expires_at
FROM unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::text[], $6::timestamptz[], $7::timestamptz[])
     AS news(id, chunks, total, left_out, actor, resolved_at, expires_at)
ON CONFLICT DO NOTHING
"""

_USABLE = """
SELECT total FROM selection
WHERE id = $1 AND actor ->> 'kind' = $2 AND actor ->> 'id' = $3 AND expires_at > clock_timestamp()
  AND (SELECT count(*) FROM selection_chunk WHERE selection_id = $1) = chunks
"""


class _Waiting:
    """How many requests of this process wait for a selection."""

    count = 0


async def keep_selections(session: Session, envelopes: Sequence[Envelope[Event]]) -> None:
    """Store chunks and the word that a selection is complete, in whatever order they come."""
    events = [envelope.event for envelope in envelopes]
    chunks = [
        (event.selection_id, event.chunk, array_text(event.customer_ids))
        for event in events
        if isinstance(event, SelectionChunkResolved)
    ]
    complete = [
        (
            event.selection_id,
            event.chunks,
            event.total,
            event.left_out,
            event.actor.model_dump_json(),
            event.resolved_at,
            event.expires_at,
        )
        for event in events
        if isinstance(event, SelectionResolved)
    ]
    if chunks:
        await run(session, _CHUNKS, *map(list, zip(*chunks, strict=True)))
    if complete:
        await run(session, _COMPLETE, *map(list, zip(*complete, strict=True)))


async def usable_selection(session: Session, actor: Actor, selection_id: UUID, wait_seconds: float) -> int:
    """How many customers a complete selection of the actor's own holds.

    It may still be on its way: waits for it up to `wait_seconds`. Raises Invalid `selection_unknown`, also for
    somebody else's and an expired one.
    """
    deadline = time.monotonic() + (wait_seconds if _Waiting.count < MAX_WAITING else 0)
    _Waiting.count += 1
    try:
        while (found := (await run(session, _USABLE, selection_id, actor.kind, actor.id)).scalar_one_or_none()) is None:
            if time.monotonic() >= deadline:
                raise Invalid("selection_unknown")
            await asyncio.sleep(POLL_SECONDS)
        return found
    finally:
        _Waiting.count -= 1


async def selection_chunk(session: Session, selection_id: UUID, place: int) -> list[UUID] | None:
    """The customers of a selection's `place`-th chunk (from 0); None behind the last."""
    found = await run(
        session,
        "SELECT customer_ids FROM selection_chunk WHERE selection_id = $1 ORDER BY chunk OFFSET $2 LIMIT 1",
        selection_id,
        place,
    )
    return found.scalar_one_or_none()


async def forget_selections(session: Session) -> int:
    """Forget expired selections, and chunks that never became one. Answers how many selections went."""
    gone = await run_counting(session, "DELETE FROM selection WHERE expires_at < clock_timestamp()")
    await run(
        session,
        "DELETE FROM selection_chunk WHERE received_at < clock_timestamp() - make_interval(days => $1)"
        " AND NOT EXISTS (SELECT FROM selection WHERE selection.id = selection_chunk.selection_id)",
        KEPT_DAYS,
    )
    return gone
