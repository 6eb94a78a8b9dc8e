"""What changed of customers: found by comparing the copy with newer states, kept for seven days (K5).

Nothing is found in replayed events: they repair the copy and trigger nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from services.campaigns.domain.customer_change import (
    CustomerChange,
    Happening,
    Profile,
    change_between,
    profile_of,
)
from shared.contracts.customers import CustomerEvent, CustomerState
from shared.contracts.events import Event
from shared.copies import CustomerSeen, array_text
from shared.database import Session, run, run_counting
from shared.envelope import Envelope, new_id

KEPT_DAYS = 7

_KNOWN = """
SELECT customer_id, group_ids, source_ids, relationship_id, version
FROM customer_profile WHERE customer_id = ANY($1::uuid[])
"""

_REMEMBER = """
INSERT INTO customer_profile AS stored (customer_id, group_ids, source_ids, relationship_id, version)
SELECT customer_id, group_ids::uuid[], source_ids::uuid[], relationship_id, version
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::bigint[])
     AS news(customer_id, group_ids, source_ids, relationship_id, version)
ORDER BY customer_id
ON CONFLICT (customer_id) DO UPDATE SET
    group_ids = excluded.group_ids, source_ids = excluded.source_ids, relationship_id = excluded.relationship_id,
    version = excluded.version
WHERE stored.version <= excluded.version
"""

_KEEP = """
INSERT INTO customer_change (id, customer_id, happened_at, created, customer_created_at, group_ids, source_ids,
                             relationship_id, facts, event_id, correlation_id, depth)
SELECT id, customer_id, happened_at, created, customer_created_at, group_ids::uuid[], source_ids::uuid[],
       relationship_id, facts::jsonb, event_id, correlation_id, depth
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::boolean[], $5::timestamptz[], $6::text[], $7::text[],
            $8::uuid[], $9::text[], $10::text[], $11::text[], $12::int[])
     AS news(id, customer_id, happened_at, created, customer_created_at, group_ids, source_ids, relationship_id,
             facts, event_id, correlation_id, depth)
"""


async def keep_changes(
    session: Session, envelopes: Sequence[Envelope[Event]], seen: Sequence[CustomerSeen]
) -> list[CustomerChange]:
    """Find what a batch changed, in its order, remember how customers are now, and keep the changes.

    Only customers whose copy was written are looked at (`seen`); their rows are held by that.
    """
    written = {customer.id for customer in seen}
    events = [(e, e.event) for e in envelopes if isinstance(e.event, CustomerEvent) and e.event.state.id in written]
    known: dict[UUID, tuple[Profile, int]] = {}
    for customer_id, groups, sources, relationship, version in await run(session, _KNOWN, list(written)):
        known[customer_id] = Profile(frozenset(groups), frozenset(sources), relationship), version
    remembered: dict[UUID, tuple[CustomerState, int]] = {}
    changes: list[CustomerChange] = []
    for envelope, event in events:
        state = event.state
        profile, version = known.get(state.id, (None, 0))
        if event.version < version or profile_of(state) == profile:
            continue
        change = None if envelope.replayed else change_between(profile, state, _happening(envelope, state))
        if change is not None:
            changes.append(change)
        known[state.id] = profile_of(state), event.version
        remembered[state.id] = state, event.version
    await _remember(session, remembered)
    await _keep(session, changes)
    return changes


async def keep_profiles(session: Session, envelopes: Sequence[Envelope[Event]], seen: Sequence[CustomerSeen]) -> None:
    """Remember how customers are now, and nothing of what changed, as if all were told again."""
    await keep_changes(session, [replace(envelope, replayed=True) for envelope in envelopes], seen)


async def forget_changes(session: Session) -> int:
    """Forget changes older than seven days. Answers how many went."""
    return await run_counting(
        session,
        "DELETE FROM customer_change WHERE happened_at < clock_timestamp() - make_interval(days => $1)",
        KEPT_DAYS,
    )


def _happening(envelope: Envelope[Event], state: CustomerState) -> Happening:
    return Happening(
        at=envelope.time or state.updated_at,
        event_id=envelope.id,
        correlation_id=envelope.correlation_id or envelope.id,
        depth=envelope.automation_depth,
        traceparent=envelope.traceparent,
    )


async def _remember(session: Session, states: Mapping[UUID, tuple[CustomerState, int]]) -> None:
    if states:
        rows = [
            (key, array_text(state.group_ids), array_text(state.source_ids), state.relationship_id, version)
            for key, (state, version) in states.items()
        ]
        await run(session, _REMEMBER, *map(list, zip(*rows, strict=True)))


async def _keep(session: Session, changes: Sequence[CustomerChange]) -> None:
    oldest = datetime.now(UTC) - timedelta(days=KEPT_DAYS)
    rows = [
        (
            new_id(),
            change.customer_id,
            change.happening.at,
            change.created,
            change.created_at,
            array_text(list(change.group_ids)),
            array_text(list(change.source_ids)),
            change.relationship_id,
            msgspec.json.encode(change.facts).decode(),
            change.happening.event_id,
            change.happening.correlation_id,
            change.happening.depth,
        )
        for change in changes
        if change.happening.at > oldest  # a copy built from the topic's start need not keep years for a minute
    ]
    if rows:
        await run(session, _KEEP, *map(list, zip(*rows, strict=True)))
