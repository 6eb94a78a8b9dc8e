"""Customers follow the owners of their opportunities (K3): a batch of events, one pass over the rows."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.customers.commands.employees import active_employees
from services.customers.commands.hand_overs import lock_held, store_hand_overs
from services.customers.commands.publishing import AuditRow, decision_entry, tell, write_entries
from services.customers.commands.take_overs import Assignment, take_over
from services.customers.domain.record import Held
from shared.contracts.campaigns import OpportunityEvent, OpportunityState
from shared.contracts.events import Cause
from shared.copies import newest_per_key
from shared.database import Session, clock, run
from shared.envelope import Envelope

_PROJECT = """
INSERT INTO opportunity AS stored
    (id, campaign_id, customer_id, status_id, owner_id, owner_assigned_at, state, version)
SELECT *
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::timestamptz[], $7::text[], $8::bigint[])
     AS news(id, campaign_id, customer_id, status_id, owner_id, assigned_at, state, version)
ORDER BY id
ON CONFLICT (id) DO UPDATE SET
    status_id = excluded.status_id, owner_id = excluded.owner_id, owner_assigned_at = excluded.owner_assigned_at,
    state = excluded.state, version = excluded.version
WHERE stored.version <= excluded.version
"""

_KNOWN = """
SELECT id, version, owner_id, owner_assigned_at, state = 'removed' AS removed FROM opportunity
WHERE id = ANY($1::uuid[])
"""

_HOLD = """
SELECT count(*) FROM (SELECT FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE) AS held
"""

_NOBODY = (None, None, False)


async def follow_opportunity_owners(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
    """Make owners managers, in the order of the batch (K3).

    What was decided before is not decided again, nor is what is older than what is stored: told once more, an
    assignment must not give back the sight that somebody has lost since.
    """
    undecided = await _undecided(session, envelopes)
    if not undecided:
        return
    active = await active_employees(session, {state.owner_id for _, state in undecided if state.owner_id is not None})
    times = Counter(state.customer_id for _, state in undecided)
    plain = [one for one in undecided if times[one[1].customer_id] == 1 and _has_owner(one[1])]
    others = [one for one in undecided if times[one[1].customer_id] > 1 or not _has_owner(one[1])]
    # In the order of ids, all of them: another batch may name the same customers, and a deactivation finds whom it
    # came too late for (A6).
    await run(session, _HOLD, list(times))
    # Of one customer all are here or there: in order either way.
    left = [*await take_over(session, plain, active), *others]
    customers = await lock_held(session, {state.customer_id for _, state in left})
    at = await clock(session)
    decided: list[AuditRow] = []
    for envelope, state in left:
        customer = customers.get(state.customer_id)
        if customer is not None:
            decided += _follow(session, customer, envelope, state, state.owner_id in active, at)
        elif state.owner_assigned_at is not None:
            decided.append(_decided_nothing(envelope, state, "erased"))
    await store_hand_overs(session, customers.values())
    await write_entries(session, decided)


async def project_opportunities(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
    """Keep what filters need to know of opportunities."""
    rows = [
        (s.id, s.campaign_id, s.customer_id, s.status_id, s.owner_id, s.owner_assigned_at, s.state, e.event.version)
        for e in newest_per_key(envelopes)
        if isinstance(e.event, OpportunityEvent)
        for s in (e.event.state,)
    ]
    if rows:
        await run(session, _PROJECT, *map(list, zip(*rows, strict=True)))
    gone = [envelope.key for envelope in newest_per_key(envelopes) if envelope.event is None]
    if gone:
        await run(session, "DELETE FROM opportunity WHERE id = ANY($1::text[]::uuid[])", gone)


async def _undecided(session: Session, envelopes: Sequence[Envelope[Any]]) -> list[Assignment]:
    """Those of a batch that say something new about an owner, in order."""
    relevant = [(e, e.event) for e in envelopes if isinstance(e.event, OpportunityEvent)]
    known = {
        row.id: (row.version, (row.owner_id, row.owner_assigned_at, row.removed))
        for row in await run(session, _KNOWN, list({event.state.id for _, event in relevant}))
    }
    undecided: list[Assignment] = []
    for envelope, event in relevant:
        state = event.state
        version, before = known.get(state.id, (0, _NOBODY))
        if event.version < version:
            continue
        now = state.owner_id, state.owner_assigned_at, state.state == "removed"
        if now != before:
            undecided.append((envelope, state))
        known[state.id] = event.version, now
    return undecided


def _has_owner(state: OpportunityState) -> bool:
    return state.owner_id is not None and state.owner_assigned_at is not None and state.state != "removed"


def _follow(
    session: Session,
    customer: Held,
    envelope: Envelope[Any],
    state: OpportunityState,
    owner_active: bool,
    at: datetime,
) -> list[AuditRow]:
    cause = Cause(kind="campaign", id=envelope.id)
    followed = customer.follow_opportunity_owner(state, owner_active, at, cause)
    if followed.outcome in (None, "applied"):
        return tell(session, followed.events, after=envelope)
    outcome = followed.outcome or ""
    if not followed.events:
        return [_decided_nothing(envelope, state, outcome)]
    return tell(session, followed.events, after=envelope, outcome=outcome, decision=_decision(state))


def _decided_nothing(envelope: Envelope[Any], state: OpportunityState, outcome: str) -> AuditRow:
    return decision_entry(state.customer_id, state.owner_id, envelope.id, outcome, _decision(state))


def _decision(state: OpportunityState) -> str:
    """One assignment, however often it is told."""
    return f"{state.id}/{state.owner_assigned_at.isoformat() if state.owner_assigned_at else ''}"
