"""What happened to a customer, as automation sees it: the difference between the copy and a newer state (K5).

It follows from states alone, so that a record which compaction dropped, or one that comes twice, triggers nothing
that did not happen.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.campaigns.domain.condition import Facts
from shared.contracts.customers import CustomerState
from shared.envelope import Origin
from shared.identity import SYSTEM


@dataclass(frozen=True, slots=True)
class Profile:
    """What the copy remembers of a customer: what triggers compare."""

    group_ids: frozenset[UUID]
    source_ids: frozenset[UUID]
    relationship_id: UUID


@dataclass(frozen=True, slots=True)
class Happening:
    """The event that told of a change: when it was told, and what it belongs to."""

    at: datetime
    event_id: str
    correlation_id: str
    depth: int = 0
    traceparent: str | None = None

    def origin(self) -> Origin:
        """What a rule decides because of it: one step further from whoever began (K5: loops are cut)."""
        return Origin(SYSTEM, self.correlation_id, self.event_id, self.depth + 1, self.traceparent)


@dataclass(frozen=True, slots=True)
class CustomerChange:
    """One change of one customer. `created` is true at first sight; its groups and sources are new then too."""

    customer_id: UUID
    created: bool
    created_at: datetime
    group_ids: frozenset[UUID]
    source_ids: frozenset[UUID]
    relationship_id: UUID | None
    facts: Facts
    happening: Happening


def profile_of(state: CustomerState) -> Profile:
    """What the copy remembers of a state."""
    return Profile(frozenset(state.group_ids), frozenset(state.source_ids), state.relationship_id)


def change_between(known: Profile | None, state: CustomerState, happening: Happening) -> CustomerChange | None:
    """What a newer state brings that a trigger may wait for; None for nothing."""
    now = profile_of(state)
    if now == known or state.state != "active":
        return None
    groups = now.group_ids - known.group_ids if known else now.group_ids
    sources = now.source_ids - known.source_ids if known else now.source_ids
    moved = known is None or known.relationship_id != now.relationship_id
    if known is not None and not (groups or sources or moved):
        return None
    return CustomerChange(
        customer_id=state.id,
        created=known is None,
        created_at=state.created_at,
        group_ids=groups,
        source_ids=sources,
        relationship_id=now.relationship_id if moved else None,
        facts=facts_of(state),
        happening=happening,
    )


def facts_of(state: CustomerState) -> Facts:
    """What a condition may ask of a state."""
    return Facts(
        type=state.type,
        relationship_id=state.relationship_id,
        group_ids=frozenset(state.group_ids),
        source_ids=frozenset(state.source_ids),
        primary_source_id=state.primary_source_id,
        sector_ids=frozenset(state.sector_ids),
        has_manager=state.manager_id is not None,
        province=state.address.province if state.address else None,
        origin=state.origin.kind,
    )
