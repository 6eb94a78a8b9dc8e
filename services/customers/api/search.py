"""`/customers/search`, `/fields`, `/values`: lists by any filter, and what a filter may ask."""

from typing import Annotated, Any

from fastapi import Header, Query, Response

from services.customers.api.pages import page_answer
from services.customers.api.schemas import CustomerList, CustomerSearch, FieldList, ValueList, ValueQuery
from services.customers.domain.filter_fields import FIELDS
from services.customers.domain.filters import parse_filter
from services.customers.queries.customers import list_customers
from services.customers.queries.ordering import Sort
from services.customers.queries.values import list_values
from shared.http import ActorDep, SessionDep, WiringDep, json_text, reads, router
from shared.wording import language_of

search = router("customers")


@search.post("/customers/search", response_model=CustomerList)
@reads
async def post_search(request: CustomerSearch, session: SessionDep, actor: ActorDep, wiring: WiringDep) -> Response:
    """A page of the customers you may see and the filter finds, newest first unless sorted (A2, P2–P5)."""
    node = parse_filter(request.filter)
    sort = Sort.parse(request.sort, "/sort") if request.sort else None
    asked = {"filter": request.filter, "sort": request.sort}
    after = wiring.cursors.read(asked, request.cursor)
    page = await list_customers(session, actor, node, sort, request.limit, after, request.total)
    return page_answer(wiring, asked, page.items, page.last, page.total, page.uncounted)


@search.get("/customers/values", response_model=ValueList)
async def get_customer_values(
    query: Annotated[ValueQuery, Query()],
    session: SessionDep,
    actor: ActorDep,
    accept_language: Annotated[str | None, Header()] = None,
) -> Response:
    """What a field may be compared with, by name: at most 100, so type on (P4).

    Beside the fields of `/customers/fields` with `values`: `opportunity.campaign_id`, `opportunity.status_ids`,
    `opportunity.owner_id`, `purchases.product_codes`, `purchases.product_group_codes`.
    """
    items = await list_values(session, actor, query.field, query.q, language_of(accept_language))
    return json_text(f'{{"items":{items},"next_cursor":null}}')


@search.get("/customers/fields")
async def get_customer_fields(accept_language: Annotated[str | None, Header()] = None) -> FieldList:
    """The fields that filters, sorts and columns know, with what may be asked of each (P4)."""
    language = language_of(accept_language)
    items: list[Any] = [
        {
            "field": field.name,
            "label": field.label(language),
            "type": field.kind,
            "multiple": field.many,
            "operators": field.operators,
            "values": field.has_picklist,
            "sortable": field.sortable,
            "column": field.column,
        }
        for field in FIELDS
    ]
    return FieldList(items=items)
