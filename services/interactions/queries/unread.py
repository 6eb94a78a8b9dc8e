"""New Updated: what an employee has not read about the customers they see now (U2).

Nothing is kept for a reader but how far they have read: whoever gains or loses sight of a customer,
or comes into the directory, finds the right list and badge with the next request.
"""

from dataclasses import dataclass
from uuid import UUID

from services.interactions.queries.pages import LAST_ID, JsonPage, Position
from shared.access import visible_sql
from shared.database import Session, run
from shared.identity import Actor

# $1 who asks. Of a discussion that they have never read every comment but their own is unread, without
# a look at one; of one in which nothing was posted since they last read none is.
_ENTERED = "(SELECT coalesce(created_at, '-infinity') FROM employee WHERE id = $1)"

_DISCUSSIONS = """
    SELECT discussion.customer_id, customer_created_at, greatest({entered}, read_at) AS since,
        CASE WHEN read_at IS NULL AND first_posted_at > {entered} THEN comments - coalesce(own.comments_by_them, 0)
        ELSE (
            SELECT count(*) FROM comment
            WHERE comment.customer_id = discussion.customer_id AND created_at > greatest({entered}, read_at)
                AND deleted_at IS NULL AND author_id <> $1
        ) END AS unread
    FROM discussion
    LEFT JOIN read_mark ON read_mark.employee_id = $1 AND read_mark.customer_id = discussion.customer_id
    LEFT JOIN (
        SELECT customer_id, count(*) AS comments_by_them FROM comment
        WHERE author_id = $1 AND deleted_at IS NULL GROUP BY customer_id
    ) AS own ON own.customer_id = discussion.customer_id
    WHERE active AND {visible} AND last_posted_at > greatest({entered}, read_at)
"""

_BADGE = f"SELECT coalesce(sum(unread), 0)::bigint FROM ({_DISCUSSIONS}) AS discussions"

_LIST = f"""
WITH unread AS MATERIALIZED (SELECT * FROM ({_DISCUSSIONS}) AS discussions WHERE unread > 0),
page AS (
    SELECT unread.*, row_number() OVER (ORDER BY customer_created_at DESC, customer_id DESC) AS place
    FROM unread
    WHERE (customer_created_at, customer_id)
        < (coalesce($2::timestamptz, 'infinity'), coalesce($3::uuid, '{LAST_ID}'))
    ORDER BY customer_created_at DESC, customer_id DESC LIMIT $4
)
SELECT (SELECT coalesce(sum(unread), 0)::bigint FROM unread) AS badge, (SELECT count(*) FROM unread) AS total,
    ARRAY(
        SELECT json_build_object(
            'customer', json_build_object(
                'id', customer.id, 'code', code, 'name', name, 'created_at', instant(customer.created_at)),
            'unread', page.unread,
            'first_unread_id', (
                SELECT comment.id FROM comment
                WHERE comment.customer_id = page.customer_id AND comment.created_at > since
                    AND deleted_at IS NULL AND author_id <> $1
                ORDER BY comment.created_at LIMIT 1
            )
        )::text
        FROM page JOIN customer ON customer.id = page.customer_id
        ORDER BY place
    ) AS texts,
    (SELECT customer_created_at FROM page WHERE place = $4 - 1) AS last_at,
    (SELECT customer_id FROM page WHERE place = $4 - 1) AS last_id
"""

_UNREAD_OF_CUSTOMER = f"""
SELECT count(*) FROM comment
LEFT JOIN read_mark AS mark ON mark.employee_id = $1 AND mark.customer_id = comment.customer_id
WHERE comment.customer_id = $2 AND comment.created_at > greatest({_ENTERED}, mark.read_at)
    AND deleted_at IS NULL AND author_id <> $1
"""


@dataclass(frozen=True)
class Unread:
    """Customers with unread comments, newest customer first; how many comments and customers in all."""

    page: JsonPage
    badge: int
    total: int


async def unread_badge(session: Session, actor: Actor) -> int:
    """How many comments the actor has not read."""
    visible, parameters = visible_sql(actor, "discussion", 2)
    statement = _BADGE.format(entered=_ENTERED, visible=visible)
    return (await run(session, statement, actor.employee_id, *parameters)).scalar_one()


async def unread_comments(session: Session, actor: Actor, limit: int, after: Position | None) -> Unread:
    """A page of the customers with comments the actor has not read."""
    visible, parameters = visible_sql(actor, "discussion", 5)
    statement = _LIST.format(entered=_ENTERED, visible=visible)
    row = (await run(session, statement, actor.employee_id, *(after or (None, None)), limit + 1, *parameters)).one()
    following = (row.last_at, row.last_id) if limit and len(row.texts) > limit else None
    return Unread(JsonPage(row.texts[:limit], following), row.badge, row.total)


async def unread_of_customer(session: Session, employee_id: UUID, customer_id: UUID) -> int:
    """How many of a customer's comments an employee has not read."""
    return (await run(session, _UNREAD_OF_CUSTOMER, employee_id, customer_id)).scalar_one()
