"""What `customers` tells again, by topic, to repair the copies of others (`shared/republishing.py`)."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from services.customers.commands.erasures import tell_erased
from services.customers.domain.classification import ITEM_EVENTS, ClassificationItem
from services.customers.domain.customer import Customer
from services.customers.domain.employee import Employee
from services.customers.domain.relationships import Relationship
from shared.contracts.classification import CLASSIFICATION, RelationshipChanged
from shared.contracts.customers import CUSTOMERS, CustomerUpdated
from shared.contracts.directory import DIRECTORY, EmployeeChanged
from shared.contracts.events import Cause
from shared.database import Session, run
from shared.republishing import REPLAYED, Source, rows_of

_CAUSE = Cause(kind="system", id="republish")

_EVENTS: dict[type[Any], type[Any]] = {
    Customer: CustomerUpdated,
    Employee: EmployeeChanged,
    Relationship: RelationshipChanged,
}

_ERASURES = """
WITH held AS (
    SELECT customer_id FROM erasure WHERE customer_id > $1 ORDER BY customer_id LIMIT $2 FOR UPDATE
),
raised AS (
    UPDATE erasure AS stored SET erased_version = erased_version + $3
    FROM held WHERE stored.customer_id = held.customer_id
    RETURNING stored.customer_id, erased_version
)
SELECT customer_id, erased_version FROM raised ORDER BY customer_id
"""


async def _erasures(session: Session, after: UUID, limit: int, raise_by: int) -> list[UUID]:
    """Erased customers again: whoever builds a copy anew must not keep them (C8)."""
    found = (await run(session, _ERASURES, after, limit, raise_by)).all()
    for customer_id, version in found:
        tell_erased(session, customer_id, version, _CAUSE, REPLAYED)
    return [customer_id for customer_id, _ in found]


def _again(one: Any) -> Any:
    event = ITEM_EVENTS[one.kind] if isinstance(one, ClassificationItem) else _EVENTS[type(one)]
    return one.state_event(event, _CAUSE)


SOURCES: Mapping[str, Sequence[Source]] = {
    CUSTOMERS.name: (_erasures, rows_of(Customer, _again)),
    DIRECTORY.name: (rows_of(Employee, _again),),
    CLASSIFICATION.name: (rows_of(Relationship, _again), rows_of(ClassificationItem, _again)),
}
