"""Types of request fields: what text, ids and pages may be, stated once for all services."""

from datetime import date
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from shared.cursors import MAX_CURSOR_LENGTH
from shared.errors import RapportError
from shared.folding import composed
from shared.strict_json import text_is_storable

MAX_TEXT = 500
MAX_LONG_TEXT = 10_000
MAX_BULK_ITEMS = 1_000
DEFAULT_PAGE = 50
MAX_PAGE = 200

T = TypeVar("T")


def _storable(text: str) -> str:
    if not text_is_storable(text):
        raise PydanticCustomError("validation_failed", "a text holds NUL or a lone surrogate")
    return text


def _filled(text: str) -> str:
    if not text:
        raise PydanticCustomError("validation_failed", "must not be empty")
    return text


def _written(value: Any) -> Any:
    if not isinstance(value, date) and (not isinstance(value, str) or value[4:5] != "-"):
        raise PydanticCustomError("validation_failed", "a day is YYYY-MM-DD, a time RFC 3339")
    return value


def _bounded_items(items: list[T]) -> list[T]:
    if len(items) > MAX_BULK_ITEMS:
        raise PydanticCustomError("too_many_items", "at most {limit} items", {"limit": MAX_BULK_ITEMS})
    return items


Text = Annotated[str, AfterValidator(_storable), AfterValidator(composed), Field(max_length=MAX_TEXT)]
"""A short text in NFC without surrounding space."""

Name = Annotated[
    str, AfterValidator(_storable), AfterValidator(composed), AfterValidator(_filled), Field(max_length=MAX_TEXT)
]
"""A short text that is not empty."""

LongText = Annotated[str, AfterValidator(_storable), AfterValidator(composed), Field(max_length=MAX_LONG_TEXT)]
"""A text of up to 10,000 characters."""

Code = Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z0-9._-]{1,32}$")]
"""A code as people give it; stored in upper case (C1)."""

Day = Annotated[date, BeforeValidator(_written)]
"""A calendar day, `YYYY-MM-DD`. A number, which pydantic would count as seconds since 1970, is none."""

Moment = Annotated[AwareDatetime, BeforeValidator(_written)]
"""A moment as RFC 3339 with its zone; never a number."""

Items = Annotated[list[T], AfterValidator(_bounded_items), Field(min_length=1)]
"""A bulk request's items: 1 to 1,000."""


class RequestModel(BaseModel):
    """A request body or query: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class PageQuery(RequestModel):
    """Which page of a list, and whether to count all of it (P5)."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE
    cursor: Annotated[str, AfterValidator(_storable), Field(max_length=MAX_CURSOR_LENGTH)] | None = None
    total: bool = False


class Page(BaseModel, Generic[T]):
    """One page of a list; `total` only when asked for."""

    items: list[T]
    next_cursor: str | None = None
    total: int | None = None


class ItemError(BaseModel):
    """Why one item of a bulk request failed."""

    code: str


class ItemResult(BaseModel):
    """What became of one item of a bulk request."""

    index: int
    status: str
    id: UUID | None = None
    error: ItemError | None = None

    @classmethod
    def failed(cls, index: int, error: RapportError | str) -> "ItemResult":
        """The item was refused."""
        return cls(index=index, status="failed", error=ItemError(code=error if isinstance(error, str) else error.code))


class BulkResult(BaseModel, Generic[T]):
    """The answer to a bulk request: an outcome per item, in the order of the request."""

    items: list[T]
    succeeded: int
    failed: int


def bulk(items: list[Any]) -> BulkResult[Any]:
    """Count the outcomes of a bulk request."""
    failed = sum(1 for item in items if item.status == "failed")
    return BulkResult(items=items, succeeded=len(items) - failed, failed=failed)
