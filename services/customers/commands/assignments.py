"""Bulk assignment by hand: ids at once, longer lists step by step on behalf of who asked (A1, A4, R2)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.customers.commands.employees import require_active_employees
from services.customers.commands.hand_overs import HandOver, hand_over
from services.customers.commands.lists import Chosen, freeze_chosen
from services.customers.commands.long_work import begin_long_work, chunk_of
from services.customers.domain.long_work import LongWork
from shared.database import Session
from shared.identity import Actor
from shared.working import keep_items


async def assign_customers(
    session: Session,
    actor: Actor,
    customer_ids: Sequence[UUID],
    employee_ids: Sequence[UUID],
    keep_previous_as_viewer: bool,
) -> list[HandOver]:
    """Hand customers over, evenly when several employees are named; an outcome for each id, in their order.

    Raises InactiveEmployee; whatever is wrong with one customer fails that one only.
    """
    outcomes = await hand_over(session, actor, customer_ids, employee_ids, keep_previous_as_viewer)
    return [outcomes[customer_id] for customer_id in customer_ids]


async def begin_assignment(
    session: Session, actor: Actor, chosen: Chosen, employee_ids: Sequence[UUID], keep_previous_as_viewer: bool
) -> LongWork:
    """Leave the assignment of what a filter finds now to the worker.

    Raises InactiveEmployee, Invalid `selection_too_large`.
    """
    await require_active_employees(session, employee_ids)
    request = {
        "employee_ids": [str(employee_id) for employee_id in employee_ids],
        "keep_previous_as_viewer": keep_previous_as_viewer,
    }
    work = await begin_long_work(session, actor, "assignment", request)
    await freeze_chosen(session, actor, work, chosen)
    return work


async def assign_next(session: Session, work: LongWork, actor: Actor) -> bool:
    """Hand over the customers of the work's next chunk, going on with whose turn it is; False behind the last."""
    customer_ids = await chunk_of(session, work)
    if customer_ids is None:
        return False
    request = work.request
    left_by = request.get("left_by")
    outcomes = await hand_over(
        session,
        actor,
        customer_ids,
        [UUID(employee_id) for employee_id in request["employee_ids"]],
        request["keep_previous_as_viewer"],
        turns_taken=work.done,
        left_by=UUID(left_by) if left_by is not None else None,
    )
    first = work.done + work.failed
    items = [item_of(first + place, outcomes[customer_id]) for place, customer_id in enumerate(customer_ids)]
    await keep_items(session, work, items, sum(1 for outcome in outcomes.values() if outcome.error is not None))
    work.next_chunk += 1
    return True


def item_of(index: int, outcome: HandOver) -> dict[str, Any]:
    """One customer's outcome in the form of bulk answers."""
    return {
        "index": index,
        "status": outcome.status,
        "id": outcome.customer_id,
        "employee_id": outcome.employee_id,
        "version": outcome.version,
        "error": {"code": outcome.error.code} if outcome.error is not None else None,
    }
