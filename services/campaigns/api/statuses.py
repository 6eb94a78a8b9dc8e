"""`/campaigns/{id}/statuses`: the steps of a campaign's opportunities, in their order."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import AfterValidator, BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from services.campaigns.commands.statuses import replace_statuses
from services.campaigns.domain.campaign import Campaign, Status, StatusPlan
from services.campaigns.queries.campaigns import get_campaign
from shared.contracts.campaigns import StatusKind
from shared.fields import Name, RequestModel
from shared.http import ActorDep, IfMatch, SessionDep, etag, router

MAX_STATUSES = 50

routes = router("campaigns")


class NewStatus(RequestModel):
    """A status of a new campaign."""

    name: Name
    kind: StatusKind
    start: bool = False


class StatusItem(RequestModel):
    """A status as it shall be: without an id a new one; with a `replacement_id` it goes, and its
    opportunities move there.
    """

    id: UUID | None = None
    name: Name | None = None
    kind: StatusKind | None = None
    start: bool = False
    replacement_id: UUID | None = None

    @model_validator(mode="after")
    def _stays_or_goes(self) -> "StatusItem":
        if self.replacement_id is None and (self.name is None or self.kind is None):
            raise PydanticCustomError("validation_failed", "a status needs a name and a kind")
        if self.replacement_id is not None and self.id is None:
            raise PydanticCustomError("validation_failed", "only a status with an id can be replaced")
        return self


def _coherent(plans: Sequence[NewStatus | StatusItem]) -> None:
    starts = [plan for plan in plans if plan.start]
    if len(starts) != 1 or starts[0].kind != "open":
        raise PydanticCustomError("validation_failed", "exactly one open status is the start")


def _coherent_new(items: list[NewStatus]) -> list[NewStatus]:
    _coherent(items)
    return items


def _coherent_items(items: list[StatusItem]) -> list[StatusItem]:
    _coherent([item for item in items if item.replacement_id is None])
    ids = [item.id for item in items if item.id is not None]
    if len(set(ids)) < len(ids):
        raise PydanticCustomError("validation_failed", "a status is named twice")
    return items


NewStatuses = Annotated[list[NewStatus], Field(max_length=MAX_STATUSES), AfterValidator(_coherent_new)]


class StatusesRequest(RequestModel):
    """All statuses in their order; one that is left out goes, if nothing is in it."""

    items: Annotated[list[StatusItem], Field(max_length=MAX_STATUSES), AfterValidator(_coherent_items)]


class StatusAnswer(BaseModel):
    """A status of a campaign."""

    id: UUID
    name: str
    kind: StatusKind
    position: int
    start: bool

    @classmethod
    def of(cls, status: Status) -> "StatusAnswer":
        """A status as an answer."""
        return cls(id=status.id, name=status.name, kind=status.kind, position=status.position, start=status.start)


class StatusesItem(BaseModel):
    """A status as it can be sent back."""

    id: UUID
    name: str
    kind: StatusKind
    start: bool


class StatusesResponse(BaseModel):
    """All statuses in their order."""

    items: list[StatusesItem]

    @classmethod
    def of(cls, campaign: Campaign) -> "StatusesResponse":
        """A campaign's statuses as an answer."""
        return cls(items=[StatusesItem.model_validate(status, from_attributes=True) for status in campaign.statuses])


@routes.get("/campaigns/{campaign_id}/statuses")
async def read_statuses(
    campaign_id: UUID, session: SessionDep, actor: ActorDep, response: Response
) -> StatusesResponse:
    """A campaign's statuses; the version is the campaign's."""
    campaign = await get_campaign(session, actor, campaign_id)
    etag(response, campaign.version)
    return StatusesResponse.of(campaign)


@routes.put("/campaigns/{campaign_id}/statuses")
async def put_statuses(
    campaign_id: UUID,
    request: StatusesRequest,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
) -> StatusesResponse:
    """Replace a campaign's statuses; its managers may. One in use needs a `replacement_id`; none reopens (K1)."""
    staying = [item for item in request.items if item.replacement_id is None]
    replacements = {item.id: item.replacement_id for item in request.items if item.id and item.replacement_id}
    campaign = await replace_statuses(session, actor, campaign_id, plans_of(staying), replacements, expected_version)
    etag(response, campaign.version)
    return StatusesResponse.of(campaign)


def plans_of(items: Sequence[NewStatus | StatusItem]) -> list[StatusPlan]:
    """What the items of a request mean."""
    plans: list[StatusPlan] = []
    for item in items:
        assert item.name is not None, "checked with the request"
        assert item.kind is not None, "checked with the request"
        plans.append(StatusPlan(item.name, item.kind, item.start, getattr(item, "id", None)))
    return plans
