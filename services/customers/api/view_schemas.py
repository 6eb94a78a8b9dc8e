"""Requests and answers of saved views: order and columns are checked with the fields that lists know."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from services.customers.api.schemas import FilterObject
from services.customers.domain.filter_fields import FIELD_BY_NAME
from shared.fields import Name, PageQuery, RequestModel, Text

MAX_COLUMNS = 50


def _sortable(field: str) -> str:
    known = FIELD_BY_NAME.get(field.removeprefix("-"))
    if known is None or not known.sortable:
        raise PydanticCustomError("validation_failed", "no field that lists are sorted by")
    return field


def _shown(field: str) -> str:
    known = FIELD_BY_NAME.get(field)
    if known is None or not known.column:
        raise PydanticCustomError("validation_failed", "no column of lists")
    return field


def _distinct(fields: list[str]) -> list[str]:
    if len({field.removeprefix("-") for field in fields}) < len(fields):
        raise PydanticCustomError("validation_failed", "the same field twice")
    return fields


ViewSort = Annotated[list[Annotated[Text, AfterValidator(_sortable)]], Field(max_length=2), AfterValidator(_distinct)]
ViewColumns = Annotated[
    list[Annotated[Text, AfterValidator(_shown)]], Field(max_length=MAX_COLUMNS), AfterValidator(_distinct)
]


class ViewCreate(RequestModel):
    """A view to save."""

    name: Name
    shared: bool = False
    filter: FilterObject = None
    sort: ViewSort = []
    columns: ViewColumns = []


class ViewChange(RequestModel):
    """Changes of a view (JSON Merge Patch); a filter is replaced as a whole, null is everything."""

    name: Name = ""
    shared: bool = False
    filter: FilterObject = None
    sort: ViewSort = []
    columns: ViewColumns = []


class ViewRecord(BaseModel):
    """A saved view; `allowed` for its owner."""

    id: UUID
    owner_id: UUID
    name: str
    shared: bool
    filter: dict[str, Any] | None
    sort: list[str]
    columns: list[str]
    created_at: datetime
    updated_at: datetime
    version: int
    allowed: list[str]


class ViewList(BaseModel):
    """One page of views by name."""

    items: list[ViewRecord]
    next_cursor: str | None
    total: int | None = None


class ViewQuery(PageQuery):
    """Your own views and shared ones; `shared` leaves one kind of them."""

    shared: bool | None = None
