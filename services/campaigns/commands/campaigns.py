"""Creating, editing and ending campaigns."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from services.campaigns.commands.people import require_active
from services.campaigns.commands.removals import remove_next, remove_the_rest
from services.campaigns.domain.access import is_manager, require_can_manage, require_can_read
from services.campaigns.domain.campaign import FIRST_STATUSES, Campaign, StatusPlan
from services.campaigns.domain.errors import CodeTaken
from services.campaigns.domain.long_work import LongWork
from services.campaigns.domain.reason import caused_by
from shared import outbox
from shared.database import Session, clock, run, violated
from shared.envelope import new_id
from shared.errors import Invalid, NotFound
from shared.identity import MANAGE_CAMPAIGNS, Actor

BATCHES_REMOVED_AT_ONCE = 20
"""Opportunities that end with their campaign in its transaction, in thousands; more would outlast the request."""


async def lock_campaign(session: Session, actor: Actor, campaign_id: UUID) -> Campaign:
    """The campaign, held until the transaction ends. Raises NotFound for what the actor may not know of."""
    campaign = next(iter(await lock_campaigns(session, [campaign_id])), None)
    if campaign is None:
        raise NotFound
    require_can_read(actor, campaign)
    return campaign


async def lock_campaigns(session: Session, campaign_ids: Iterable[UUID]) -> Sequence[Campaign]:
    """These campaigns in the order of their ids, held until the transaction ends.

    Campaigns are always locked before opportunities, so that nobody waits in a circle.
    """
    statement = (
        select(Campaign)
        .where(Campaign.id.in_(list(campaign_ids)))
        .order_by(Campaign.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(statement)).all()


async def create_campaign(
    session: Session, actor: Actor, values: dict[str, Any], statuses: Sequence[StatusPlan] | None
) -> Campaign:
    """Begin a campaign. Raises Forbidden, Invalid, CodeTaken."""
    actor.require(MANAGE_CAMPAIGNS)
    if not values.get("manager_ids"):
        if actor.employee_id is None:
            raise Invalid.at("/manager_ids", detail="a service cannot manage a campaign")
        values = values | {"manager_ids": [actor.employee_id]}
    await require_active(session, {"/manager_ids": values["manager_ids"], "/relevant_ids": values["relevant_ids"]})
    campaign = Campaign(
        **values | {"code": values["code"] or await _next_code(session)},
        id=new_id(),
        state="active",
        method="round_robin",
        automatic=False,
        created_at=await clock(session),
        version=0,
        staff=[],
    )
    events = campaign.begin(caused_by(actor), statuses or FIRST_STATUSES)
    session.add(campaign)
    try:
        await session.flush()
    except IntegrityError as error:
        if violated(error) == "campaign_code_taken":
            raise CodeTaken(campaign.code) from None
        raise
    outbox.add(session, events)
    return campaign


async def change_campaign(
    session: Session, actor: Actor, campaign_id: UUID, values: dict[str, Any], expected_version: int | None = None
) -> Campaign:
    """Edit fields. Raises NotFound, Forbidden, Invalid, VersionConflict."""
    campaign = await lock_campaign(session, actor, campaign_id)
    require_can_manage(actor, campaign)
    named = {f"/{name}": values[name] for name in ("manager_ids", "relevant_ids") if name in values}
    await require_active(session, named, [*campaign.manager_ids, *campaign.relevant_ids])
    starts_on, ends_on = values.get("starts_on", campaign.starts_on), values.get("ends_on", campaign.ends_on)
    if starts_on and ends_on and ends_on < starts_on:
        raise Invalid.at("/ends_on", detail="before its start")
    campaign.require_version(expected_version)
    outbox.add(session, campaign.edit(caused_by(actor), values))
    return campaign


async def delete_campaign(
    session: Session, actor: Actor, campaign_id: UUID, expected_version: int | None = None
) -> LongWork | None:
    """End a campaign and remove all its opportunities, so that nobody keeps sight by them (K3).

    Those of a large one are left to the worker; answers that work. Deleted again while some are left, it goes on:
    answers the work that runs, or begins it anew where the last one failed; no version is compared then, since nobody
    can read it any more. Raises NotFound, Forbidden, VersionConflict.
    """
    campaign = next(iter(await lock_campaigns(session, [campaign_id])), None)
    if campaign is None:
        raise NotFound
    ended = campaign.state == "deleted" and is_manager(actor, campaign)
    if ended and (work := await remove_the_rest(session, campaign)) is not None:
        return work
    require_can_manage(actor, campaign)
    campaign.require_version(expected_version)
    cause = caused_by(actor)
    outbox.add(session, campaign.delete(cause))
    for _ in range(BATCHES_REMOVED_AT_ONCE):
        if not await remove_next(session, campaign, cause):
            return None
    return await remove_the_rest(session, campaign)


async def _next_code(session: Session) -> str:
    """The next code of the sequence that nobody has given by hand."""
    while True:
        number = (await run(session, "SELECT nextval('campaign_code')")).scalar_one()
        code = f"CP{number:06d}"
        if (await run(session, "SELECT 1 FROM campaign WHERE code = $1", code)).first() is None:
            return code
