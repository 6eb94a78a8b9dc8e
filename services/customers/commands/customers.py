"""Writes to one customer: find what the actor may see, check, change, tell."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from services.customers.commands.choices import require_choices
from services.customers.commands.employees import require_active_employees
from services.customers.commands.publishing import publish
from services.customers.commands.registers import claim_code, claim_phones, new_codes, release_phones
from services.customers.commands.revealing import phone_taken, require_reveals, require_unlimited
from services.customers.commands.storing import insert_customers
from services.customers.domain.customer import Customer
from services.customers.domain.errors import CodeTaken
from shared import outbox
from shared.access import may_see, require_may_change
from shared.contracts.customers import Origin
from shared.contracts.events import Cause
from shared.database import Session, clock
from shared.envelope import new_id
from shared.errors import Conflict, Forbidden, NotFound
from shared.identity import DELETE, Actor

REVEALS_PER_HOUR = 60
"""Numbers of hidden customers that one employee may learn of in an hour, unless a deployment says otherwise (R3)."""

UNSET: Any = object()
"""A manager that the caller did not name, which is not the same as nobody (A1)."""


async def create_customer(
    session: Session,
    actor: Actor,
    values: dict[str, Any],
    code: str | None = None,
    manager_id: UUID | None = UNSET,
    viewer_ids: Sequence[UUID] = (),
    reveals_per_hour: int = REVEALS_PER_HOUR,
) -> Customer:
    """Create a customer by hand (C1–C3, A1).

    Raises Forbidden for services, PhoneTaken, RateLimited (R3), CodeTaken, InactiveEmployee, Invalid for choices.
    """
    if actor.employee_id is None:
        raise Forbidden
    await require_choices(session, actor, values)
    manager = actor.employee_id if manager_id is UNSET else manager_id
    await require_active_employees(session, {manager, *viewer_ids} - {None})
    at, cause = await clock(session), by_hand(session)
    customer_id = new_id()
    customer = Customer.create(
        customer_id,
        code or (await new_codes(session, [customer_id]))[0],
        values,
        Origin(kind="user", id=str(actor.employee_id)),
        f"employee/{actor.employee_id}",
        at,
    )
    if code is not None and not await claim_code(session, code, customer_id):
        raise CodeTaken
    await _claim_phones(session, actor, customer_id, customer.phones, reveals_per_hour)
    customer.hand_over_at_creation(manager, actor.employee_id, viewer_ids, at, cause)
    event = customer.tell_created(cause)
    await insert_customers(session, [customer])
    await publish(session, [event])
    return customer


async def update_customer(
    session: Session,
    actor: Actor,
    customer_id: UUID,
    values: dict[str, Any],
    expected_version: int | None = None,
    reveals_per_hour: int = REVEALS_PER_HOUR,
) -> Customer:
    """Change fields (A3).

    Raises NotFound, Forbidden, VersionConflict, PhoneTaken, RateLimited (R3), ReferralLocked, Invalid.
    """
    customer = await lock_customer(session, actor, customer_id)
    require_may_change(actor, customer.manager_id, customer.viewer_ids)
    await require_choices(session, actor, values, customer)
    customer.require_version(expected_version)
    at = await clock(session)
    if "phones" in values:
        await release_phones(session, customer_id, keep=values["phones"])
        new = [phone for phone in values["phones"] if phone not in customer.phones]
        await _claim_phones(session, actor, customer_id, new, reveals_per_hour)
    await publish(session, customer.update(values, at, by_hand(session)))
    return customer


async def transfer_customer(
    session: Session,
    actor: Actor,
    customer_id: UUID,
    employee_id: UUID | None,
    keep_previous_as_viewer: bool = False,
    expected_version: int | None = None,
) -> Customer:
    """Make somebody else, or nobody, responsible (A3, A4). Raises InactiveEmployee (A6) beside the usual."""
    customer = await lock_customer(session, actor, customer_id)
    require_may_change(actor, customer.manager_id, customer.viewer_ids)
    if employee_id is not None:
        await require_active_employees(session, {employee_id})
    customer.require_version(expected_version)
    at = await clock(session)
    await publish(session, customer.set_manager(employee_id, keep_previous_as_viewer, at, by_hand(session)))
    return customer


async def replace_viewers(
    session: Session,
    actor: Actor,
    customer_id: UUID,
    employee_ids: Iterable[UUID],
    expected_version: int | None = None,
) -> Customer:
    """Name who else may look (A3); viewers caused by opportunities stay."""
    wanted = list(dict.fromkeys(employee_ids))
    customer = await lock_customer(session, actor, customer_id)
    require_may_change(actor, customer.manager_id, customer.viewer_ids)
    await require_active_employees(session, set(wanted) - set(customer.viewer_ids))
    customer.require_version(expected_version)
    await publish(session, customer.set_viewers(wanted, await clock(session), by_hand(session)))
    return customer


async def change_viewer(
    session: Session,
    actor: Actor,
    customer_id: UUID,
    employee_id: UUID,
    look: bool,
    expected_version: int | None = None,
) -> Customer:
    """Add or remove one viewer by hand (A3, A4)."""
    customer = await lock_customer(session, actor, customer_id)
    require_may_change(actor, customer.manager_id, customer.viewer_ids)
    named = customer.viewers_by_hand()
    if look and employee_id not in named:
        await require_active_employees(session, {employee_id})
    customer.require_version(expected_version)
    wanted = [*named, employee_id] if look else [viewer for viewer in named if viewer != employee_id]
    await publish(session, customer.set_viewers(wanted, await clock(session), by_hand(session)))
    return customer


async def delete_customer(
    session: Session, actor: Actor, customer_id: UUID, expected_version: int | None = None
) -> None:
    """Delete softly (C4); deleting twice is no error for who may see deleted customers."""
    customer = await lock_customer(session, actor, customer_id, also_deleted=True)
    require_may_change(actor, customer.manager_id, customer.viewer_ids)
    actor.require(DELETE)
    customer.require_version(expected_version)
    await publish(session, customer.delete(await clock(session), by_hand(session)))
    await release_phones(session, customer_id, keep=())


async def restore_customer(
    session: Session,
    actor: Actor,
    customer_id: UUID,
    drop_phones: bool,
    expected_version: int | None = None,
    reveals_per_hour: int = REVEALS_PER_HOUR,
) -> Customer:
    """Bring a deleted customer back (C4); what it has of others' phones is dropped if asked.

    Raises Conflict `not_restorable`, PhoneTaken unless `drop_phones`, RateLimited (R3).
    """
    customer = await lock_customer(session, actor, customer_id, also_deleted=True)
    require_may_change(actor, customer.manager_id, customer.viewer_ids)
    actor.require(DELETE)
    customer.require_version(expected_version)
    if customer.state != "deleted":
        raise Conflict("not_restorable")
    await require_unlimited(session, actor, customer.phones, reveals_per_hour)
    taken = await claim_phones(session, dict.fromkeys(customer.phones, customer_id))
    if taken and not drop_phones:
        raise await phone_taken(session, actor, taken)
    await require_reveals(session, actor, taken, reveals_per_hour, by_hand(session))
    free = [phone for phone in customer.phones if phone not in taken]
    await publish(session, customer.restore(await clock(session), by_hand(session), free))
    return customer


async def lock_customer(session: Session, actor: Actor, customer_id: UUID, also_deleted: bool = False) -> Customer:
    """The customer's row, locked. Raises NotFound for unknown, invisible and (mostly) deleted ones (A2)."""
    customer = (
        await session.execute(select(Customer).where(Customer.id == customer_id).with_for_update())
    ).scalar_one_or_none()
    if customer is None or not may_see(actor, customer.manager_id, customer.viewer_ids):
        raise NotFound
    if customer.state == "deleted" and not (also_deleted and actor.may(DELETE)):
        raise NotFound
    return customer


async def lock_customers(session: Session, customer_ids: Iterable[UUID]) -> dict[UUID, Customer]:
    """Rows of many customers, locked in the order of ids so that two batches never wait for each other."""
    wanted = sorted(set(customer_ids))
    found = await session.execute(
        select(Customer).where(Customer.id.in_(wanted)).order_by(Customer.id).with_for_update()
    )
    return {customer.id: customer for customer in found.scalars()}


def by_hand(session: Session) -> Cause:
    """The cause of a change that a person made by a request."""
    return Cause(kind="user", id=outbox.origin(session).correlation_id)


async def _claim_phones(
    session: Session, actor: Actor, customer_id: UUID, phones: Collection[str], reveals_per_hour: int
) -> None:
    await require_unlimited(session, actor, phones, reveals_per_hour)
    taken = await claim_phones(session, dict.fromkeys(phones, customer_id))
    if taken:
        raise await phone_taken(session, actor, taken)
