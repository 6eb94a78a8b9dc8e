"""`/documents`: orders, quotations, contracts and receipts, told by services or written by people (P1)."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from services.interactions.api.pages import page_json, read_position
from services.interactions.commands.documents import delete_document, post_document, revise_document
from services.interactions.domain.document import (
    MAX_CODE,
    MAX_EXTERNAL_ID,
    MAX_EXTERNAL_VERSION,
    MAX_NAME,
    MAX_QUANTITY,
    QUANTITY_PLACES,
    Document,
)
from services.interactions.queries.customers import find_customer
from services.interactions.queries.documents import (
    count_documents,
    document_json,
    documents_page,
    written_document_json,
)
from services.interactions.queries.pages import CreatedSort
from shared.contracts.documents import DocumentBody, DocumentKind, DocumentLine, DocumentStatus, OrderType
from shared.contracts.events import Money
from shared.database import Session
from shared.fields import Moment, Name, Page, PageQuery, RequestModel, Text
from shared.http import ActorDep, IfMatch, SessionDep, WiringDep, created, etag, json_text, router

MAX_LINES = 1_000

routes = router("documents")

Code = Annotated[Name, Field(max_length=MAX_CODE)]
Title = Annotated[Name, Field(max_length=MAX_NAME)]


class Total(Money):
    """What a document is worth in all; a return says what it returns."""

    amount: Annotated[int, Field(ge=0, le=2**53)]


class LineRequest(RequestModel):
    """One line of a document; `total` is taken as it is."""

    product_code: Code
    product_name: Title
    product_group_code: Code | None = None
    product_group_name: Title | None = None
    quantity: Annotated[
        Decimal, Field(ge=0, le=MAX_QUANTITY, max_digits=15, decimal_places=QUANTITY_PLACES, allow_inf_nan=False)
    ]
    unit_price: Money
    total: Money


Lines = Annotated[list[LineRequest], Field(max_length=MAX_LINES)]


class DocumentRequest(RequestModel):
    """A document as its author states it. An order sells unless it says otherwise, and was made now.

    A service gives its own id and version: the higher version wins, whatever comes first.
    """

    customer_id: UUID
    kind: DocumentKind
    number: Annotated[Text, Field(max_length=MAX_NAME)] | None = None
    status: DocumentStatus = "draft"
    order_type: OrderType | None = None
    ordered_at: Moment | None = None
    lines: Lines = []
    total: Total
    return_of: UUID | None = None
    external_id: Annotated[Name, Field(max_length=MAX_EXTERNAL_ID)] | None = None
    external_version: Annotated[int, Field(ge=0, le=MAX_EXTERNAL_VERSION)] | None = None


class DocumentChanges(RequestModel):
    """What to change of a document (JSON Merge Patch). The defaults only mark what was left out."""

    number: Annotated[Text, Field(max_length=MAX_NAME)] | None = None
    status: DocumentStatus = "draft"
    ordered_at: Moment | None = None
    lines: Lines = []
    total: Total = Total(amount=0)


class LineResponse(BaseModel):
    """One line of a document."""

    product_code: str
    product_name: str
    product_group_code: str | None
    product_group_name: str | None
    quantity: float
    unit_price: Money
    total: Money


class DocumentResponse(BaseModel):
    """A document. `source_system` is the service that tells it; `rapport` for those written here."""

    id: UUID
    customer_id: UUID
    kind: DocumentKind
    number: str | None
    status: DocumentStatus
    order_type: OrderType | None
    ordered_at: datetime | None
    lines: list[LineResponse]
    total: Money
    return_of: UUID | None
    source_system: str
    external_id: str | None
    external_version: int | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    version: int
    allowed: list[str]


class DocumentsQuery(PageQuery):
    """A page of one customer's documents; `kind` and `status` may be repeated."""

    customer_id: UUID
    kind: Annotated[list[DocumentKind], Field(max_length=4)] = []
    status: Annotated[list[DocumentStatus], Field(max_length=4)] = []
    sort: CreatedSort = "-created_at"


@routes.post(
    "/documents",
    status_code=201,
    response_model=DocumentResponse,
    responses={200: {"model": DocumentResponse, "description": "Known already: as it is stored now"}},
)
async def post_documents(
    request: DocumentRequest, session: SessionDep, actor: ActorDep, response: Response
) -> Response:
    """Write a document: who may change the customer, or a service with `documents:write`, which tells it again so."""
    written = await post_document(session, actor, DocumentBody.model_validate(request.model_dump()))
    if written.created:
        created(response, f"/documents/{written.document.id}")
    answer = await _answer(session, written.document, response)
    answer.status_code = 201 if written.created else 200
    return answer


@routes.get("/documents", response_model=Page[DocumentResponse])
async def list_documents(
    query: Annotated[DocumentsQuery, Query()], session: SessionDep, actor: ActorDep, wiring: WiringDep
) -> Response:
    """The documents of a customer, newest first unless asked otherwise."""
    customer = await find_customer(session, actor, query.customer_id)
    kinds, statuses = list[str](query.kind), list[str](query.status)
    asked = ["documents", str(customer.id), query.sort, *kinds, "", *statuses]
    after = read_position(wiring.cursors, asked, query.cursor)
    page = await documents_page(session, actor, customer, kinds, statuses, query.sort, query.limit, after)
    total = await count_documents(session, customer, kinds, statuses) if query.total else None
    return json_text(page_json(wiring.cursors, asked, page, {"total": total}))


@routes.get("/documents/{document_id}", response_model=DocumentResponse)
async def get_document(document_id: UUID, session: SessionDep, actor: ActorDep, response: Response) -> Response:
    """One document."""
    body, version = await document_json(session, actor, document_id)
    etag(response, version)
    return json_text(body, response)


@routes.patch("/documents/{document_id}", response_model=DocumentResponse)
async def patch_document(
    document_id: UUID,
    request: DocumentChanges,
    session: SessionDep,
    actor: ActorDep,
    response: Response,
    expected_version: IfMatch,
) -> Response:
    """Correct a document by hand: confirm, complete or cancel it, or say what it holds."""
    document = await revise_document(session, actor, document_id, _changes(request), expected_version)
    return await _answer(session, document, response)


@routes.delete("/documents/{document_id}", status_code=204)
async def remove_document(document_id: UUID, session: SessionDep, actor: ActorDep, expected_version: IfMatch) -> None:
    """Take a document away; it is summed up no more, but was a contact (L5)."""
    await delete_document(session, actor, document_id, expected_version)


def _changes(request: DocumentChanges) -> dict[str, Any]:
    values = {name: getattr(request, name) for name in DocumentChanges.model_fields if name in request.model_fields_set}
    if "lines" in values:
        values["lines"] = tuple(DocumentLine.model_validate(line.model_dump()) for line in request.lines)
    if "total" in values:
        values["total"] = Money(amount=request.total.amount, currency=request.total.currency)
    return values


async def _answer(session: Session, document: Document, response: Response) -> Response:
    await session.flush()
    body, version = await written_document_json(session, document.customer_id, document.id)
    etag(response, version)
    return json_text(body, response)
