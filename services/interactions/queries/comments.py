"""Reads of the discussion: a customer's comments, as the actor may know and change them (U1)."""

from uuid import UUID

from services.interactions.domain.comment import EDIT_WINDOW
from services.interactions.queries.customers import VisibleCustomer, find_customer
from services.interactions.queries.pages import CreatedSort, JsonPage, Position, cut
from shared.database import Session, run
from shared.errors import NotFound
from shared.identity import Actor

# $1 who asks (null: a service), $2 whether they may change the customer (A3), $3 the customer.
_ITEM = f"""
SELECT json_build_object(
    'id', comment.id, 'customer_id', comment.customer_id, 'author_id', author_id, 'author_name', author.name,
    'text', text, 'mention_ids', mention_ids, 'created_at', instant(comment.created_at),
    'edited_at', instant(edited_at),
    'unread', author_id <> $1 AND comment.created_at > greatest(asking.created_at, mark.read_at),
    'version', comment.version,
    'allowed', to_json(array_remove(ARRAY[
        CASE WHEN author_id = $1
            AND clock_timestamp() < comment.created_at + interval '{EDIT_WINDOW.total_seconds():.0f} seconds'
            THEN 'change' END,
        CASE WHEN author_id = $1 OR $2 THEN 'delete' END
    ], NULL))
)::text, comment.created_at, comment.id, comment.version
FROM comment
LEFT JOIN employee AS author ON author.id = comment.author_id
LEFT JOIN employee AS asking ON asking.id = $1::uuid
LEFT JOIN read_mark AS mark ON mark.employee_id = $1 AND mark.customer_id = comment.customer_id
WHERE comment.customer_id = $3 AND deleted_at IS NULL
"""

_ONE = f"{_ITEM} AND comment.id = $4"

_PAGES = {
    "-created_at": f"""{_ITEM} AND ($4::timestamptz IS NULL OR (comment.created_at, comment.id) < ($4, $5::uuid))
        ORDER BY comment.created_at DESC, comment.id DESC LIMIT $6""",
    "created_at": f"""{_ITEM} AND ($4::timestamptz IS NULL OR (comment.created_at, comment.id) > ($4, $5::uuid))
        ORDER BY comment.created_at, comment.id LIMIT $6""",
}

_COUNT = "SELECT count(*) FROM comment WHERE customer_id = $1 AND deleted_at IS NULL"


async def comments_page(
    session: Session, actor: Actor, customer: VisibleCustomer, sort: CreatedSort, limit: int, after: Position | None
) -> JsonPage:
    """A customer's comments in the order of their posting or against it; deleted ones are left out."""
    moment, comment_id = after or (None, None)
    asked = (actor.employee_id, customer.changeable, customer.id, moment, comment_id, limit + 1)
    return cut((await run(session, _PAGES[sort], *asked)).all(), limit)


async def count_comments(session: Session, customer_id: UUID) -> int:
    """How many comments a customer has, deleted ones left out."""
    return (await run(session, _COUNT, customer_id)).scalar_one()


async def comment_json(session: Session, actor: Actor, comment_id: UUID) -> tuple[str, int]:
    """One comment as JSON, and its version. Raises NotFound."""
    found = await run(session, "SELECT customer_id FROM comment WHERE id = $1", comment_id)
    customer_id = found.scalar_one_or_none()
    if customer_id is None:
        raise NotFound
    return await held_comment_json(session, actor, await find_customer(session, actor, customer_id), comment_id)


async def held_comment_json(
    session: Session, actor: Actor, customer: VisibleCustomer, comment_id: UUID
) -> tuple[str, int]:
    """As `comment_json`, of a customer that was found already. Raises NotFound."""
    row = (await run(session, _ONE, actor.employee_id, customer.changeable, customer.id, comment_id)).one_or_none()
    if row is None:
        raise NotFound
    return row[0], row[3]
