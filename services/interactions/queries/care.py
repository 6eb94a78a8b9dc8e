"""Reads of care schedules with their latest activities, as JSON written by PostgreSQL (R1)."""

from uuid import UUID

from services.interactions.queries.customers import VisibleCustomer, find_customer
from services.interactions.queries.pages import CreatedSort, JsonPage, Position, cut
from shared.database import Session, run
from shared.errors import NotFound
from shared.identity import Actor

MAX_ACTIVITIES_SHOWN = 200
"""Of a schedule with more activities the latest are shown."""

# $1 who asks (null: a service), $2 whether they may change the customer (A3).
ACTIVITY = """json_build_object(
    'id', activity.id, 'schedule_id', activity.schedule_id, 'customer_id', schedule.customer_id, 'text', activity.text,
    'occurred_at', instant(activity.occurred_at), 'employee_id', activity.employee_id,
    'created_at', instant(activity.created_at),
    'allowed', CASE WHEN $2 OR $1::uuid IN (activity.employee_id, schedule.creator_id)
                    THEN '["delete"]' ELSE '[]' END::json
)"""

_ITEM = f"""
SELECT json_build_object(
    'id', schedule.id, 'customer_id', customer_id, 'title', title, 'starts_on', starts_on, 'creator_id', creator_id,
    'created_at', instant(schedule.created_at),
    'activity_count', (SELECT count(*) FROM care_activity WHERE schedule_id = schedule.id),
    'activities', coalesce((
        SELECT json_agg({ACTIVITY} ORDER BY occurred_at DESC, id DESC)
        FROM (
            SELECT * FROM care_activity WHERE schedule_id = schedule.id
            ORDER BY occurred_at DESC, id DESC LIMIT {MAX_ACTIVITIES_SHOWN}
        ) AS activity
    ), '[]'),
    'version', version,
    'allowed', CASE WHEN $2 OR $1::uuid = creator_id THEN '["change","add_activity","delete"]' ELSE '[]' END::json
)::text, schedule.created_at, schedule.id, version
FROM care_schedule AS schedule
WHERE customer_id = $3
"""

_ONE = f"{_ITEM} AND schedule.id = $4"

_PAGES = {
    "-created_at": f"""{_ITEM} AND ($4::timestamptz IS NULL OR (created_at, id) < ($4, $5::uuid))
        ORDER BY created_at DESC, id DESC LIMIT $6""",
    "created_at": f"""{_ITEM} AND ($4::timestamptz IS NULL OR (created_at, id) > ($4, $5::uuid))
        ORDER BY created_at, id LIMIT $6""",
}

_ONE_ACTIVITY = f"""
SELECT {ACTIVITY}::text
FROM care_activity AS activity JOIN care_schedule AS schedule ON schedule.id = schedule_id
WHERE activity.id = $3
"""

_COUNT = "SELECT count(*) FROM care_schedule WHERE customer_id = $1"


async def schedules_page(
    session: Session, actor: Actor, customer: VisibleCustomer, sort: CreatedSort, limit: int, after: Position | None
) -> JsonPage:
    """A customer's care schedules in the order of their making or against it."""
    moment, schedule_id = after or (None, None)
    asked = (actor.employee_id, customer.changeable, customer.id, moment, schedule_id, limit + 1)
    return cut((await run(session, _PAGES[sort], *asked)).all(), limit)


async def count_schedules(session: Session, customer_id: UUID) -> int:
    """How many care schedules a customer has."""
    return (await run(session, _COUNT, customer_id)).scalar_one()


async def schedule_json(session: Session, actor: Actor, schedule_id: UUID) -> tuple[str, int]:
    """One care schedule as JSON, and its version. Raises NotFound."""
    found = await run(session, "SELECT customer_id FROM care_schedule WHERE id = $1", schedule_id)
    customer_id = found.scalar_one_or_none()
    if customer_id is None:
        raise NotFound
    return await held_schedule_json(session, actor, await find_customer(session, actor, customer_id), schedule_id)


async def held_schedule_json(
    session: Session, actor: Actor, customer: VisibleCustomer, schedule_id: UUID
) -> tuple[str, int]:
    """As `schedule_json`, of a customer that was found already. Raises NotFound."""
    asked = (actor.employee_id, customer.changeable, customer.id, schedule_id)
    row = (await run(session, _ONE, *asked)).one_or_none()
    if row is None:
        raise NotFound
    return row[0], row[3]


async def held_activity_json(session: Session, actor: Actor, customer: VisibleCustomer, activity_id: UUID) -> str:
    """An activity that was just added, as JSON."""
    return (await run(session, _ONE_ACTIVITY, actor.employee_id, customer.changeable, activity_id)).scalar_one()
