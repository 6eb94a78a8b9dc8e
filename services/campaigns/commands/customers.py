"""What happens to opportunities when something happens to their customer (K7, C8)."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, literal, select

from services.campaigns.commands.assigning import in_open_status
from services.campaigns.commands.batches import write_together
from services.campaigns.domain.opportunity import Opportunity
from shared import outbox
from shared.contracts.campaigns import OPPORTUNITIES
from shared.contracts.customers import CustomerErased
from shared.contracts.events import Cause, Event
from shared.contracts.work import ErasureCompleted
from shared.copies import CustomerSeen
from shared.database import Session, clock, run
from shared.envelope import Envelope

CAUSE = Cause(kind="system")

_FORGET = (
    "DELETE FROM long_work_item WHERE item ->> 'customer_id' = ANY($1::text[])",
    "DELETE FROM automation_task WHERE customer_id = ANY($1::text[]::uuid[])",
    "DELETE FROM automation_run WHERE customer_id = ANY($1::text[]::uuid[])",
    "DELETE FROM customer_change WHERE customer_id = ANY($1::text[]::uuid[])",
    "DELETE FROM customer_profile WHERE customer_id = ANY($1::text[]::uuid[])",
    # Answers kept for repeated requests tell who got which customer, and why.
    "DELETE FROM idempotency WHERE answer::text ~ array_to_string($1::text[], '|')",
)
"""What else is known of customers: reasons of distributions, what rules did and why, what changed of late."""


async def follow_customers(session: Session, seen: Sequence[CustomerSeen]) -> None:
    """Suspend the open opportunities of deleted customers, resume those of customers who are back (K7).

    It follows from the copy's state, so that it does not matter which events were seen.
    """
    deleted = [customer.id for customer in seen if customer.state == "deleted"]
    back = [customer.id for customer in seen if customer.state == "active" and customer.old_state != "active"]
    suspended = await _lock(session, deleted, "open")
    resumed = await _lock(session, back, "suspended")
    events: list[Event] = []
    for opportunity in suspended:
        events += opportunity.suspend(CAUSE)
    for opportunity in resumed:
        events += opportunity.resume(CAUSE)
    await write_together(session, [*suspended, *resumed])
    outbox.add(session, events)


async def forget_erased(session: Session, envelopes: Sequence[Envelope[Event]]) -> None:
    """Delete everything about erased customers, tell that it is gone, and confirm (C8)."""
    erased = {e.event.state.id: e.event for e in envelopes if isinstance(e.event, CustomerErased)}
    if not erased:
        return
    for opportunity in await _lock(session, erased, "open", "suspended", "removed"):
        outbox.add(session, opportunity.remove(CAUSE))
        outbox.add_tombstone(session, OPPORTUNITIES, str(opportunity.id))
        await session.delete(opportunity)
    for statement in _FORGET:
        await run(session, statement, [str(customer_id) for customer_id in erased])
    at = await clock(session)
    outbox.add(
        session,
        [
            ErasureCompleted(customer_id=key, service="campaigns", erased_version=event.version, completed_at=at)
            for key, event in erased.items()
        ],
    )


async def _lock(session: Session, customer_ids: Iterable[UUID], *states: str) -> Sequence[Opportunity]:
    """The opportunities of customers, held until the transaction ends; to be suspended only those not closed."""
    wanted = list(customer_ids)
    if not wanted:
        return []
    theirs = Opportunity.customer_id == any_(literal(wanted, ARRAY(Uuid)))  # one statement, however many they are
    statement = select(Opportunity).where(theirs, Opportunity.state.in_(states))
    if states == ("open",):
        statement = statement.where(in_open_status())
    oldest_first = statement.order_by(Opportunity.created_at, Opportunity.id)
    return (await session.scalars(oldest_first.with_for_update(of=Opportunity))).all()
