"""`/customers/{id}/erase` and `/erasures/{id}`: forgetting a person, and how far that is (C8)."""

from typing import Literal
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel

from services.customers.commands.erasures import erase_customer
from services.customers.queries.erasures import read_erasure
from shared.http import ActorDep, IfMatch, SessionDep, accepted, router
from shared.identity import ERASE

erasures = router("erasures")


class ErasureRecord(BaseModel):
    """Which services have forgotten the customer; `complete` when all have."""

    customer_id: UUID
    state: Literal["running", "complete"]
    confirmed: list[str]


@erasures.post("/customers/{customer_id}/erase", status_code=202)
async def post_erase(
    customer_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch, response: Response
) -> ErasureRecord:
    """Erase a customer for ever, here at once, elsewhere as each service confirms."""
    await erase_customer(session, actor, customer_id, expected_version)
    accepted(response, f"/erasures/{customer_id}")
    return ErasureRecord(**await read_erasure(session, customer_id))


@erasures.get("/erasures/{customer_id}")
async def get_erasure(customer_id: UUID, session: SessionDep, actor: ActorDep) -> ErasureRecord:
    """How far an erasure is."""
    actor.require(ERASE)
    return ErasureRecord(**await read_erasure(session, customer_id))
