"""`/automations`: rules that act on what happens to customers, what they did, and what they would have done (K5)."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from fastapi import Query, Response
from pydantic import AfterValidator, BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from services.campaigns.api.opportunities import CustomerAnswer
from services.campaigns.commands.automations import change_automation, create_automation, delete_automation
from services.campaigns.commands.rehearsal import rehearse
from services.campaigns.domain.automation import Automation, OriginKind, TriggerKind
from services.campaigns.queries.automations import (
    allowed_on_automation,
    automations_listing,
    get_automation,
    runs_listing,
)
from services.campaigns.queries.pages import CreatedSort, page
from shared.fields import Code, Name, Page, PageQuery, RequestModel
from shared.http import ActorDep, IfMatch, SessionDep, WiringDep, created, etag, json_text, reads, router
from shared.identity import Actor

MAX_ACTIONS = 10
MAX_PER_HOUR = 100_000
DEFAULT_PER_HOUR = 1_000

routes = router("automations")


class TriggerItem(RequestModel):
    """What a rule waits for; `origin` goes with `created`, `item_id` with the others (a group with its subtree)."""

    kind: TriggerKind
    origin: OriginKind | None = None
    item_id: UUID | None = None

    @model_validator(mode="after")
    def _fits(self) -> "TriggerItem":
        if self.origin is not None and self.kind != "created":
            raise PydanticCustomError("validation_failed", "origin goes with created")
        if self.item_id is not None and self.kind == "created":
            raise PydanticCustomError("validation_failed", "item_id does not go with created")
        return self


class AddToCampaignItem(RequestModel):
    """Add the customer to a campaign; with `distribute` whose turn it is becomes the owner."""

    kind: Literal["add_to_campaign"]
    campaign_id: UUID
    distribute: bool = False


class AddToGroupItem(RequestModel):
    """Add the customer to a group."""

    kind: Literal["add_to_group"]
    group_id: UUID


class SetRelationshipItem(RequestModel):
    """Set the customer's relationship; Don't Forget is set by the system only (G4)."""

    kind: Literal["set_relationship"]
    relationship_id: UUID


class CreateTaskItem(RequestModel):
    """Make a task for whoever is responsible for the customer when it is made; `type` is a code such as MEETING."""

    kind: Literal["create_task"]
    title: Name
    type: Code


ActionItem = Annotated[
    AddToCampaignItem | AddToGroupItem | SetRelationshipItem | CreateTaskItem, Field(discriminator="kind")
]


def _distinct(actions: list[ActionItem]) -> list[ActionItem]:
    campaigns = [action.campaign_id for action in actions if isinstance(action, AddToCampaignItem)]
    if len(set(campaigns)) < len(campaigns):
        raise PydanticCustomError("validation_failed", "a campaign is named twice")
    return actions


Actions = Annotated[list[ActionItem], AfterValidator(_distinct), Field(min_length=1, max_length=MAX_ACTIONS)]
PerHour = Annotated[int, Field(ge=1, le=MAX_PER_HOUR)]

# A condition is checked by the rules of `domain/condition.py`, which know its codes.
Condition = dict[str, Any] | None


class NewAutomation(RequestModel):
    """A rule: what it waits for, whom it takes, what it does. It holds for what happens from now on."""

    name: Name
    active: bool = True
    max_per_hour: PerHour = DEFAULT_PER_HOUR
    trigger: TriggerItem
    condition: Condition = None
    actions: Actions


class AutomationChanges(RequestModel):
    """What to change of a rule (JSON Merge Patch; trigger, condition and actions each as a whole).

    The defaults only mark what was left out.
    """

    name: Name = ""
    active: bool = True
    max_per_hour: PerHour = DEFAULT_PER_HOUR
    trigger: TriggerItem = TriggerItem(kind="created")
    condition: Condition = None
    actions: Actions = []


class AutomationItem(BaseModel):
    """A rule in a list. Nothing that happened before `since` triggers it."""

    id: UUID
    name: str
    active: bool
    max_per_hour: int
    trigger: dict[str, Any]
    condition: dict[str, Any] | None
    actions: list[dict[str, Any]]
    since: datetime
    created_at: datetime
    version: int


class AutomationResponse(AutomationItem):
    """One rule, and what the asker may do with it."""

    allowed: list[str]

    @classmethod
    def of(cls, automation: Automation, actor: Actor) -> "AutomationResponse":
        """A rule as an answer."""
        fields = {name: getattr(automation, name) for name in AutomationItem.model_fields}
        return cls(**fields, allowed=allowed_on_automation(actor))


class RunItem(BaseModel):
    """What became of one customer who pulled a rule's trigger. `customer` is null for who does not see them.

    Actions: `decided` are on their way to another service, `pending` wait here, `done` and `failed` are over.
    """

    id: UUID
    customer_id: UUID
    customer: CustomerAnswer | None
    outcome: Literal["taken", "left"]
    reason: dict[str, Any]
    actions: list[dict[str, Any]]
    event_id: str
    correlation_id: str
    depth: int
    at: datetime


class RunsQuery(PageQuery):
    """Which runs."""

    outcome: Literal["taken", "left"] | None = None
    customer_id: UUID | None = None
    sort: CreatedSort = "-created_at"


class AutomationsQuery(PageQuery):
    """Which page of the rules."""

    sort: CreatedSort = "-created_at"


class RehearsedItem(BaseModel):
    """What would have become of one change."""

    customer_id: UUID
    customer: CustomerAnswer | None
    outcome: Literal["taken", "left"]
    reason: dict[str, Any]
    at: datetime


class RehearsalResponse(BaseModel):
    """The newest 1,000 answers; the counts are of all. `complete` is false when there were too many changes."""

    items: list[RehearsedItem]
    taken: int
    left: int
    complete: bool


@routes.post("/automations", status_code=201)
async def post_automation(
    request: NewAutomation, session: SessionDep, actor: ActorDep, wiring: WiringDep, response: Response
) -> AutomationResponse:
    """Begin a rule; needs `crm:settings` and `campaigns:manage`."""
    automation = await create_automation(session, actor, _values(request), wiring.settings.wait_for_seconds)
    created(response, f"/automations/{automation.id}")
    etag(response, automation.version)
    return AutomationResponse.of(automation, actor)


@routes.get("/automations", response_model=Page[AutomationItem])
async def list_automations(
    query: Annotated[AutomationsQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """The rules; needs `campaigns:manage`."""
    listing = automations_listing(actor)
    return json_text(await page(session, wiring.cursors, listing, query.sort, query.limit, query.cursor, query.total))


@routes.post("/automations/simulation", response_model=RehearsalResponse)
@reads
async def post_rehearsal(request: NewAutomation, session: SessionDep, actor: ActorDep, wiring: WiringDep) -> Response:
    """What a rule would have done with the last 7 days' changes; writes nothing."""
    rehearsal = await rehearse(session, actor, _values(request), wiring.settings.wait_for_seconds)
    return json_text(msgspec.json.encode(rehearsal).decode())


