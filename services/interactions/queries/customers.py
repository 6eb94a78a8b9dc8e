"""Which customers an actor sees: everything that hangs on one begins here (A2, R1).

An unknown, a deleted and an invisible customer look alike.
"""

from dataclasses import dataclass
from uuid import UUID

from shared.access import may_change, may_see
from shared.database import Session, run
from shared.errors import NotFound
from shared.identity import DELETE, Actor


@dataclass(frozen=True)
class VisibleCustomer:
    """A customer that the actor sees; `changeable` is A3."""

    id: UUID
    changeable: bool


_CUSTOMER = "SELECT manager_id, viewer_ids, state FROM customer WHERE id = $1"


async def find_customer(session: Session, actor: Actor, customer_id: UUID) -> VisibleCustomer:
    """A customer the actor sees; a deleted one is for holders of `customers:delete`. Raises NotFound."""
    row = (await run(session, _CUSTOMER, customer_id)).one_or_none()
    if row is None or not may_see(actor, row.manager_id, row.viewer_ids):
        raise NotFound
    if row.state != "active" and not (row.state == "deleted" and actor.may(DELETE)):
        raise NotFound
    return VisibleCustomer(customer_id, may_change(actor, row.manager_id, row.viewer_ids) and row.state == "active")


async def hold_customer(session: Session, actor: Actor, customer_id: UUID) -> VisibleCustomer:
    """A live customer the actor sees, who stays so until the transaction ends. Raises NotFound.

    What is written then can neither outlive an erasure that runs meanwhile nor miss a lost right.
    """
    row = (await run(session, f"{_CUSTOMER} AND state = 'active' FOR SHARE", customer_id)).one_or_none()
    if row is None or not may_see(actor, row.manager_id, row.viewer_ids):
        raise NotFound
    return VisibleCustomer(customer_id, may_change(actor, row.manager_id, row.viewer_ids))
