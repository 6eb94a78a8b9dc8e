"""Who did what to a customer, an employee or a value, and who can see it: the audit trail and reasons (A5, A7)."""

from typing import Any, Literal
from uuid import UUID

from services.customers.domain.classification import ItemKind
from services.customers.queries.pages import ListPage
from shared.access import MAX_SUPERIOR_DEPTH, may_see
from shared.database import Session, run
from shared.errors import NotFound
from shared.identity import SETTINGS, Actor

_ENTRY = """
json_build_object('at', instant(at), 'actor', json_build_object('kind', actor_kind, 'id', actor_id),
    'cause', json_build_object('kind', cause_kind, 'id', cause_id), 'event_id', event_id,
    'changes', changes, 'outcome', outcome)
"""
_CHAIN = f"""
WITH RECURSIVE above(id, superior_id, name, active, depth) AS (
    SELECT id, superior_id, name, active, 0 FROM employee WHERE id = $1
    UNION ALL
    SELECT e.id, e.superior_id, e.name, e.active, above.depth + 1 FROM employee e
    JOIN above ON e.id = above.superior_id WHERE above.depth < {MAX_SUPERIOR_DEPTH}
)
SELECT id, name, depth FROM above WHERE active
"""


async def read_audit(
    session: Session, subject: str, subject_id: UUID, limit: int, after: list[Any] | None, total: bool
) -> ListPage:
    """Entries of a customer, an employee or a value (`subject` names the column), newest first."""
    count = None
    if total:
        count = (await run(session, f"SELECT count(*) FROM audit WHERE {subject} = $1", subject_id)).scalar_one()
    found = await run(
        session,
        f"SELECT coalesce(json_agg({_ENTRY} ORDER BY id DESC) FILTER (WHERE place <= $3), '[]')::text, max(place),"
        " min(id) FILTER (WHERE place <= $3)"
        " FROM (SELECT *, row_number() OVER (ORDER BY id DESC) AS place FROM audit"
        f"       WHERE {subject} = $1 AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3 + 1) entries",
        subject_id,
        after[0] if after else None,
        limit,
    )
    items, places, last = found.one()
    return ListPage(items, [last] if places is not None and places > limit else None, count)


async def read_item_audit(
    session: Session,
    actor: Actor,
    kind: ItemKind | Literal["relationship"],
    item_id: UUID,
    limit: int,
    after: list[Any] | None,
    total: bool,
) -> ListPage:
    """As `read_audit`, of a group, sector, source or relationship. Raises NotFound, Forbidden (R1)."""
    found = await run(
        session,
        "SELECT FROM classification_item WHERE kind = $1 AND id = $2"
        " UNION ALL SELECT FROM relationship WHERE $1 = 'relationship' AND id = $2",
        kind,
        item_id,
    )
    if not found.all():
        raise NotFound
    actor.require(SETTINGS)
    return await read_audit(session, "item_id", item_id, limit, after, total)


async def explain_access(session: Session, actor: Actor, customer_id: UUID, employee_id: UUID) -> dict[str, Any]:
    """Why an employee can see a customer: as responsible person, viewer or superior, by name (A7).

    Raises NotFound unless the actor sees the customer. Holders of `customers:view_all` are known to
    the identity provider, not to us: they are named as a class only.
    """
    found = await run(
        session, "SELECT manager_id, viewer_ids FROM customer WHERE id = $1 AND state = 'active'", customer_id
    )
    row = found.one_or_none()
    if row is None or not may_see(actor, row.manager_id, row.viewer_ids):
        raise NotFound
    reasons: list[dict[str, Any]] = []
    if row.manager_id is not None:
        for one in await run(session, _CHAIN, row.manager_id):
            if one.id == employee_id:
                reason = "responsible" if one.depth == 0 else "superior"
                reasons.append({"reason": reason, "employee_id": str(row.manager_id), "levels": one.depth})
    causes = await run(
        session,
        "SELECT cause_kind, cause_id FROM customer_viewer WHERE customer_id = $1 AND employee_id = $2",
        customer_id,
        employee_id,
    )
    reasons += [
        {"reason": "viewer", "cause": {"kind": cause.cause_kind, "id": cause.cause_id or None}} for cause in causes
    ]
    return {
        "customer_id": str(customer_id),
        "employee_id": str(employee_id),
        "reasons": reasons,
        "also": ["customers:view_all"],
    }
