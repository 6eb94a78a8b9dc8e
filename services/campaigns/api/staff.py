"""`/campaigns/{id}/staff`: who may be given a campaign's opportunities, how many, and when."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Response
from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from services.campaigns.commands.staff import replace_staff
from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.staff import StaffMember, clock_time
from services.campaigns.queries.campaigns import get_campaign
from shared.fields import Day, RequestModel
from shared.http import ActorDep, IfMatch, SessionDep, etag, router

MAX_STAFF = 500
MAX_WEIGHT = 1_000
MAX_CAPACITY = 100_000
MAX_SPANS = 10
MAX_DAYS_OFF = 400

routes = router("campaigns")


def _valid_span(span: list[str]) -> list[str]:
    if clock_time(span[0]) >= clock_time(span[1]):
        raise PydanticCustomError("validation_failed", "a span of work must end after it starts")
    return span


ClockTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]
Span = Annotated[list[ClockTime], Field(min_length=2, max_length=2), AfterValidator(_valid_span)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Hours = dict[Weekday, Annotated[list[Span], Field(max_length=MAX_SPANS)]]


class StaffItem(RequestModel):
    """One person. Without working hours they always work; times and days are in the tenant's zone (K4)."""

    employee_id: UUID
    weight: Annotated[int, Field(ge=1, le=MAX_WEIGHT)] = 1
    daily_capacity: Annotated[int, Field(ge=0, le=MAX_CAPACITY)] | None = None
    working_hours: Hours | None = None
    days_off: Annotated[list[Day], Field(max_length=MAX_DAYS_OFF)] = []


def _distinct(items: list[StaffItem]) -> list[StaffItem]:
    if len({item.employee_id for item in items}) < len(items):
        raise PydanticCustomError("validation_failed", "somebody is named twice")
    return items


class StaffRequest(RequestModel):
    """The whole staff."""

    items: Annotated[list[StaffItem], Field(max_length=MAX_STAFF), AfterValidator(_distinct)]


class StaffResponse(BaseModel):
    """The whole staff, as it can be sent back."""

    items: list[StaffItem]

    @classmethod
    def of(cls, campaign: Campaign) -> "StaffResponse":
        """A campaign's staff as an answer."""
        return cls(items=[StaffItem.model_validate(member, from_attributes=True) for member in campaign.staff])


@routes.get("/campaigns/{campaign_id}/staff")
async def read_staff(campaign_id: UUID, session: SessionDep, actor: ActorDep, response: Response) -> StaffResponse:
    """A campaign's staff; the version is the campaign's."""
    campaign = await get_campaign(session, actor, campaign_id)
    etag(response, campaign.version)
    return StaffResponse.of(campaign)


@routes.put("/campaigns/{campaign_id}/staff")
async def put_staff(
    campaign_id: UUID,
    request: StaffRequest,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
) -> StaffResponse:
    """Replace a campaign's staff; its managers may. Open opportunities of who leaves are handed on (K4)."""
    members = [
        StaffMember(
            campaign_id=campaign_id,
            employee_id=item.employee_id,
            weight=item.weight,
            daily_capacity=item.daily_capacity,
            working_hours=item.working_hours,
            days_off=sorted(set(item.days_off)),
        )
        for item in request.items
    ]
    campaign = await replace_staff(session, actor, campaign_id, members, expected_version)
    etag(response, campaign.version)
    return StaffResponse.of(campaign)