@routes.get("/automations/{automation_id}")
async def read_automation(
    automation_id: UUID, session: SessionDep, actor: ActorDep, response: Response
) -> AutomationResponse:
    """One rule."""
    automation = await get_automation(session, actor, automation_id)
    etag(response, automation.version)
    return AutomationResponse.of(automation, actor)


@routes.patch("/automations/{automation_id}")
async def patch_automation(
    automation_id: UUID,
    request: AutomationChanges,
    session: SessionDep,
    actor: ActorDep,
    wiring: WiringDep,
    expected_version: IfMatch,
    response: Response,
) -> AutomationResponse:
    """Change a rule; a changed trigger, condition or action holds for what happens from now on."""
    values = {name: value for name, value in _values(request).items() if name in request.model_fields_set}
    wait_seconds = wiring.settings.wait_for_seconds
    automation = await change_automation(session, actor, automation_id, values, expected_version, wait_seconds)
    etag(response, automation.version)
    return AutomationResponse.of(automation, actor)


@routes.delete("/automations/{automation_id}", status_code=204)
async def remove_automation(
    automation_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch
) -> None:
    """End a rule for good."""
    await delete_automation(session, actor, automation_id, expected_version)


@routes.get("/automations/{automation_id}/runs", response_model=Page[RunItem])
async def list_runs(
    automation_id: UUID, query: Annotated[RunsQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """Whom a rule took or left and why, of the last 30 days; needs `campaigns:manage`."""
    automation = await get_automation(session, actor, automation_id)
    listing = runs_listing(actor, automation, query.outcome, query.customer_id)
    return json_text(await page(session, wiring.cursors, listing, query.sort, query.limit, query.cursor, query.total))


def _values(request: NewAutomation | AutomationChanges) -> dict[str, Any]:
    """The rule as it is stored."""
    values = {name: getattr(request, name) for name in ("name", "active", "max_per_hour", "condition")}
    values["trigger"] = request.trigger.model_dump(mode="json", exclude_none=True)
    values["actions"] = [action.model_dump(mode="json") for action in request.actions]
    return values
