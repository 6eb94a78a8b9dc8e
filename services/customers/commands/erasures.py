"""Erasing a customer for ever (C8): everything personal goes in one transaction; every service is told to do so.

What stays is the id, the code (never given again) and who did what when, without the values.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from services.customers.commands.customers import by_hand
from services.customers.commands.exports import forget_exported
from services.customers.commands.publishing import erasure_entry, write_entries
from services.customers.commands.views import forget_in_views
from services.customers.domain.customer import Customer
from shared import outbox
from shared.access import may_see
from shared.contracts.customers import CUSTOMERS, CustomerErased, ErasedState
from shared.contracts.events import Cause
from shared.database import Session, run
from shared.envelope import Origin
from shared.erasing import Person, forget_answers_naming, forget_mechanisms
from shared.errors import NotFound
from shared.identity import ERASE, Actor

_FORMER = """
SELECT DISTINCT field, said #>> '{}' AS said
FROM audit, unnest(ARRAY['name', 'emails', 'phones']) AS field,
     jsonb_path_query(changes, format('$.%s.*[*]', field)::jsonpath) AS said
WHERE customer_id = $1 AND jsonb_typeof(said) = 'string'
"""
"""What the trail says they were called and reached by, before and now."""

_OTHERS = "SELECT phone FROM customer_phone WHERE phone = ANY($1::text[]) AND customer_id <> $2"
"""Numbers that belong to somebody else now: what is said of them is said of that one."""

_REPEATING = ("%/views", "%/customers/check")
"""Paths whose answers repeat what people wrote of somebody, without saying of whom."""

_GONE = (
    "DELETE FROM customer_viewer WHERE customer_id = $1",
    "DELETE FROM customer_phone WHERE customer_id = $1",
    "DELETE FROM customer_search WHERE customer_id = $1",
    "DELETE FROM customer_contact WHERE customer_id = $1",
    "DELETE FROM customer WHERE id = $1",
    # who and when stay, and which fields; no value does
    """
    UPDATE audit SET changes = coalesce((SELECT jsonb_object_agg(name, '{"old": null, "new": null}'::jsonb)
                                         FROM jsonb_object_keys(changes) AS name), '{}')
    WHERE customer_id = $1
    """,
    """
    UPDATE import_row SET old = '{}', new = '{}',
        result = jsonb_set(result, '{current}', '{}')
    WHERE customer_id = $1
    """,
)
_REMEMBER = """
INSERT INTO erasure (customer_id, erased_version, erased_at) VALUES ($1, $2, clock_timestamp())
ON CONFLICT (customer_id) DO UPDATE SET erased_version = excluded.erased_version
"""


async def erase_customer(
    session: Session, actor: Actor, customer_id: UUID, expected_version: int | None = None
) -> None:
    """Erase one customer, deleted ones too. Raises NotFound, Forbidden, VersionConflict."""
    customer = await session.scalar(select(Customer).where(Customer.id == customer_id).with_for_update())
    if customer is None or not may_see(actor, customer.manager_id, customer.viewer_ids):
        raise NotFound
    actor.require(ERASE)
    customer.require_version(expected_version)
    version, cause = customer.version + 1, by_hand(session)
    former = (await run(session, _FORMER, customer_id)).all()
    phones = {*customer.phones, *(row.said for row in former if row.field == "phones")}
    phones -= set((await run(session, _OTHERS, list(phones), customer_id)).scalars())
    texts = {customer.name, *customer.emails, *(row.said for row in former if row.field != "phones")}
    person = Person({str(customer_id), customer.code, *texts}, phones)
    session.expunge(customer)
    await forget_in_views(session, person)
    await forget_exported(session, [customer_id])
    await forget_mechanisms(session, [customer_id])
    await forget_answers_naming(session, person, _REPEATING)
    for statement in _GONE:
        await run(session, statement, customer_id)
    await run(session, "DELETE FROM revealed_phone WHERE phone = ANY($1::text[])", list(phones))
    await run(session, _REMEMBER, customer_id, version)
    [event_id] = tell_erased(session, customer_id, version, cause)
    await write_entries(session, [erasure_entry(actor, customer_id, event_id, cause)])


def tell_erased(
    session: Session, customer_id: UUID, version: int, cause: Cause, origin: Origin | None = None
) -> Sequence[str]:
    """Say that a customer is erased, then make the topic forget it; answers the event's id."""
    erased = CustomerErased(version=version, state=ErasedState(id=customer_id), cause=cause)
    ids = outbox.add(session, erased, origin)
    outbox.add_tombstone(session, CUSTOMERS, str(customer_id))
    return ids
