"""What a bulk assignment would do: who gains sight of which customers, and who loses it (A4)."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from shared.access import may_change, may_see
from shared.database import Session, run
from shared.identity import Actor

_CUSTOMERS = """
SELECT id, manager_id, viewer_ids,
       ARRAY(SELECT employee_id FROM customer_viewer WHERE customer_id = customer.id AND cause_kind = 'campaign')
FROM customer WHERE id = ANY($1::uuid[]) AND state = 'active' ORDER BY id
"""

MAX_NAMED = 1_000
"""Customers listed by id in one employee's part of a preview."""


@dataclass
class SightChange:
    """One employee's part of an assignment: how many customers come into their sight and leave it."""

    gains: int = 0
    loses: int = 0
    customer_ids: list[UUID] = field(default_factory=list)

    def names(self, customer_id: UUID) -> None:
        """One more customer, as far as they are listed."""
        if len(self.customer_ids) < MAX_NAMED:
            self.customer_ids.append(customer_id)


async def preview_assignment(
    session: Session,
    actor: Actor,
    customer_ids: Collection[UUID],
    employee_ids: Sequence[UUID],
    keep_previous_as_viewer: bool,
) -> dict[UUID, SightChange]:
    """Who would gain or lose sight, by employee, if the assignment were made now; nothing is written.

    Each employee's counts are complete, their list of customers ends at a thousand.

    Sight by name only, as responsible person or viewer: superiors follow their people. Customers that
    the actor may not change take no part, as in the assignment itself.
    """
    changes: defaultdict[UUID, SightChange] = defaultdict(SightChange)
    turn = 0
    for customer_id, manager_id, viewer_ids, by_opportunity in await run(session, _CUSTOMERS, list(customer_ids)):
        if not (may_see(actor, manager_id, viewer_ids) and may_change(actor, manager_id, viewer_ids)):
            continue
        employee_id = employee_ids[turn % len(employee_ids)]
        turn += 1
        if employee_id == manager_id:
            continue
        if employee_id not in viewer_ids:
            changes[employee_id].gains += 1
            changes[employee_id].names(customer_id)
        if manager_id is not None and not keep_previous_as_viewer and manager_id not in by_opportunity:
            changes[manager_id].loses += 1
            changes[manager_id].names(customer_id)
    return dict(changes)
