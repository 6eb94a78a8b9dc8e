"""Opportunities of people who are no longer active go to somebody else (K4, A6)."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, select

from services.campaigns.commands.assigning import in_open_status
from services.campaigns.commands.campaigns import lock_campaigns
from services.campaigns.commands.distribution import redistribute
from services.campaigns.domain.opportunity import Opportunity
from services.campaigns.domain.people import Employee
from shared.database import Session


async def hand_on_of_inactive(session: Session, employee_ids: Sequence[UUID]) -> None:
    """Hand on the open opportunities of inactive employees, to their successors where named."""
    if not employee_ids:
        return
    owned = select(Opportunity.campaign_id).where(Opportunity.owner_id.in_(employee_ids), *_open_ones())
    campaign_ids = (await session.scalars(owned.distinct())).all()
    for campaign in await lock_campaigns(session, campaign_ids):
        if campaign.state == "active":  # what an ended one still has is about to be removed
            await redistribute(session, campaign, employee_ids)


async def inactive_owners(session: Session) -> Sequence[UUID]:
    """Inactive employees who own open opportunities: assigned at the moment when their end was learnt of.

    What they won or lost stays theirs.
    """
    owners = select(Opportunity.owner_id).where(Opportunity.owner_id == Employee.id, *_open_ones())
    found = await session.scalars(select(Employee.id).where(~Employee.active, owners.exists()))
    return found.all()


def _open_ones() -> tuple[ColumnElement[bool], ...]:
    return Opportunity.state == "open", in_open_status()
