"""How far erasures are: who has confirmed (C8)."""

from typing import Any
from uuid import UUID

from shared.contracts.work import ERASURES
from shared.database import Session, run
from shared.errors import NotFound

OTHERS = ERASURES.producers
"""Services that keep copies of customers and confirm that they have emptied them."""

_FIND = """
SELECT erasure.customer_id,
       array_remove(array_agg(confirmation.service ORDER BY confirmation.service), NULL) AS services
FROM erasure LEFT JOIN erasure_confirmation confirmation USING (customer_id)
WHERE customer_id = $1 GROUP BY erasure.customer_id
"""


async def read_erasure(session: Session, customer_id: UUID) -> dict[str, Any]:
    """Which services have forgotten the customer. Raises NotFound for who was never erased."""
    found = (await run(session, _FIND, customer_id)).one_or_none()
    if found is None:
        raise NotFound
    complete = set(OTHERS) <= set(found.services)
    return {
        "customer_id": found.customer_id,
        "state": "complete" if complete else "running",
        "confirmed": ["customers", *found.services],
    }
