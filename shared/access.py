"""Who may see and change a customer (A2, A3, R1): one wording for all four services.

Every service has the tables `employee` and `customer` (`customers` owns them, the others keep copies)
with the columns used here: a lost right therefore ends wherever the copy has it. Unknown, deleted and
invisible look alike to the caller; only `customers` can tell them apart.
"""

from collections.abc import Iterable
from uuid import UUID

from shared.contracts.events import ActorReference
from shared.database import Session, run
from shared.errors import Forbidden, InactiveEmployee, NotFound
from shared.identity import EDIT_ALL, Actor, Identity

MAX_SUPERIOR_DEPTH = 20

_ACTOR = f"""
WITH RECURSIVE below(id, depth) AS (
    SELECT id, 0 FROM employee WHERE id = $1 AND active
    UNION
    SELECT employee.id, below.depth + 1 FROM employee JOIN below ON employee.superior_id = below.id
    WHERE below.depth < {MAX_SUPERIOR_DEPTH}
)
SELECT array_agg(DISTINCT id) FROM below
"""


async def load_actor(session: Session, identity: Identity) -> Actor:
    """The actor behind a token, with their reach. Raises InactiveEmployee (A6)."""
    if identity.kind == "service":
        return Actor("service", identity.subject, identity.permissions)
    try:
        employee_id = UUID(identity.subject)
    except ValueError:
        raise InactiveEmployee(identity.subject) from None
    reach = (await run(session, _ACTOR, employee_id)).scalar_one()
    if reach is None:
        raise InactiveEmployee(employee_id)
    return Actor("user", str(employee_id), identity.permissions, employee_id, tuple(reach))


async def actor_of(session: Session, reference: ActorReference) -> Actor:
    """The actor of work that was confirmed earlier: permissions as of then, reach as of now (R2)."""
    if reference.kind == "user":
        return await load_actor(session, Identity(reference.id, "employee", frozenset(reference.permissions)))
    return Actor(reference.kind, reference.id, frozenset(reference.permissions))


def visible_sql(actor: Actor, alias: str, first: int) -> tuple[str, list[object]]:
    """A condition on `alias` (a row of `customer`) for what the actor sees, and its parameters.

    The parameters are numbered from `$first`. Deleted customers are left to the caller.
    """
    if actor.sees_everything:
        return "true", []
    if actor.employee_id is None:
        return "false", []
    return (
        f"({alias}.manager_id = ANY(${first}::uuid[]) OR {alias}.viewer_ids @> ARRAY[${first + 1}::uuid])",
        [list(actor.reach), actor.employee_id],
    )


def may_see(actor: Actor, manager_id: UUID | None, viewer_ids: Iterable[UUID]) -> bool:
    """Responsible person, their superior, viewer, or a holder of `customers:view_all` (A2)."""
    return actor.sees_everything or manager_id in actor.reach or actor.employee_id in tuple(viewer_ids)


def may_change(actor: Actor, manager_id: UUID | None, viewer_ids: Iterable[UUID]) -> bool:
    """Responsible person, their superior, or `customers:edit_all` on what they see (A3)."""
    if actor.kind == "system" or (manager_id is not None and manager_id in actor.reach):
        return True
    return actor.may(EDIT_ALL) and may_see(actor, manager_id, viewer_ids)


def require_may_change(actor: Actor, manager_id: UUID | None, viewer_ids: Iterable[UUID]) -> None:
    """Raises NotFound for what the actor cannot see, Forbidden for what they only see (R1)."""
    viewers = tuple(viewer_ids)
    if not may_see(actor, manager_id, viewers):
        raise NotFound
    if not may_change(actor, manager_id, viewers):
        raise Forbidden


async def visible_customers(session: Session, actor: Actor, customer_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the customers that are live and visible to the actor (A2)."""
    condition, parameters = visible_sql(actor, "customer", 2)
    found = await run(
        session,
        f"SELECT id FROM customer WHERE id = ANY($1::uuid[]) AND state = 'active' AND {condition}",
        list(customer_ids),
        *parameters,
    )
    return set(found.scalars())
