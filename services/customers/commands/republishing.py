"""Current state told again, under the row locks, versions unchanged: it repairs copies (see `republish`)."""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from services.customers.commands.erasures import tell_erased
from services.customers.domain.classification import ITEM_EVENTS, ClassificationItem
from services.customers.domain.customer import Customer
from services.customers.domain.employee import Employee
from services.customers.domain.relationships import Relationship
from shared import outbox
from shared.contracts.classification import CLASSIFICATION, RelationshipChanged
from shared.contracts.customers import CUSTOMERS, CustomerUpdated
from shared.contracts.directory import DIRECTORY, EmployeeChanged
from shared.contracts.events import Cause, Topic
from shared.database import Session, run
from shared.envelope import Origin

BATCH = 500

_SOURCES: dict[str, list[type[Any]]] = {
    CUSTOMERS.name: [Customer],
    DIRECTORY.name: [Employee],
    CLASSIFICATION.name: [Relationship, ClassificationItem],
}
_EVENTS: dict[type[Any], type[Any]] = {
    Customer: CustomerUpdated,
    Employee: EmployeeChanged,
    Relationship: RelationshipChanged,
}


async def republish(session: Session, topic: Topic, raise_version: bool) -> int:
    """Tell every aggregate of a topic again; answers how many."""
    count = await _erasures(session, raise_version) if topic is CUSTOMERS else 0
    for kind in _SOURCES[topic.name]:
        last: UUID | None = None
        while True:
            statement = select(kind).order_by(kind.id).limit(BATCH).with_for_update()
            batch = list(
                (await session.execute(statement if last is None else statement.where(kind.id > last))).scalars()
            )
            if not batch:
                break
            outbox.add(session, [_again(one, raise_version) for one in batch], Origin(replayed=True))
            await session.flush()
            count, last = count + len(batch), batch[-1].id
            session.expunge_all()
    return count


async def _erasures(session: Session, raise_version: bool) -> int:
    """Erased customers again: whoever builds a copy anew must not keep them (C8)."""
    if raise_version:
        await run(session, "UPDATE erasure SET erased_version = erased_version + 1")
    found = await run(session, "SELECT customer_id, erased_version FROM erasure ORDER BY customer_id FOR UPDATE")
    for customer_id, version in found:
        tell_erased(session, customer_id, version, Cause(kind="system", id="republish"), Origin(replayed=True))
    return len(found)


def _again(one: Any, raise_version: bool) -> Any:
    event = ITEM_EVENTS[one.kind] if isinstance(one, ClassificationItem) else _EVENTS[type(one)]
    cause = Cause(kind="system", id="republish")
    return one.tell(event, cause) if raise_version else one.state_event(event, cause)
