"""`/customers/search`, `/customers/fields`: lists by any filter, and what a filter may ask."""

from typing import Annotated, Any

from fastapi import Header

from services.customers.api.schemas import FieldList
from services.customers.domain.filter_fields import FIELDS
from shared.http import router
from shared.wording import language_of

search = router("customers")


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
