"""Requests and answers about groups, sectors, sources and relationships, and how they are answered."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import msgspec
from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from services.customers.domain.relationships import DEFAULT_COLOR, DEFAULT_FORGET_DAYS
from services.customers.queries.classification import State
from shared.contracts.events import Money
from shared.errors import Invalid
from shared.fields import Code, Day, Name, PageQuery, RequestModel, Text
from shared.http import etag, json_text

MAX_RELATIONSHIPS = 200

Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
ForgetDays = Annotated[int, Field(ge=1, le=3650, strict=True)]
Place = Annotated[int, Field(ge=1, le=MAX_RELATIONSHIPS, strict=True)]
CostKind = Literal["planned", "spent"]
Words = list[Literal["change", "delete", "restore"]]


class ItemQuery(PageQuery):
    """Enabled values or the disabled ones; `q` is part of a name or the beginning of a code."""

    state: State = "active"
    q: Text | None = None


class TreeItemCreate(RequestModel):
    """A group or sector to add; a missing code is made from the name."""

    name: Name
    code: Code | None = None
    parent_id: UUID | None = None


class SourceCreate(RequestModel):
    """A source to add; a missing code is made from the name."""

    name: Name
    code: Code | None = None


class _Change(RequestModel):
    @model_validator(mode="before")
    @classmethod
    def _no_system_fields(cls, given: Any) -> Any:
        if isinstance(given, dict):
            for name in ("id", "code", "key", "state", "version", "customer_count"):
                if name in given:
                    raise Invalid.at(f"/{name}", "system_field")
        return given

    def given(self) -> dict[str, Any]:
        """What the caller named."""
        return self.model_dump(include=self.model_fields_set)


class TreeItemChange(_Change):
    """Another name or parent; null is the top level. The code never changes."""

    name: Name = ""
    parent_id: UUID | None = None


class SourceChange(_Change):
    """Another name. The code never changes."""

    name: Name = ""


class ItemRestore(RequestModel):
    """How to enable again: with the disabled parents above it, if asked."""

    with_parents: bool = False


class TreeItemRecord(BaseModel):
    """A group or sector. Its customers are those you see, its subtree's included; `direct` are its own."""

    id: UUID
    code: str
    name: str
    parent_id: UUID | None
    state: State
    customer_count: int
    direct_customer_count: int
    version: int
    allowed: Words = []


class SourceRecord(BaseModel):
    """A source, with the customers you see that have it, and those whose primary source it is."""

    id: UUID
    code: str
    name: str
    state: State
    customer_count: int
    primary_customer_count: int
    version: int
    allowed: Words = []


class TreeItemList(BaseModel):
    """One page of groups or sectors, by name."""

    items: list[TreeItemRecord]
    next_cursor: str | None
    total: int | None = None


class SourceList(BaseModel):
    """One page of sources, by name."""

    items: list[SourceRecord]
    next_cursor: str | None
    total: int | None = None


class Names(RequestModel):
    """A name in both languages of the product; one left out stays, or is called like the other."""

    vi: Name | None = None
    en: Name | None = None


class RelationshipCreate(RequestModel):
    """A relationship to add: `name` for both languages, or `names` in each; last unless a place is given."""

    name: Name | None = None
    names: Names | None = None
    color: Color = DEFAULT_COLOR
    position: Place | None = None
    forget_after_days: ForgetDays | None = DEFAULT_FORGET_DAYS

    def both_names(self) -> dict[str, str]:
        """What it is called in each language. Raises Invalid without any name."""
        given = {"vi": self.name, "en": self.name}
        if self.names is not None:
            given |= {language: name for language, name in self.names if name is not None}
        one = given["vi"] or given["en"]
        if one is None:
            raise Invalid.at("/name", detail="a name, or names")
        return {language: name or one for language, name in given.items()}


