"""Events of `crm.customers`: the customer record itself. Every record carries the whole customer.

Counts, last contact and revenue are not here: they change with every interaction and have topics
of their own. An erased customer gets `erased` (id and version, nothing personal), then a tombstone.
"""

from datetime import date
from typing import Literal
from uuid import UUID

from shared.contracts.events import Cause, Event, Instant, Published, StateEvent, Topic

CUSTOMERS = Topic(
    name="crm.customers",
    key="customer id",
    cleanup="compact",
    partitions=12,
    producers=("customers",),
    consumers=("interactions", "imports", "campaigns"),
    description="Every customer: classification, responsible person, viewers, contact data.",
)

OriginKind = Literal["user", "import", "contact_sync", "automation", "api"]


class Address(Published):
    """A postal address, as far as known."""

    line: str | None = None
    ward: str | None = None
    district: str | None = None
    province: str | None = None
    country: str | None = None


class Origin(Published):
    """How a customer came to be: by whom kind of way, and the import, rule or connector's id."""

    kind: OriginKind
    id: str | None = None


class CustomerState(Published):
    """One customer as others may know it (C7). `viewer_ids` are all viewers, however they became one."""

    id: UUID
    code: str
    type: Literal["person", "company"]
    name: str
    phones: tuple[str, ...]
    emails: tuple[str, ...]
    gender: Literal["male", "female", "other"] | None
    birth_date: date | None
    occupation: str | None
    income_band: str | None
    company_name: str | None
    tax_code: str | None
    website: str | None
    address: Address | None
    description: str | None
    group_ids: tuple[UUID, ...]
    source_ids: tuple[UUID, ...]
    primary_source_id: UUID | None
    sector_ids: tuple[UUID, ...]
    relationship_id: UUID
    referrer_customer_id: UUID | None
    manager_id: UUID | None
    viewer_ids: tuple[UUID, ...]
    origin: Origin
    state: Literal["active", "deleted"]
    created_at: Instant
    created_by: str
    updated_at: Instant
    manager_set_at: Instant | None
    first_closed_at: Instant | None
    remembered_relationship_id: UUID | None
    deleted_at: Instant | None


class CustomerEvent(StateEvent[CustomerState]):
    """Any change of a customer."""


class CustomerCreated(CustomerEvent, topic=CUSTOMERS, type="crm.customer.created.v1"):
    """A customer exists now; the ledger counts it from `created_at` (I1)."""


class CustomerUpdated(CustomerEvent, topic=CUSTOMERS, type="crm.customer.updated.v1"):
    """Fields of the record changed."""


class CustomerManagerChanged(CustomerEvent, topic=CUSTOMERS, type="crm.customer.manager_changed.v1"):
    """Somebody else, or nobody, is responsible now; viewers may have changed with it (A4)."""


class CustomerViewersChanged(CustomerEvent, topic=CUSTOMERS, type="crm.customer.viewers_changed.v1"):
    """Other employees may see the customer now (A3)."""


class CustomerRelationshipChanged(CustomerEvent, topic=CUSTOMERS, type="crm.customer.relationship_changed.v1"):
    """The relationship changed, by hand, file, automation or the Don't Forget sweep (G4, G5)."""


class CustomerDeleted(CustomerEvent, topic=CUSTOMERS, type="crm.customer.deleted.v1"):
    """Soft deletion (C4): the customer is out of sight and can be restored."""


class CustomerRestored(CustomerEvent, topic=CUSTOMERS, type="crm.customer.restored.v1"):
    """A deleted customer is back (C4)."""


class ErasedState(Published):
    """What is left of an erased customer: its id."""

    id: UUID
    state: Literal["erased"] = "erased"


class CustomerErased(Event, topic=CUSTOMERS, type="crm.customer.erased.v1"):
    """Everything personal is to be forgotten (C8); a tombstone follows."""

    version: int
    state: ErasedState
    cause: Cause

    @property
    def key(self) -> str:
        return str(self.state.id)

    @property
    def key_version(self) -> int | None:
        return self.version
