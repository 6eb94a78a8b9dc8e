"""Work that travels between services beside imports: selections, automation actions, erasures."""

from typing import Literal
from uuid import UUID

from shared.contracts.events import ActorReference, Event, Instant, Topic

SELECTIONS = Topic(
    name="crm.selections",
    key="selection id",
    cleanup="delete",
    retention_days=7,
    partitions=6,
    producers=("customers",),
    consumers=("campaigns",),
    description="Frozen lists of customer ids that somebody selected by a filter.",
)
AUTOMATION_ACTIONS = Topic(
    name="crm.automation-actions",
    key="customer id",
    cleanup="delete",
    retention_days=30,
    partitions=12,
    producers=("campaigns",),
    consumers=("customers", "interactions"),
    description="What an automation rule decided to do to a customer.",
)
ERASURES = Topic(
    name="crm.erasures",
    key="customer id",
    cleanup="delete",
    retention_days=30,
    partitions=12,
    producers=("interactions", "imports", "campaigns"),
    consumers=("customers",),
    description="Each service's word that it has forgotten an erased customer (C8).",
)


class _OfSelection(Event):
    selection_id: UUID

    @property
    def key(self) -> str:
        return str(self.selection_id)


class SelectionChunkResolved(_OfSelection, topic=SELECTIONS, type="crm.selection.chunk_resolved.v1"):
    """Up to 1,000 customers of a selection."""

    chunk: int
    customer_ids: tuple[UUID, ...]


class SelectionResolved(_OfSelection, topic=SELECTIONS, type="crm.selection.resolved.v1"):
    """A selection is complete; it can be used by its maker until it expires."""

    chunks: int
    total: int
    left_out: int
    actor: ActorReference
    resolved_at: Instant
    expires_at: Instant


class _OfCustomer(Event):
    customer_id: UUID

    @property
    def key(self) -> str:
        return str(self.customer_id)


class AutomationActionDecided(_OfCustomer, topic=AUTOMATION_ACTIONS, type="crm.automation_action.decided.v1"):
    """A rule decided an action for a customer; applied once by its `action_id` (K5)."""

    action_id: UUID
    automation_id: UUID
    kind: Literal["add_to_group", "set_relationship", "create_task"]
    group_id: UUID | None = None
    relationship_id: UUID | None = None
    title: str | None = None
    type: str | None = None


class ErasureCompleted(_OfCustomer, topic=ERASURES, type="crm.erasure.completed.v1"):
    """One service has emptied its copy of an erased customer (C8)."""

    service: Literal["interactions", "imports", "campaigns"]
    erased_version: int
    completed_at: Instant
