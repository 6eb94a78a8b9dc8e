"""Care schedules and their activities, with what the ledger is told in the same transaction (L1, L4).

Each holds the customer first, so that neither a lost right nor an erasure is passed by.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, select

from services.interactions.commands.recording import record_facts
from services.interactions.commands.trail import keep_change, keep_deletion
from services.interactions.domain.access import require_employee
from services.interactions.domain.care import CareActivity, CareSchedule
from services.interactions.domain.facts import EARLIEST, MAX_AHEAD, LedgerFact
from services.interactions.queries.customers import VisibleCustomer, hold_customer
from shared import outbox
from shared.database import Session, clock, run
from shared.envelope import new_id
from shared.errors import Invalid, NotFound
from shared.identity import Actor


class HeldSchedule(NamedTuple):
    """A schedule and its customer, both locked."""

    schedule: CareSchedule
    customer: VisibleCustomer


async def create_schedule(
    session: Session, actor: Actor, customer_id: UUID, title: str, starts_on: date | None
) -> HeldSchedule:
    """Plan care for a customer the actor sees. Raises Forbidden for a service, NotFound."""
    employee_id = require_employee(actor)
    customer = await hold_customer(session, actor, customer_id)
    schedule = CareSchedule(
        id=new_id(),
        customer_id=customer_id,
        title=title,
        starts_on=starts_on,
        creator_id=employee_id,
        created_at=await clock(session),
        version=1,
    )
    session.add(schedule)
    await keep_change(session, customer_id, schedule)
    return HeldSchedule(schedule, customer)


async def revise_schedule(
    session: Session, actor: Actor, schedule_id: UUID, values: dict[str, Any], expected_version: int | None = None
) -> HeldSchedule:
    """Change title or first day. Raises NotFound, Forbidden, VersionConflict."""
    held = await _hold_changeable(session, actor, schedule_id, expected_version)
    held.schedule.revise(values)
    await keep_change(session, held.customer.id, held.schedule)
    return held


async def delete_schedule(
    session: Session, actor: Actor, schedule_id: UUID, expected_version: int | None = None
) -> None:
    """Remove a schedule and its activities; they are contacts no longer (L4). Raises as `revise_schedule`."""
    schedule, _ = await _hold_changeable(session, actor, schedule_id, expected_version)
    activities = (await session.scalars(select(CareActivity).where(CareActivity.schedule_id == schedule.id))).all()
    at = await clock(session)
    await keep_deletion(session, schedule.customer_id, *activities, schedule)
    await _tell(session, [activity.taken_back(schedule.customer_id, at) for activity in activities])
    await session.execute(delete(CareActivity).where(CareActivity.schedule_id == schedule.id))
    await session.delete(schedule)


async def add_activity(
    session: Session,
    actor: Actor,
    schedule_id: UUID,
    text: str,
    occurred_at: datetime | None,
    expected_version: int | None = None,
) -> tuple[HeldSchedule, CareActivity]:
    """Say what was done for the customer, now or earlier: a contact (L1).

    Raises NotFound, Forbidden, Invalid for a time that cannot be, VersionConflict.
    """
    employee_id = require_employee(actor)
    held = await _hold_changeable(session, actor, schedule_id)
    at = await clock(session)
    if occurred_at is not None and not EARLIEST <= occurred_at <= at + MAX_AHEAD:
        raise Invalid.at("/occurred_at", detail=f"from {EARLIEST.year} to 5 minutes from now")
    held.schedule.require_version(expected_version)
    activity = held.schedule.add(text, occurred_at or at, employee_id, at)
    session.add(activity)
    await keep_change(session, held.schedule.customer_id, activity)
    await _tell(session, [activity.done(held.schedule.customer_id)])
    return held, activity


async def delete_activity(
    session: Session, actor: Actor, schedule_id: UUID, activity_id: UUID, expected_version: int | None = None
) -> None:
    """Take back what was said to have been done (L4). Raises NotFound, Forbidden, VersionConflict."""
    schedule, customer = await _hold(session, actor, schedule_id)
    activity = await session.get(CareActivity, activity_id)
    if activity is None or activity.schedule_id != schedule.id:
        raise NotFound
    if actor.employee_id != activity.employee_id:
        schedule.require_can_change(actor, customer.changeable)
    schedule.require_version(expected_version)
    await keep_deletion(session, schedule.customer_id, activity)
    await _tell(session, [activity.taken_back(schedule.customer_id, await clock(session))])
    await session.delete(activity)
    schedule.version += 1


async def forget_care(session: Session, customer_ids: Sequence[UUID]) -> None:
    """Remove the care of erased customers (C8)."""
    await run(session, "DELETE FROM care_schedule WHERE customer_id = ANY($1::uuid[])", customer_ids)


async def _hold_changeable(
    session: Session, actor: Actor, schedule_id: UUID, expected_version: int | None = None
) -> HeldSchedule:
    held = await _hold(session, actor, schedule_id)
    held.schedule.require_can_change(actor, held.customer.changeable)
    held.schedule.require_version(expected_version)
    return held


async def _hold(session: Session, actor: Actor, schedule_id: UUID) -> HeldSchedule:
    customer_id = await session.scalar(select(CareSchedule.customer_id).where(CareSchedule.id == schedule_id))
    if customer_id is None:
        raise NotFound
    customer = await hold_customer(session, actor, customer_id)
    schedule = await session.get(CareSchedule, schedule_id, with_for_update=True, populate_existing=True)
    if schedule is None:
        raise NotFound
    return HeldSchedule(schedule, customer)


async def _tell(session: Session, facts: Sequence[LedgerFact]) -> None:
    if facts:
        await record_facts(session, facts, [outbox.origin(session)] * len(facts))
