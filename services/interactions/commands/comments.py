"""Comments: posting, editing, deleting, and marking them as read (U1, U3).

Each holds the customer first, so that neither a lost right nor an erasure is passed by; then the
discussion, whose lock gives every comment a moment later than all before it.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select

from services.interactions.commands.recording import record_facts
from services.interactions.commands.trail import keep_change, keep_deletion
from services.interactions.domain.comment import Comment
from services.interactions.queries.customers import VisibleCustomer, hold_customer
from shared import outbox
from shared.access import MAX_SUPERIOR_DEPTH
from shared.database import Session, clock, run
from shared.envelope import new_id
from shared.errors import FieldError, Forbidden, Invalid, NotFound
from shared.identity import Actor

_NEXT_MOMENT = """
INSERT INTO discussion AS stored (customer_id, first_posted_at, last_posted_at, comments,
                                  active, manager_id, viewer_ids, customer_created_at)
SELECT id, now, now, 1, state = 'active', manager_id, viewer_ids, created_at
FROM customer, clock_timestamp() AS now WHERE id = $1
ON CONFLICT (customer_id) DO UPDATE SET
    last_posted_at = greatest(clock_timestamp(), stored.last_posted_at + interval '1 microsecond'),
    comments = stored.comments + 1
RETURNING last_posted_at
"""

_ONE_LESS = "UPDATE discussion SET comments = comments - 1 WHERE customer_id = $1"

# A customer that the copy has no more, since it was made anew, is nobody's.
_FOLLOW = """
UPDATE discussion SET active = coalesce(customer.state = 'active', false), manager_id = customer.manager_id,
    viewer_ids = coalesce(customer.viewer_ids, '{}'),
    customer_created_at = coalesce(customer.created_at, customer_created_at)
FROM unnest($1::uuid[]) AS followed(id) LEFT JOIN customer ON customer.id = followed.id
WHERE customer_id = followed.id
    AND (active, discussion.manager_id, discussion.viewer_ids, customer_created_at) IS DISTINCT FROM (
        coalesce(customer.state = 'active', false), customer.manager_id, coalesce(customer.viewer_ids, '{}'),
        coalesce(customer.created_at, customer_created_at)
    )
"""

# Holders of `customers:view_all` are known by their tokens only: nobody else can tell that they may see it.
_NOT_SEEING = f"""
WITH RECURSIVE above(id, depth) AS (
    SELECT manager_id, 0 FROM customer WHERE id = $1
    UNION
    SELECT employee.superior_id, above.depth + 1 FROM employee JOIN above ON employee.id = above.id
    WHERE above.depth < {MAX_SUPERIOR_DEPTH}
)
SELECT mentioned.id FROM unnest($2::uuid[]) AS mentioned(id)
WHERE NOT EXISTS (
    SELECT FROM employee WHERE employee.id = mentioned.id AND active AND (
        employee.id IN (SELECT id FROM above)
        OR EXISTS (SELECT FROM customer WHERE customer.id = $1 AND viewer_ids @> ARRAY[mentioned.id])
    )
)
"""

_MARK = """
INSERT INTO read_mark AS stored (employee_id, customer_id, read_at, comment_id)
SELECT $1, customer_id, created_at, id FROM comment WHERE customer_id = $2 AND id = $3
ON CONFLICT (employee_id, customer_id) DO UPDATE SET
    read_at = greatest(stored.read_at, excluded.read_at),
    comment_id = CASE WHEN stored.read_at < excluded.read_at THEN excluded.comment_id ELSE stored.comment_id END
