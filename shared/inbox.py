"""Which events of topics without versions were applied already, so that a repetition has no effect.

An event's id is unique per source only, so a stranger cannot shadow another's events.
"""

from collections.abc import Sequence
from typing import TypeVar

from shared.database import Session, run, run_counting
from shared.envelope import Envelope

E = TypeVar("E", bound=Envelope)


async def unseen(session: Session, consumer: str, envelopes: Sequence[E]) -> list[E]:
    """Those of a batch that `consumer` has not applied; marks them applied in this transaction."""
    if not envelopes:
        return []
    fresh = await run(
        session,
        "INSERT INTO inbox (consumer, source, event_id)"
        " SELECT DISTINCT $1, source, event_id FROM unnest($2::text[], $3::text[]) AS batch(source, event_id)"
        " ON CONFLICT DO NOTHING RETURNING source, event_id",
        consumer,
        [envelope.source for envelope in envelopes],
        [envelope.id for envelope in envelopes],
    )
    waiting = {(source, event_id) for source, event_id in fresh}
    result: list[E] = []
    for envelope in envelopes:
        if (envelope.source, envelope.id) in waiting:
            waiting.discard((envelope.source, envelope.id))
            result.append(envelope)
    return result


async def purge(session: Session, days: int) -> int:
    """Forget what is older than `days`; a topic keeps its records for less. Answers how many went."""
    return await run_counting(
        session, "DELETE FROM inbox WHERE received_at < clock_timestamp() - make_interval(days => $1)", days
    )
