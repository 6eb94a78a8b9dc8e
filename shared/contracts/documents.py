"""Events of `crm.documents`: orders, quotations, contracts, receipts. Every record carries all of it."""

from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.events import Event, Instant, Money, Published, StateEvent, Topic
from shared.contracts.interactions import INGEST

DOCUMENTS = Topic(
    name="crm.documents",
    key="document id",
    cleanup="compact",
    partitions=12,
    producers=("interactions",),
    consumers=("customers",),
    description="Orders, quotations, contracts and receipts of every customer.",
)

DocumentKind = Literal["order", "quotation", "contract", "receipt"]
DocumentStatus = Literal["draft", "confirmed", "completed", "cancelled"]
OrderType = Literal["sales", "purchase"]


class DocumentLine(Published):
    """One line of a document; `total` is given, not recomputed."""

    product_code: str
    product_name: str
    product_group_code: str | None = None
    product_group_name: str | None = None
    quantity: Decimal
    unit_price: Money
    total: Money


class DocumentBody(Published):
    """A document as its author states it (P1)."""

    customer_id: UUID
    kind: DocumentKind
    number: str | None = None
    status: DocumentStatus
    order_type: OrderType | None = None
    ordered_at: Instant | None = None
    lines: Annotated[tuple[DocumentLine, ...], Field(max_length=1_000)] = ()
    total: Money
    return_of: UUID | None = None
    external_id: str | None = None
    external_version: int | None = None


class DocumentState(DocumentBody):
    """A document as the ledger keeps it."""

    id: UUID
    state: Literal["active", "deleted"]
    source_system: str
    created_at: Instant


class DocumentChanged(StateEvent[DocumentState], topic=DOCUMENTS, type="crm.document.changed.v1"):
    """A document was created, edited or deleted."""


class DocumentReported(DocumentBody, Event, topic=INGEST, type="crm.document.reported.v1"):
    """A connector reports a document; the higher external version wins (P1)."""

    @property
    def key(self) -> str:
        return str(self.customer_id)
