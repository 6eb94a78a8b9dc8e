"""Handing opportunities out: by turns, fair over time, never to inactive people (K4, A6).

The campaign's lock is held throughout, so that two distributions at once come one after the other and
together are as fair as one. Opportunities that nobody is free for wait in the queue.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select

from services.campaigns.commands.assigning import Decision, Unsettled, assign, in_open_status, lock_unsettled, unowned
from services.campaigns.commands.batches import BATCH
from services.campaigns.commands.campaigns import lock_campaign
from services.campaigns.commands.long_work import begin_long_work
from services.campaigns.commands.moment import Moment, now
from services.campaigns.commands.people import active_employees
from services.campaigns.commands.turns import remember_turns, remembered_turns
from services.campaigns.domain import reason
from services.campaigns.domain.access import require_can_manage
from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.long_work import LongWork
from services.campaigns.domain.opportunity import Opportunity
from services.campaigns.domain.people import Employee
from services.campaigns.domain.reason import Reason, WhyQueued, caused_by_campaign
from services.campaigns.domain.turns import Candidate, Plan, Turn, plan
from shared.database import Session
from shared.envelope import Origin
from shared.errors import Invalid, NotFound
from shared.identity import Actor

MAX_DISTRIBUTED = 1_000
"""Opportunities handed out within one request; what goes beyond is long work."""

MAX_SIMULATED = 10_000


@dataclass(frozen=True)
class Assignment:
    """What distribution did, or would do, with one opportunity; without an employee it waits in the queue."""

    opportunity_id: UUID
    customer_id: UUID
    employee_id: UUID | None
    reason: Reason


@dataclass(frozen=True)
class AddedByRule:
    """Which automation rule added an opportunity, and what its events come from (K5)."""

    automation_id: UUID
    origin: Origin


Added = Mapping[UUID, AddedByRule]
"""Opportunities just added by rules, by id."""


@dataclass(frozen=True)
class _Outlook:
    """Who is free now, whose turns come, and why nobody's does when they run out."""

    moment: Moment
    people: dict[UUID, Employee]
    plan: Plan
    why_queued: WhyQueued


async def distribute(session: Session, actor: Actor, campaign_id: UUID) -> list[Assignment] | LongWork:
    """Hand out every unowned open opportunity of a campaign, the oldest first; many of them as long work.

    Raises NotFound, Forbidden.
    """
    campaign = await lock_campaign(session, actor, campaign_id)
    require_can_manage(actor, campaign)
    total = await session.scalar(select(func.count()).select_from(Opportunity).where(*unowned(campaign)))
    if total is not None and total > MAX_DISTRIBUTED:
        return await begin_long_work(session, actor, "distribution", campaign, total)
    return await hand_over(session, campaign, await lock_unsettled(session, campaign, Opportunity.owner_id.is_(None)))


async def simulate(session: Session, actor: Actor, campaign_id: UUID) -> list[Assignment]:
    """What `distribute` would do now, writing nothing.

    Raises NotFound, Forbidden, Invalid `too_many_items` for more than one answer can hold.
    """
    campaign = await session.get(Campaign, campaign_id)
    if campaign is None:
        raise NotFound
    require_can_manage(actor, campaign)
    statement = (
        select(Opportunity.id, Opportunity.customer_id)
        .where(*unowned(campaign))
        .order_by(Opportunity.created_at, Opportunity.id)
        .limit(MAX_SIMULATED + 1)
    )
    rows = (await session.execute(statement)).all()
    if len(rows) > MAX_SIMULATED:
        raise Invalid("too_many_items")
    outlook = await _look(session, campaign, len(rows))
    turns = [*outlook.plan.turns, *[None] * (len(rows) - len(outlook.plan.turns))]
    return [
        Assignment(opportunity_id, customer_id, turn and turn.employee_id, _reason(campaign, outlook, turn, None, None))
        for (opportunity_id, customer_id), turn in zip(rows, turns, strict=True)
    ]


async def hand_over(
    session: Session, campaign: Campaign, opportunities: Sequence[Unsettled], added: Added | None = None
) -> list[Assignment]:
    """Give locked opportunities of a locked campaign to whose turn it is; the rest lose their owner and wait.

    Those that rules have `added` say so in their reason.
    """
    if not opportunities:
        return []
    outlook, by_rules = await _look(session, campaign, len(opportunities)), added or {}
    turns = [*outlook.plan.turns, *[None] * (len(opportunities) - len(outlook.plan.turns))]
    done, decisions = list[Assignment](), list[Decision]()
    for opportunity, turn in zip(opportunities, turns, strict=True):
        rule = by_rules.get(opportunity.id)
        why = _reason(campaign, outlook, turn, opportunity.owner_id, rule)
        employee_id = turn and turn.employee_id
        if turn is not None or not opportunity.waits_for(why):
            decisions.append(Decision(opportunity.id, employee_id, why, rule and rule.origin))
        done.append(Assignment(opportunity.id, opportunity.customer_id, employee_id, why))
    await assign(session, campaign, decisions, outlook.moment.at, caused_by_campaign(campaign.id))
    if outlook.plan.turns:
        await remember_turns(session, campaign.id, outlook.moment.today, outlook.plan.shares, outlook.plan.turns)
    return done


