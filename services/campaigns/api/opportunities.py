"""`/campaigns/{id}/opportunities` and `/opportunities`: customers in campaigns, and who owns them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from services.campaigns.api.long_work import LongWorkResponse
from services.campaigns.commands.additions import add_customers, add_selection
from services.campaigns.commands.opportunities import assign_owner, remove_opportunity, revise_opportunity
from services.campaigns.domain.access import allowed_on_opportunity
from services.campaigns.domain.opportunity import Opportunity
from services.campaigns.queries.opportunities import (
    CustomerName,
    OpportunityFilter,
    get_opportunity,
    opportunities_listing,
    visible_customer,
)
from services.campaigns.queries.pages import CreatedSort, page
from shared.contracts.events import Money
from shared.database import Session
from shared.errors import RapportError
from shared.fields import BulkResult, ItemResult, Items, Page, PageQuery, RequestModel, bulk
from shared.http import ActorDep, IfMatch, SessionDep, WiringDep, accepted, etag, json_text, router
from shared.identity import Actor

MAX_FILTER_VALUES = 200

routes = router("opportunities")

Ids = Annotated[list[UUID], Field(max_length=MAX_FILTER_VALUES)]


class CustomersRequest(RequestModel):
    """Customers to add to a campaign: either their ids, or a selection of the asker's own."""

    customer_ids: Items[UUID] | None = None
    selection_id: UUID | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "CustomersRequest":
        if (self.customer_ids is None) == (self.selection_id is None):
            raise PydanticCustomError("validation_failed", "either customer_ids or selection_id")
        return self


class OwnerRequest(RequestModel):
    """Who shall own an opportunity."""

    employee_id: UUID


class Value(Money):
    """What an opportunity may be worth: an amount that is not negative."""

    amount: Annotated[int, Field(ge=0, le=2**53)]


class OpportunityChanges(RequestModel):
    """What to change of an opportunity (JSON Merge Patch). The defaults only mark what was left out."""

    status_id: UUID = UUID(int=0)
    value: Value | None = None
    probability: Annotated[int, Field(ge=0, le=100)] | None = None


class CustomerAnswer(BaseModel):
    """The customer, for those who see the customer."""

    id: UUID
    code: str
    name: str


class OpportunityItem(BaseModel):
    """An opportunity. `customer` is null for those who do not see the customer."""

    id: UUID
    campaign_id: UUID
    customer_id: UUID
    customer: CustomerAnswer | None
    owner_id: UUID | None
    owner_assigned_at: datetime | None
    status_id: UUID
    value: Money | None
    probability: int | None
    state: Literal["open", "suspended"]
    reason: dict[str, Any] | None
    queued_at: datetime | None
    created_at: datetime
    version: int
    allowed: list[str]

    @classmethod
    def of(cls, opportunity: Opportunity, customer: CustomerName | None, actor: Actor) -> "OpportunityItem":
        """An opportunity as an answer."""
        known = ("customer", "allowed")
        fields = {name: getattr(opportunity, name) for name in cls.model_fields if name not in known}
        shown = CustomerAnswer(id=customer.id, code=customer.code, name=customer.name) if customer else None
        return cls(**fields, customer=shown, allowed=allowed_on_opportunity(actor, opportunity))


class OpportunitiesQuery(PageQuery):
    """Which opportunities; a parameter that is repeated takes any of its values."""

    campaign_id: Ids = []
    status: Ids = []
    owner: Ids = []
    customer_id: Ids = []
    sort: CreatedSort = "-created_at"


@routes.post(
    "/campaigns/{campaign_id}/opportunities",
    responses={202: {"model": LongWorkResponse, "description": "A selection: see `Location`"}},
)
async def post_opportunities(
    campaign_id: UUID,
    request: CustomersRequest,
    session: SessionDep,
    actor: ActorDep,
    wiring: WiringDep,
    response: Response,
) -> BulkResult[ItemResult] | LongWorkResponse:
    """Add customers to a campaign; its managers and relevant persons may, for customers they may change (K2)."""
    if request.selection_id is not None:
        wait_seconds = wiring.settings.wait_for_seconds
        work = await add_selection(session, actor, campaign_id, request.selection_id, wait_seconds)
        accepted(response, f"/opportunity-batches/{work.id}")
        return LongWorkResponse.of(work)
    outcomes = await add_customers(session, actor, campaign_id, request.customer_ids or [])
    return bulk(_items(outcomes))


@routes.get("/opportunities", response_model=Page[OpportunityItem])
async def list_opportunities(
    query: Annotated[OpportunitiesQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """Opportunities the asker owns, or whose campaign they manage or are a relevant person of."""
    wanted = OpportunityFilter(query.campaign_id, query.status, query.owner, query.customer_id)
    listing = await opportunities_listing(session, actor, wanted)
    return json_text(await page(session, wiring.cursors, listing, query.sort, query.limit, query.cursor, query.total))


@routes.get("/opportunities/{opportunity_id}")
async def read_opportunity(
    opportunity_id: UUID, session: SessionDep, actor: ActorDep, response: Response
) -> OpportunityItem:
    """One opportunity."""
    return await _answer(session, actor, await get_opportunity(session, actor, opportunity_id), response)


@routes.patch("/opportunities/{opportunity_id}")
async def patch_opportunity(
    opportunity_id: UUID,
    request: OpportunityChanges,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
) -> OpportunityItem:
    """Change status, value or probability; the owner and the campaign's managers may."""
    values = {name: getattr(request, name) for name in request.model_fields_set}
    if values.get("value") is not None:
        values["value"] = Money(amount=values["value"].amount, currency=values["value"].currency)
    opportunity = await revise_opportunity(session, actor, opportunity_id, values, expected_version)
    return await _answer(session, actor, opportunity, response)


@routes.put("/opportunities/{opportunity_id}/owner")
async def put_owner(
    opportunity_id: UUID,
    request: OwnerRequest,
    session: SessionDep,
    actor: ActorDep,
    expected_version: IfMatch,
    response: Response,
) -> OpportunityItem:
    """Give an opportunity an owner, who becomes the customer's manager (K3); the campaign's managers may."""
    opportunity = await assign_owner(session, actor, opportunity_id, request.employee_id, expected_version)
    return await _answer(session, actor, opportunity, response)


@routes.delete("/opportunities/{opportunity_id}", status_code=204)
async def delete_opportunity(
    opportunity_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch
) -> None:
    """Take a customer out of a campaign; the campaign's managers may."""
    await remove_opportunity(session, actor, opportunity_id, expected_version)


async def _answer(session: Session, actor: Actor, opportunity: Opportunity, response: Response) -> OpportunityItem:
    etag(response, opportunity.version)
    return OpportunityItem.of(opportunity, await visible_customer(session, actor, opportunity.customer_id), actor)


def _items(outcomes: Sequence[Opportunity | RapportError]) -> list[ItemResult]:
    return [
        ItemResult(index=index, status="created", id=outcome.id)
        if isinstance(outcome, Opportunity)
        else ItemResult.failed(index, outcome)
        for index, outcome in enumerate(outcomes)
    ]