RETURNING comment_id
"""

_FORGET = (
    "DELETE FROM comment WHERE customer_id = ANY($1::uuid[])",
    "DELETE FROM discussion WHERE customer_id = ANY($1::uuid[])",
    "DELETE FROM read_mark WHERE customer_id = ANY($1::uuid[])",
)


class HeldComment(NamedTuple):
    """A comment that is locked, and whether the actor may change its customer (A3)."""

    comment: Comment
    customer: VisibleCustomer


def require_employee(actor: Actor) -> UUID:
    """The employee who discusses. Raises Forbidden for a service."""
    if actor.employee_id is None:
        raise Forbidden
    return actor.employee_id


async def post_comment(
    session: Session, actor: Actor, customer_id: UUID, text: str, mention_ids: Sequence[UUID]
) -> HeldComment:
    """Say something about a customer the actor sees; it counts one (U1, I8).

    Raises Forbidden, NotFound, Invalid for somebody mentioned who may not see the customer.
    """
    author_id = require_employee(actor)
    customer = await hold_customer(session, actor, customer_id)
    await _require_seeing(session, customer_id, mention_ids, mention_ids)
    comment = Comment(
        id=new_id(),
        customer_id=customer_id,
        author_id=author_id,
        text=text,
        mention_ids=list(mention_ids),
        created_at=(await run(session, _NEXT_MOMENT, customer_id)).scalar_one(),
        version=1,
    )
    session.add(comment)
    await keep_change(session, customer_id, comment)
    await record_facts(session, [comment.fact()], [outbox.origin(session)])
    outbox.add(session, comment.posted())
    return HeldComment(comment, customer)


async def edit_comment(
    session: Session,
    actor: Actor,
    comment_id: UUID,
    text: str | None = None,
    mention_ids: Sequence[UUID] | None = None,
    expected_version: int | None = None,
) -> HeldComment:
    """Say it differently, within two hours; None leaves as it is. It stays one count (U1, I8).

    Raises NotFound, Forbidden, Invalid for somebody newly mentioned who may not see the customer,
    VersionConflict.
    """
    held = await _hold_comment(session, actor, comment_id)
    comment, now = held.comment, await clock(session)
    comment.require_can_edit(actor, now)
    mentioned = comment.mention_ids if mention_ids is None else list(mention_ids)
    await _require_seeing(session, comment.customer_id, mentioned, set(mentioned) - set(comment.mention_ids))
    comment.require_version(expected_version)
    comment.edit(comment.text if text is None else text, mentioned, now)
    await keep_change(session, comment.customer_id, comment)
    return held


async def delete_comment(session: Session, actor: Actor, comment_id: UUID, expected_version: int | None = None) -> None:
    """Take a comment out of the discussion; the count keeps it (U1, I8, U4).

    Raises NotFound, Forbidden (author or A3), VersionConflict.
    """
    comment, customer = await _hold_comment(session, actor, comment_id)
    comment.require_can_delete(actor, customer.changeable)
    comment.require_version(expected_version)
    comment.delete(actor, await clock(session))
    await keep_deletion(session, comment.customer_id, comment)
    await run(session, _ONE_LESS, comment.customer_id)


async def mark_read(session: Session, actor: Actor, customer_id: UUID, up_to: UUID) -> UUID:
    """The actor has read a customer's comments up to this one; answers up to which they have in all (U3).

    A mark never goes back. Raises Forbidden, NotFound, Invalid for another customer's comment.
    """
    employee_id = require_employee(actor)
    await hold_customer(session, actor, customer_id)
    marked = (await run(session, _MARK, employee_id, customer_id, up_to)).scalar_one_or_none()
    if marked is None:
        raise Invalid.at("/up_to", detail="no comment about this customer")
    return marked


async def follow_in_discussions(session: Session, customer_ids: Sequence[UUID]) -> None:
    """Let discussions know who sees their customers, whose copies are locked and have changed (A2)."""
    await run(session, _FOLLOW, customer_ids)


async def forget_discussions(session: Session, customer_ids: Sequence[UUID]) -> None:
    """Remove what was said about customers and who has read it; their copies are locked and erased (C8)."""
    for statement in _FORGET:
        await run(session, statement, customer_ids)


async def _hold_comment(session: Session, actor: Actor, comment_id: UUID) -> HeldComment:
    found = await session.execute(select(Comment.customer_id).where(Comment.id == comment_id))
    customer_id = found.scalar_one_or_none()
    if customer_id is None:
        raise NotFound
    customer = await hold_customer(session, actor, customer_id)
    statement = (
        select(Comment)
        .where(Comment.customer_id == customer_id, Comment.id == comment_id, Comment.deleted_at.is_(None))
        .with_for_update()
    )
    comment = await session.scalar(statement)
    if comment is None:
        raise NotFound
    return HeldComment(comment, customer)


async def _require_seeing(
    session: Session, customer_id: UUID, mentioned: Sequence[UUID], asked: Sequence[UUID] | set[UUID]
) -> None:
    if not asked:
        return
    blind = set((await run(session, _NOT_SEEING, customer_id, list(asked))).scalars())
    if blind:
        raise Invalid(
            errors=tuple(
                FieldError(f"/mention_ids/{place}", "validation_failed", "may not see this customer")
                for place, employee_id in enumerate(mentioned)
                if employee_id in blind
            )
        )
