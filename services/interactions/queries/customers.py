"""Which customers an actor sees: everything that hangs on one begins here (A2, R1).

An unknown, a deleted and an invisible customer look alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.access import may_change, may_see, require_may_change
from shared.database import Session, run
from shared.errors import NotFound
from shared.identity import DELETE, EDIT_ALL, Actor
from shared.rows import Row


@dataclass(frozen=True)
class VisibleCustomer:
    """A customer that the actor sees; `changeable` is A3."""

    id: UUID
    changeable: bool


_CUSTOMER = "SELECT manager_id, viewer_ids, state FROM customer WHERE id = $1"


async def find_customer(session: Session, actor: Actor, customer_id: UUID) -> VisibleCustomer:
    """A customer the actor sees; a deleted one is for holders of `customers:delete`. Raises NotFound."""
    row = await _seen(session, actor, customer_id)
    return VisibleCustomer(customer_id, may_change(actor, row.manager_id, row.viewer_ids) and row.state == "active")


async def require_audited(session: Session, actor: Actor, customer_id: UUID) -> None:
    """The trail is for who may change the customer, a deleted one's too (R1). Raises NotFound, Forbidden."""
    row = await _seen(session, actor, customer_id)
    require_may_change(actor, row.manager_id, row.viewer_ids)


async def hold_customer(session: Session, actor: Actor, customer_id: UUID) -> VisibleCustomer:
    """A live customer the actor sees, who stays so until the transaction ends. Raises NotFound.

    What is written then can neither outlive an erasure that runs meanwhile nor miss a lost right.
    """
    row = (await run(session, f"{_CUSTOMER} AND state = 'active' FOR SHARE", customer_id)).one_or_none()
    if row is None or not may_see(actor, row.manager_id, row.viewer_ids):
        raise NotFound
    return VisibleCustomer(customer_id, may_change(actor, row.manager_id, row.viewer_ids))


async def hold_customers(session: Session, actor: Actor, customer_ids: Sequence[UUID]) -> list[VisibleCustomer]:
    """Those of the customers that are live and visible to the actor, who stay so until the transaction ends."""
    rows = await run(
        session,
        "SELECT id, manager_id, viewer_ids FROM customer WHERE id = ANY($1::uuid[]) AND state = 'active'"
        " ORDER BY id FOR SHARE",
        list(customer_ids),
    )
    return [
        VisibleCustomer(row.id, may_change(actor, row.manager_id, row.viewer_ids))
        for row in rows
        if may_see(actor, row.manager_id, row.viewer_ids)
    ]


async def _seen(session: Session, actor: Actor, customer_id: UUID) -> Row:
    row = (await run(session, _CUSTOMER, customer_id)).one_or_none()
    if row is None or not may_see(actor, row.manager_id, row.viewer_ids):
        raise NotFound
    if row.state != "active" and not (row.state == "deleted" and actor.may(DELETE)):
        raise NotFound
    return row


def changeable_sql(actor: Actor, alias: str, first: int) -> tuple[str, list[object]]:
    """A condition on `alias` (a row of `customer` that the actor sees): whether they may change it (A3).

    Its parameters are numbered from `$first`.
    """
    if actor.kind == "system" or actor.may(EDIT_ALL):
        return "true", []
    return f"coalesce({alias}.manager_id = ANY(${first}::uuid[]), false)", [list(actor.reach)]