class RelationshipChange(_Change):
    """Other names, colour, place or days; null days: customers in it are never forgotten."""

    name: Name | None = None
    names: Names | None = None
    color: Color = DEFAULT_COLOR
    position: Place = 1
    forget_after_days: ForgetDays | None = None

    @model_validator(mode="after")
    def _names_stay(self) -> Self:
        for name in ("name", "names"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise PydanticCustomError("validation_failed", "{field} cannot be null", {"field": name})
        return self

    def given(self) -> dict[str, Any]:
        """What the caller named; `names` holds the languages that change."""
        values = self.model_dump(include=self.model_fields_set)
        name, names = values.pop("name", None), values.pop("names", None) or {}
        named = {"vi": name, "en": name} | {language: one for language, one in names.items() if one is not None}
        named = {language: one for language, one in named.items() if one is not None}
        return values | ({"names": named} if named else {})


class RelationshipOrder(RequestModel):
    """All enabled relationships in their new order."""

    relationship_ids: Annotated[list[UUID], Field(min_length=1, max_length=MAX_RELATIONSHIPS)]


class RelationshipRecord(BaseModel):
    """A relationship, called as the reader's language has it, with the customers you see in it."""

    id: UUID
    key: str | None
    name: str
    names: dict[str, str]
    color: str
    position: int
    forget_after_days: int | None
    state: State
    customer_count: int
    version: int
    allowed: Words = []


class RelationshipList(BaseModel):
    """Relationships in their order."""

    items: list[RelationshipRecord]
    next_cursor: str | None
    total: int | None = None


class StateQuery(PageQuery):
    """Enabled values, or the disabled ones."""

    state: State = "active"


class CostAmount(RequestModel):
    """Money in the currency's minor unit; none is less than nothing."""

    amount: Annotated[int, Field(ge=0, le=2**53, strict=True)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "VND"


class CostCreate(RequestModel):
    """Money planned or spent for a period; it counts where `from` lies. Without `to` it is that day's."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)

    kind: CostKind
    amount: CostAmount
    first_day: Day = Field(alias="from")
    last_day: Day | None = Field(default=None, alias="to")
    note: Text | None = None

    def values(self) -> dict[str, Any]:
        """The entry's columns."""
        values = self.model_dump(exclude={"amount"}) | self.amount.model_dump()
        return values | {"last_day": self.last_day or self.first_day}


class CostChange(RequestModel):
    """Corrections of an entry (JSON Merge Patch)."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)

    kind: CostKind = "planned"
    amount: CostAmount = CostAmount(amount=0)
    first_day: Day = Field(default=date.min, alias="from")
    last_day: Day = Field(default=date.min, alias="to")
    note: Text | None = None

    def values(self) -> dict[str, Any]:
        """The columns that the caller named."""
        values = self.model_dump(include=self.model_fields_set - {"amount"})
        return values | (self.amount.model_dump() if "amount" in self.model_fields_set else {})


class CostRecord(BaseModel):
    """One entry of what a source costs."""

    id: UUID
    source_id: UUID
    kind: CostKind
    amount: Money
    first_day: date = Field(alias="from")
    last_day: date = Field(alias="to")
    note: str | None
    created_at: datetime
    version: int


class CostList(BaseModel):
    """One page of a source's entries, the latest period first."""

    items: list[CostRecord]
    next_cursor: str | None
    total: int | None = None


class EffectivenessQuery(RequestModel):
    """Which period, days inclusive, and which currency's amounts."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)

    first_day: Day = Field(alias="from")
    last_day: Day = Field(alias="to")
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "VND"


class SourceFigures(BaseModel):
    """What one source cost and brought in a period; null where there is nothing to divide by."""

    source_id: UUID
    code: str
    name: str
    state: State
    customers: int
    any_customers: int
    closed: int
    conversion: float | None
    revenue: Money
    planned: Money
    spent: Money
    cost_per_customer: Money | None
    return_on_cost: float | None


class Effectiveness(BaseModel):
    """Every source's figures, by name."""

    items: list[SourceFigures]


def record_answer(record: dict[str, Any], response: Response) -> Response:
    """One value with its version as ETag."""
    etag(response, record["version"])
    answer = json_text(msgspec.json.encode(record).decode(), response)
    answer.status_code = response.status_code or 200
    return answer
