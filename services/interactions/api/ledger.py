"""`/interactions`: what happened with a customer, newest first."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel

from services.interactions.api.pages import page_json, read_position
from services.interactions.queries.customers import find_customer
from services.interactions.queries.ledger import count_rows, ledger_page, ruleset_of
from shared.fields import Page, PageQuery
from shared.http import ActorDep, SessionDep, WiringDep, json_text, router

routes = router("interactions")


class LedgerFactResponse(BaseModel):
    """One fact of a row."""

    fact: str
    occurred_at: datetime


class LedgerRowResponse(BaseModel):
    """One source object: what it counts, by which rule, and the facts that say so (I11).

    `occurred_at` is its first fact, `last_fact_at` its latest; of many facts the latest 100 are shown.
    `contact_at` and `two_way_contact_at` are the latest contact it tells of, an e-mail's row also of clicks in it.
    """

    id: UUID
    customer_id: UUID
    kind: str
    source_system: str
    source_id: str
    link: str | None
    direction: Literal["inbound", "outbound"] | None
    employee_id: UUID | None
    occurred_at: datetime
    last_fact_at: datetime
    contribution: int
    rule: str
    ruleset: int
    contact_at: datetime | None
    two_way_contact_at: datetime | None
    facts: list[LedgerFactResponse]


class LedgerQuery(PageQuery):
    """A page of one customer's ledger."""

    customer_id: UUID


@routes.get("/interactions", response_model=Page[LedgerRowResponse])
async def get_interactions(
    query: Annotated[LedgerQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """The ledger of a customer, newest first by when each source object began."""
    customer = await find_customer(session, actor, query.customer_id)
    asked = ["interactions", str(customer.id)]
    after = read_position(wiring.cursors, asked, query.cursor)
    ruleset = await ruleset_of(session, customer.id)
    page = await ledger_page(session, customer.id, ruleset, query.limit, after)
    total = await count_rows(session, customer.id) if query.total else None
    return json_text(page_json(wiring.cursors, asked, page, {"total": total}))
