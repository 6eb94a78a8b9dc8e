"""`/campaigns/{id}/distribution`, `/distribute`, `/queue`: handing opportunities out (K4)."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import Query, Response
from pydantic import BaseModel

from services.campaigns.api.long_work import AssignedItem, LongWorkResponse, left_to_the_worker
from services.campaigns.api.opportunities import OpportunityItem
from services.campaigns.commands.campaigns import change_campaign
from services.campaigns.commands.distribution import Assignment, distribute, simulate
from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.long_work import LongWork
from services.campaigns.domain.reason import Method
from services.campaigns.queries.campaigns import get_campaign
from services.campaigns.queries.opportunities import OpportunityFilter, opportunities_listing
from services.campaigns.queries.pages import page
from shared.fields import Page, PageQuery, RequestModel
from shared.http import ActorDep, IfMatch, SessionDep, WiringDep, accepted, etag, json_text, reads, router

routes = router("distribution")


class DistributionSettings(RequestModel):
    """How opportunities are handed out; `automatic` does so as soon as customers are added."""

    method: Method
    automatic: bool = False

    @classmethod
    def of(cls, campaign: Campaign) -> "DistributionSettings":
        """A campaign's settings as an answer."""
        return cls(method=campaign.method, automatic=campaign.automatic)


class DistributeRequest(RequestModel):
    """Every unowned open opportunity."""


class DistributionResult(BaseModel):
    """The outcome, in the order in which opportunities were handed out: the oldest first."""

    items: list[AssignedItem]
    assigned: int
    queued: int


@routes.get("/campaigns/{campaign_id}/distribution")
async def read_distribution(
    campaign_id: UUID, session: SessionDep, actor: ActorDep, response: Response
) -> DistributionSettings:
    """How a campaign hands opportunities out; the version is the campaign's."""
    campaign = await get_campaign(session, actor, campaign_id)
    etag(response, campaign.version)
    return DistributionSettings.of(campaign)


@routes.put("/campaigns/{campaign_id}/distribution")
async def put_distribution(
    campaign_id: UUID,
    request: DistributionSettings,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
) -> DistributionSettings:
    """Choose how a campaign hands opportunities out; its managers may."""
    campaign = await change_campaign(session, actor, campaign_id, request.model_dump(), expected_version)
    etag(response, campaign.version)
    return DistributionSettings.of(campaign)


@routes.post(
    "/campaigns/{campaign_id}/distribute",
    response_model=DistributionResult,
    responses={202: {"model": LongWorkResponse, "description": "More than 1,000: see `Location`"}},
)
async def post_distribute(
    campaign_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    response: Response,
    request: DistributeRequest | None = None,
) -> Response:
    """Hand out every unowned open opportunity by turns; the campaign's managers may."""
    done = await distribute(session, actor, campaign_id)
    if not isinstance(done, LongWork):
        return _answer(done)
    accepted(response, f"/distributions/{done.id}")
    return left_to_the_worker(response, done)


@routes.post("/campaigns/{campaign_id}/distribute/simulation", response_model=DistributionResult)
@reads
async def post_simulation(
    campaign_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    request: DistributeRequest | None = None,
) -> Response:
    """What handing out now would do; writes nothing."""
    return _answer(await simulate(session, actor, campaign_id))


@routes.get("/campaigns/{campaign_id}/queue", response_model=Page[OpportunityItem])
async def read_queue(
    campaign_id: UUID, query: Annotated[PageQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """Opportunities that wait because nobody was free, the oldest first."""
    await get_campaign(session, actor, campaign_id)
    listing = await opportunities_listing(session, actor, OpportunityFilter((campaign_id,), queued=True))
    return json_text(await page(session, wiring.cursors, listing, "created_at", query.limit, query.cursor, query.total))


def _answer(done: Sequence[Assignment]) -> Response:
    assigned = sum(1 for assignment in done if assignment.employee_id is not None)
    body = {"items": done, "assigned": assigned, "queued": len(done) - assigned}
    return json_text(msgspec.json.encode(body).decode())
