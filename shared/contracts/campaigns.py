"""Events of `crm.campaigns` and `crm.opportunities`. Every record carries the whole aggregate."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.events import Instant, Money, Published, StateEvent, Topic

CAMPAIGNS = Topic(
    name="crm.campaigns",
    key="campaign id",
    cleanup="compact",
    partitions=1,
    producers=("campaigns",),
    consumers=("customers",),
    description="Every campaign with its people and opportunity statuses.",
)
OPPORTUNITIES = Topic(
    name="crm.opportunities",
    key="opportunity id",
    cleanup="compact",
    partitions=12,
    producers=("campaigns",),
    consumers=("customers",),
    description="Every opportunity; its owner becomes the customer's manager (K3).",
)

ManagerPolicy = Literal["replace", "only_if_unassigned"]
StatusKind = Literal["open", "won", "lost"]


class CampaignStatus(Published):
    """One step of a campaign's opportunities; exactly one is the start (K1)."""

    id: UUID
    name: str
    kind: StatusKind
    position: int
    start: bool


class CampaignState(Published):
    """What other services know of a campaign."""

    id: UUID
    code: str
    name: str
    state: Literal["active", "deleted"]
    starts_on: date | None
    ends_on: date | None
    manager_ids: tuple[UUID, ...]
    relevant_ids: tuple[UUID, ...]
    staff_ids: tuple[UUID, ...]
    allow_repeat: bool
    statuses: tuple[CampaignStatus, ...]


class CampaignChanged(StateEvent[CampaignState], topic=CAMPAIGNS, type="crm.campaign.changed.v1"):
    """A campaign was created, edited or deleted, or its people or statuses changed."""


class OpportunityState(Published):
    """One customer's way through one campaign.

    `owner_assigned_at` is the campaigns database's clock: the later assignment names the
    customer's manager, whatever arrives first (K3).
    """

    id: UUID
    campaign_id: UUID
    customer_id: UUID
    status_id: UUID
    owner_id: UUID | None
    owner_assigned_at: Instant | None
    manager_policy: ManagerPolicy
    keep_previous_as_viewer: bool
    value: Money | None
    probability: Annotated[int, Field(ge=0, le=100)] | None
    state: Literal["open", "suspended", "removed"]
    created_at: Instant


class OpportunityEvent(StateEvent[OpportunityState]):
    """Any change of an opportunity."""


class OpportunityCreated(OpportunityEvent, topic=OPPORTUNITIES, type="crm.opportunity.created.v1"):
    """A customer was added to a campaign (K2)."""


class OpportunityOwnerAssigned(OpportunityEvent, topic=OPPORTUNITIES, type="crm.opportunity.owner_assigned.v1"):
    """Somebody else owns this opportunity; `customers` makes them the customer's manager (K3)."""


class OpportunityStatusChanged(OpportunityEvent, topic=OPPORTUNITIES, type="crm.opportunity.status_changed.v1"):
    """The opportunity moved on, changed its value, or was suspended with its customer (K7)."""


class OpportunityRemoved(OpportunityEvent, topic=OPPORTUNITIES, type="crm.opportunity.removed.v1"):
    """The customer is out of the campaign; the record stays until an erasure."""
