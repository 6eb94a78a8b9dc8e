"""`/campaigns`: creating, reading, editing and ending campaigns."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import AfterValidator, BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from services.campaigns.api.long_work import LongWorkResponse, left_to_the_worker
from services.campaigns.api.statuses import NewStatuses, StatusAnswer, plans_of
from services.campaigns.commands.campaigns import change_campaign, create_campaign, delete_campaign
from services.campaigns.domain.access import allowed_on_campaign
from services.campaigns.domain.campaign import Campaign
from services.campaigns.queries.campaigns import campaigns_listing, get_campaign
from services.campaigns.queries.pages import CreatedSort, page
from shared.contracts.campaigns import ManagerPolicy
from shared.errors import FieldError, Invalid
from shared.fields import Code, Day, Name, Page, PageQuery, RequestModel
from shared.http import ActorDep, IfMatch, SessionDep, WiringDep, accepted, created, etag, json_text, router
from shared.identity import Actor

MAX_PEOPLE = 200
MAX_WAITING_DAYS = 3_650

routes = router("campaigns")


def _distinct(people: list[UUID]) -> list[UUID]:
    if len(set(people)) < len(people):
        raise PydanticCustomError("validation_failed", "somebody is named twice")
    return people


People = Annotated[list[UUID], AfterValidator(_distinct), Field(max_length=MAX_PEOPLE)]
Managers = Annotated[People, Field(min_length=1)]
WaitingDays = Annotated[int, Field(ge=0, le=MAX_WAITING_DAYS)]


class NewCampaign(RequestModel):
    """A campaign to begin. Without managers the maker is; without statuses it has New, Won and Lost (K1)."""

    name: Name
    code: Code | None = None
    starts_on: Day | None = None
    ends_on: Day | None = None
    manager_ids: People | None = None
    relevant_ids: People = []
    allow_repeat: bool = False
    waiting_days: WaitingDays = 0
    manager_policy: ManagerPolicy = "replace"
    keep_previous_as_viewer: bool = False
    statuses: NewStatuses | None = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "NewCampaign":
        if self.starts_on and self.ends_on and self.ends_on < self.starts_on:
            raise PydanticCustomError("validation_failed", "ends_on lies before starts_on")
        return self


class CampaignChanges(RequestModel):
    """What to change of a campaign (JSON Merge Patch). The defaults only mark what was left out."""

    name: Name = ""
    starts_on: Day | None = None
    ends_on: Day | None = None
    manager_ids: Managers = []
    relevant_ids: People = []
    allow_repeat: bool = False
    waiting_days: WaitingDays = 0
    manager_policy: ManagerPolicy = "replace"
    keep_previous_as_viewer: bool = False

    @model_validator(mode="before")
    @classmethod
    def _keep_the_code(cls, values: Any) -> Any:
        if isinstance(values, dict) and "code" in values:
            raise Invalid("system_field", (FieldError("/code", "system_field", "fixed after creation"),))
        return values


class CampaignItem(BaseModel):
    """A campaign in a list."""

    id: UUID
    code: str
    name: str
    state: Literal["active"]
    starts_on: date | None
    ends_on: date | None
    manager_ids: list[UUID]
    relevant_ids: list[UUID]
    staff_ids: list[UUID]
    allow_repeat: bool
    waiting_days: int
    manager_policy: ManagerPolicy
    keep_previous_as_viewer: bool
    statuses: list[StatusAnswer]
    created_at: datetime
    version: int


class CampaignResponse(CampaignItem):
    """One campaign, and what the asker may do with it."""

    allowed: list[str]

    @classmethod
    def of(cls, campaign: Campaign, actor: Actor) -> "CampaignResponse":
        """A campaign as an answer."""
        fields = {name: getattr(campaign, name) for name in CampaignItem.model_fields if name != "statuses"}
        statuses = [StatusAnswer.of(status) for status in campaign.statuses]
        return cls(**fields, statuses=statuses, allowed=allowed_on_campaign(actor, campaign))


class CampaignsQuery(PageQuery):
    """Which campaigns; `relevant_to=me` leaves those where the asker is a manager or relevant person."""

    relevant_to: Literal["me"] | None = None
    sort: CreatedSort = "-created_at"


@routes.post("/campaigns", status_code=201)
async def post_campaign(
    request: NewCampaign, session: SessionDep, actor: ActorDep, response: Response
) -> CampaignResponse:
    """Begin a campaign; needs `campaigns:manage`."""
    values = request.model_dump(exclude={"statuses"})
    statuses = plans_of(request.statuses) if request.statuses is not None else None
    campaign = await create_campaign(session, actor, values, statuses)
    created(response, f"/campaigns/{campaign.id}")
    etag(response, campaign.version)
    return CampaignResponse.of(campaign, actor)


@routes.get("/campaigns", response_model=Page[CampaignItem])
async def list_campaigns(
    query: Annotated[CampaignsQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """Campaigns the asker manages, is a relevant person or on the staff of; all with `campaigns:manage`."""
    listing = campaigns_listing(actor, query.relevant_to == "me")
    return json_text(await page(session, wiring.cursors, listing, query.sort, query.limit, query.cursor, query.total))


@routes.get("/campaigns/{campaign_id}")
async def read_campaign(
    campaign_id: UUID, session: SessionDep, actor: ActorDep, response: Response
) -> CampaignResponse:
    """One campaign."""
    campaign = await get_campaign(session, actor, campaign_id)
    etag(response, campaign.version)
    return CampaignResponse.of(campaign, actor)


@routes.patch("/campaigns/{campaign_id}")
async def patch_campaign(
    campaign_id: UUID,
    request: CampaignChanges,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
) -> CampaignResponse:
    """Change a campaign; its managers may."""
    values = request.model_dump(exclude_unset=True)
    campaign = await change_campaign(session, actor, campaign_id, values, expected_version)
    etag(response, campaign.version)
    return CampaignResponse.of(campaign, actor)


@routes.delete(
    "/campaigns/{campaign_id}",
    status_code=204,
    responses={202: {"model": LongWorkResponse, "description": "More opportunities than a request removes"}},
)
async def remove_campaign(
    campaign_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch, response: Response
) -> Response:
    """End a campaign for good and remove its opportunities; its managers may, again while some are left."""
    work = await delete_campaign(session, actor, campaign_id, expected_version)
    if work is None:
        return Response(status_code=204)
    accepted(response, f"/campaign-removals/{work.id}")
    return left_to_the_worker(response, work)