async def hand_over_added(session: Session, campaign: Campaign, added: Added) -> None:
    """Hand out what rules have just added to a locked campaign; who waits in the queue already comes first (K4, K5)."""
    unowned, new, queued = Opportunity.owner_id.is_(None), Opportunity.id.in_(list(added)), Opportunity.queued_at
    while True:
        batch = await lock_unsettled(session, campaign, unowned, new | queued.is_not(None))
        done = await hand_over(session, campaign, batch, added)
        if len(batch) < BATCH or any(assignment.employee_id is None for assignment in done):
            break
    behind = await lock_unsettled(session, campaign, unowned, new, queued.is_(None))
    await hand_over(session, campaign, behind, added)


async def redistribute(session: Session, campaign: Campaign, leaving: Sequence[UUID]) -> None:
    """Hand on the open opportunities of people who left, their status kept; successors come first (K4, A6)."""
    successors, cause = await _successors(session, leaving), caused_by_campaign(campaign.id)
    while batch := await lock_unsettled(session, campaign, Opportunity.owner_id.in_(leaving)):
        inherited = [
            Decision(one.id, successors[one.owner_id].id, reason.succeeded(one.owner_id))
            for one in batch
            if one.owner_id is not None and one.owner_id in successors
        ]
        await assign(session, campaign, inherited, (await now(session)).at, cause)
        await hand_over(session, campaign, [one for one in batch if one.owner_id not in successors])


async def release_resting(session: Session, campaign: Campaign, leaving: Sequence[UUID]) -> None:
    """Opportunities whose customers are away stay with nobody who left the staff: they wait, and are handed out when
    the customers are back (K4, K7).
    """
    theirs, cause = Opportunity.owner_id.in_(leaving), caused_by_campaign(campaign.id)
    while batch := await lock_unsettled(session, campaign, theirs, state="suspended"):
        released = [Decision(one.id, None, reason.queued("customer_away", one.owner_id)) for one in batch]
        await assign(session, campaign, released, (await now(session)).at, cause)


async def drain(session: Session, campaign: Campaign) -> int:
    """Give the queue's oldest, and in an automatic campaign all unowned ones, to who is free now (K4).

    Takes one batch; answers how many found an owner.
    """
    waiting = () if campaign.automatic else (Opportunity.queued_at.is_not(None),)
    batch = await lock_unsettled(session, campaign, Opportunity.owner_id.is_(None), *waiting)
    done = await hand_over(session, campaign, batch)
    return sum(1 for assignment in done if assignment.employee_id is not None)


async def campaigns_with_waiting(session: Session) -> Sequence[UUID]:
    """Live campaigns where opportunities wait in the queue, or are unowned though the campaign is automatic."""
    statement = (
        select(Campaign.id)
        .join(Opportunity, Opportunity.campaign_id == Campaign.id)
        .where(
            Campaign.state == "active", Opportunity.owner_id.is_(None), Opportunity.state == "open", in_open_status()
        )
        .where(Campaign.automatic | Opportunity.queued_at.is_not(None))
        .distinct()
        .order_by(Campaign.id)
    )
    return (await session.scalars(statement)).all()


async def _look(session: Session, campaign: Campaign, count: int) -> _Outlook:
    moment = await now(session)
    people = await active_employees(session, campaign.staff_ids)
    remembered = await remembered_turns(session, campaign.id, moment.today)
    present = [member for member in campaign.staff if member.employee_id in people]
    working = [member for member in present if member.works_at(moment.local)]
    candidates = [
        Candidate(
            member.employee_id,
            member.weight if campaign.method == "weighted" else 1,
            member.room(remembered.given_today.get(member.employee_id, 0)),
        )
        for member in working
    ]
    why: WhyQueued = "capacity" if working else "outside_hours" if present else "no_staff"
    return _Outlook(moment, people, plan(count, candidates, remembered.shares), why)


def _reason(
    campaign: Campaign, outlook: _Outlook, turn: Turn | None, previous_owner_id: UUID | None, rule: AddedByRule | None
) -> Reason:
    if turn is None:
        return reason.queued(outlook.why_queued, previous_owner_id)
    if previous_owner_id is not None:
        return reason.redistributed(previous_owner_id, campaign.method, turn.number, turn.people)
    if rule is not None:
        return reason.by_rule(rule.automation_id, campaign.method, turn.number, turn.people)
    return reason.by_turn(campaign.method, turn.number, turn.people)


async def _successors(session: Session, leaving: Sequence[UUID]) -> dict[UUID, Employee]:
    """Who takes over from each of them, where somebody active was named."""
    statement = select(Employee).where(Employee.id.in_(leaving), Employee.successor_id.is_not(None), ~Employee.active)
    named = {e.id: e.successor_id for e in await session.scalars(statement) if e.successor_id is not None}
    active = await active_employees(session, named.values())
    return {person: active[successor] for person, successor in named.items() if successor in active}
