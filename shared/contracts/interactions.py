"""Events about interactions: the summary per customer (state), the ledger's history, and the
facts that other systems report on `crm.interactions.ingest`.

A fact says that something happened to one source object (one e-mail to one recipient, one call).
Facts may come twice, late and in any order; the ledger's result is the same (RULES I).
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.events import ActorReference, Event, Instant, Published, StateEvent, Topic

SUMMARIES = Topic(
    name="crm.interaction-summaries",
    key="customer id",
    cleanup="compact",
    partitions=12,
    producers=("interactions",),
    consumers=("customers",),
    description="Interaction count and both contact clocks of every customer, as absolute values.",
)
INTERACTIONS = Topic(
    name="crm.interactions",
    key="customer id",
    cleanup="delete",
    retention_days=30,
    partitions=12,
    producers=("interactions",),
    consumers=(),
    description="What the ledger recorded, for outside readers; no projection of Rapport reads it.",
)
INGEST = Topic(
    name="crm.interactions.ingest",
    key="customer id",
    cleanup="delete",
    retention_days=7,
    partitions=12,
    producers=("connectors",),
    consumers=("interactions",),
    description="Facts and documents that other systems report.",
)

FactKind = Literal["email", "email_click", "sms", "zns", "chat", "call"]
Fact = Literal["sent", "failed", "read", "clicked", "deleted", "answered", "unanswered", "received"]
Direction = Literal["inbound", "outbound"]

LEGAL_FACTS: dict[str, frozenset[str]] = {
    "email": frozenset({"sent", "failed", "read", "deleted", "received"}),
    "email_click": frozenset({"clicked"}),
    "sms": frozenset({"sent", "failed", "read", "deleted", "received"}),
    "zns": frozenset({"sent", "failed", "read", "deleted", "received"}),
    "chat": frozenset({"sent", "failed", "read", "deleted", "received"}),
    "call": frozenset({"answered", "unanswered", "deleted"}),
}
"""Which facts each kind of source object knows; anything else is refused."""


class Contact(Published):
    """One contact with the customer: when, of which kind, by whom and through which item (L6)."""

    at: Instant
    kind: str
    employee_id: UUID | None
    source_system: str | None
    source_id: str | None


class SummaryState(Published):
    """A customer's numbers as the ledger has them; absolute, so that nothing is counted twice."""

    customer_id: UUID
    interaction_count: int
    last_contact: Contact | None
    last_two_way_contact: Contact | None
    as_of: Instant
    ruleset: int


class InteractionSummaryChanged(StateEvent[SummaryState], topic=SUMMARIES, type="crm.interaction_summary.changed.v1"):
    """The count or a contact clock of one customer changed."""

    @property
    def key(self) -> str:
        return str(self.state.customer_id)


class InteractionRecorded(Event, topic=INTERACTIONS, type="crm.interaction.recorded.v1"):
    """The ledger took a fact in; `contribution` is what its row counts now, by `rule`."""

    row_id: UUID
    customer_id: UUID
    kind: str
    source_system: str
    source_id: str
    fact: str
    direction: Direction | None
    occurred_at: Instant
    recorded_at: Instant
    contribution: int
    rule: str
    actor: ActorReference

    @property
    def key(self) -> str:
        return str(self.customer_id)


class CommentPosted(Event, topic=INTERACTIONS, type="crm.comment.posted.v1"):
    """Somebody commented on a customer; the text stays in the service."""

    comment_id: UUID
    customer_id: UUID
    author_id: UUID
    mention_ids: tuple[UUID, ...]
    created_at: Instant

    @property
    def key(self) -> str:
        return str(self.customer_id)


class InteractionFactReported(Event, topic=INGEST, type="crm.interaction_fact.reported.v1"):
    """A connector reports one fact. The source system is the record's `ce_source` (I13)."""

    customer_id: UUID
    kind: FactKind
    source_id: Annotated[str, Field(min_length=1, max_length=200)]
    fact: Fact
    direction: Direction = "outbound"
    link: Annotated[str, Field(max_length=2_000)] | None = None
    occurred_at: Instant
    data: dict[str, Any] | None = None

    @property
    def key(self) -> str:
        return str(self.customer_id)
