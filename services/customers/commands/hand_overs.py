"""Many customers handed over at once: locked, decided, written in one statement (A1, A4).

Whoever makes managers in bulk ends here: people by `/customers/assign`, a leaving employee's succession, campaigns
whose opportunities got owners. Plain cases are left to `plain_hand_overs.py` and `take_overs.py`, others are decided by
their own methods. Row by row, two thousand would take seconds.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.customers.commands.customers import by_hand
from services.customers.commands.employees import require_active_employees
from services.customers.commands.plain_hand_overs import hand_over_plainly
from services.customers.commands.publishing import publish
from services.customers.commands.storing import COLUMNS, replace_viewers
from services.customers.domain.creation import DraftViewer
from services.customers.domain.errors import TooManyViewers
from services.customers.domain.record import Held
from shared.access import may_change, may_see
from shared.copies import array_text
from shared.database import Session, clock, run
from shared.errors import Forbidden, NotFound, RapportError
from shared.identity import Actor
from shared.rows import Row

_LOCK = f"SELECT {', '.join(COLUMNS)} FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"

_HOLD = """
SELECT id, manager_id, viewer_ids, state FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
"""

_WRITE = """
UPDATE customer AS stored SET
    manager_id = news.manager_id, manager_set_at = news.manager_set_at, manager_cause_kind = news.cause_kind,
    manager_cause_id = news.cause_id, viewer_ids = news.viewers::uuid[], updated_at = news.updated_at,
    search_text = news.search_text, version = news.version
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
            $8::text[], $9::bigint[])
     AS news(id, manager_id, manager_set_at, cause_kind, cause_id, viewers, updated_at, search_text, version)
WHERE stored.id = news.id
"""

_VIEWERS = """
SELECT customer_id, employee_id, cause_kind, cause_id FROM customer_viewer WHERE customer_id = ANY($1::uuid[])
ORDER BY customer_id, employee_id, cause_kind, cause_id
"""


@dataclass(frozen=True)
class HandOver:
    """What became of one customer: who is responsible now, or why nothing was done.

    Neither for one whom a successor would have got, and somebody else has got before.
    """

    customer_id: UUID
    employee_id: UUID | None
    version: int | None
    changed: bool
    error: RapportError | None = None

    @property
    def status(self) -> str:
        """The word of bulk answers."""
        return "failed" if self.error is not None else "updated" if self.changed else "unchanged"


async def hand_over(
    session: Session,
    actor: Actor,
    customer_ids: Collection[UUID],
    employee_ids: Sequence[UUID],
    keep_previous_as_viewer: bool,
    turns_taken: int = 0,
    left_by: UUID | None = None,
) -> dict[UUID, HandOver]:
    """Give customers to employees by turns: sorted by id, the first to the first (A1).

    One that the actor may not change fails by itself and takes no turn. `turns_taken` continues an
    earlier batch. Of customers `left_by` an employee, successors take those who are still theirs,
    whether the actor sees them or not (A6). Raises InactiveEmployee.
    """
    await require_active_employees(session, employee_ids)
    wanted = sorted(set(customer_ids))
    customers = {row.id: row for row in await run(session, _HOLD, wanted)}
    outcomes: dict[UUID, HandOver] = {}
    managers: dict[UUID, UUID] = {}
    for customer_id in wanted:
        customer = customers.get(customer_id)
        refusal = _refusal(actor, customer, left_by)
        if customer is None or refusal is not None:
            outcomes[customer_id] = HandOver(customer_id, None, None, False, refusal or NotFound())
        elif left_by is not None and customer.manager_id != left_by:
            outcomes[customer_id] = HandOver(customer_id, None, None, False)  # whose it is now, not every asker may see
        else:
            managers[customer_id] = employee_ids[turns_taken % len(employee_ids)]
            turns_taken += 1
    return outcomes | await _make_managers(session, managers, customers, keep_previous_as_viewer)


async def _make_managers(
    session: Session, managers: Mapping[UUID, UUID], customers: Mapping[UUID, Row], keep_previous_as_viewer: bool
) -> dict[UUID, HandOver]:
    """Give each customer, whose row is held, its manager: the plain cases in one statement, others by their methods."""
    at, cause = await clock(session), by_hand(session)
    plain = {
        customer_id: employee_id
        for customer_id, employee_id in managers.items()
        if _is_plain(customers[customer_id], employee_id, keep_previous_as_viewer)
    }
    versions = await hand_over_plainly(session, plain, at, cause)
    outcomes = {one: HandOver(one, managers[one], version, True) for one, version in versions.items()}
    others = await lock_held(session, managers.keys() - plain.keys())
    events: list[Any] = []
    for customer_id, customer in others.items():
        try:
            told = customer.set_manager(managers[customer_id], keep_previous_as_viewer, at, cause)
        except TooManyViewers as refusal:
            outcomes[customer_id] = HandOver(customer_id, None, None, False, refusal)
            continue
        outcomes[customer_id] = HandOver(customer_id, managers[customer_id], customer.version, bool(told))
        events += told
    await store_hand_overs(session, others.values())
    await publish(session, events)
    return outcomes


def _is_plain(customer: Row, employee_id: UUID, keep_previous_as_viewer: bool) -> bool:
    """Whether nobody looks at the customer, before and after, and somebody else becomes responsible."""
    if customer.viewer_ids or customer.manager_id == employee_id:
        return False
    return customer.manager_id is None or not keep_previous_as_viewer


async def lock_held(session: Session, customer_ids: Iterable[UUID]) -> dict[UUID, Held]:
    """Rows of many customers as plain objects, locked in the order of ids: two batches never wait in a circle."""
    wanted = sorted(set(customer_ids))
    if not wanted:
        return {}
    rows = await run(session, _LOCK, wanted)
    viewers: dict[UUID, list[DraftViewer]] = {}
    for viewer in await run(session, _VIEWERS, wanted):
        viewers.setdefault(viewer.customer_id, []).append(DraftViewer(*viewer))
    return {row.id: Held(row.items(), viewers.get(row.id, ())) for row in rows}


async def store_hand_overs(session: Session, customers: Iterable[Held]) -> None:
    """Write what hand-overs changed of held customers."""
    touched = [customer for customer in customers if customer.changed]
    if not touched:
        return
    rows = [
        (
            customer.id,
            customer.manager_id,
            customer.manager_set_at,
            customer.manager_cause_kind,
            customer.manager_cause_id,
            array_text(customer.viewer_ids),
            customer.updated_at,
            customer.search_text,
            customer.version,
        )
        for customer in touched
    ]
    await run(session, _WRITE, *map(list, zip(*rows, strict=True)))
    await replace_viewers(session, touched)


def _refusal(actor: Actor, customer: Row | None, left_by: UUID | None) -> RapportError | None:
    if customer is None or customer.state != "active":
        return NotFound()
    if left_by is not None:
        return None
    if not may_see(actor, customer.manager_id, customer.viewer_ids):
        return NotFound()
    if not may_change(actor, customer.manager_id, customer.viewer_ids):
        return Forbidden()
    return None
