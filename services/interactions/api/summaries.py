"""`/interaction-summaries`: a customer's count and last contact, why they are so, and the word by hand."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from msgspec import Raw
from pydantic import BaseModel

from services.interactions.api.ledger import LedgerRowResponse
from services.interactions.api.pages import page_json, read_position
from services.interactions.commands.last_contact import set_last_contact
from services.interactions.queries.customers import VisibleCustomer, find_customer
from services.interactions.queries.ledger import count_rows, ledger_page, reasons_of, summary_json
from shared.contracts.interactions import Contact
from shared.fields import Moment, Page, PageQuery, RequestModel
from shared.http import ActorDep, IfMatch, SessionDep, WiringDep, etag, json_text, router

routes = router("interaction-summaries")


class SummaryResponse(BaseModel):
    """A customer's numbers, exact as of `as_of`; the two clocks are independent of the count (L7)."""

    customer_id: UUID
    interaction_count: int
    last_contact: Contact | None
    last_two_way_contact: Contact | None
    as_of: datetime
    ruleset: int
    version: int
    allowed: list[str]


class ActorName(BaseModel):
    """Who did something."""

    kind: str
    id: str


class ContactReason(BaseModel):
    """A contact, and the row of the ledger that tells of it: null for a word by hand (L6)."""

    contact: Contact | None
    row_id: UUID | None


class WordByHand(BaseModel):
    """What somebody said the last contact was, and when they said it. `holds`: it is what is shown (L3)."""

    at: datetime
    said_at: datetime
    actor: ActorName
    holds: bool


class ExplanationResponse(Page[LedgerRowResponse]):
    """Every row with what it contributes, all of which sum to the count, and why the contacts are those (I11).

    Each page of rows carries the whole of the rest; of what was said by hand the latest 20.
    """

    customer_id: UUID
    interaction_count: int
    ruleset: int
    last_contact: ContactReason
    last_two_way_contact: ContactReason
    said_by_hand: list[WordByHand]


class LastContactRequest(RequestModel):
    """When the last contact was; never in the future (L3)."""

    at: Moment


@routes.get("/interaction-summaries/{customer_id}", response_model=SummaryResponse)
async def get_summary(customer_id: UUID, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """Interaction count, last contact and last two-way contact of a customer."""
    customer = await find_customer(session, actor, customer_id)
    body, version = await summary_json(session, customer)
    etag(response, version)
    return json_text(body, response)


@routes.get("/interaction-summaries/{customer_id}/explanation", response_model=ExplanationResponse)
async def get_explanation(
    customer_id: UUID,
    query: Annotated[PageQuery, Query()],
    session: SessionDep,
    actor: ActorDep,
    wiring: WiringDep,
) -> Response:
    """Why count and contacts are what they are: each source object, its facts, its contribution and rule."""
    customer = await find_customer(session, actor, customer_id)
    asked = ["explanation", str(customer.id)]
    after = read_position(wiring.cursors, asked, query.cursor)
    reasons = await reasons_of(session, customer.id)
    page = await ledger_page(session, customer.id, reasons.ruleset, query.limit, after)
    more = {
        "customer_id": customer.id,
        "interaction_count": reasons.interaction_count,
        "ruleset": reasons.ruleset,
        "last_contact": Raw(reasons.last_contact.encode()),
        "last_two_way_contact": Raw(reasons.last_two_way_contact.encode()),
        "said_by_hand": Raw(reasons.said_by_hand.encode()),
        "total": await count_rows(session, customer.id) if query.total else None,
    }
    return json_text(page_json(wiring.cursors, asked, page, more))


@routes.put("/interaction-summaries/{customer_id}/last-contact", response_model=SummaryResponse)
async def put_last_contact(
    customer_id: UUID,
    request: LastContactRequest,
    session: SessionDep,
    actor: ActorDep,
    response: Response,
    expected_version: IfMatch,
) -> Response:
    """Say by hand when the last contact was; contacts that occur later beat it."""
    await set_last_contact(session, actor, customer_id, request.at, expected_version)
    body, version = await summary_json(session, VisibleCustomer(customer_id, changeable=True))
    etag(response, version)
    return json_text(body, response)
