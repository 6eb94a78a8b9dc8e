"""What may be written to a customer (C7) and how it is brought into shape before any rule looks at it."""

import re
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.errors import Invalid
from shared.fields import Code, Day, LongText, Name, Text
from shared.phones import MAX_PHONES, BadPhone, normalize

MAX_EMAILS = 10
MAX_CHOICES = 200
MAX_VIEWERS = 200

SYSTEM_FIELDS = frozenset(
    {
        "interaction_count", "last_contact", "last_contact_at", "last_two_way_contact", "as_of", "days_left",
        "order_count", "total_revenue", "id", "state", "version", "created_at", "created_by", "updated_at",
        "manager_set_at", "first_closed_at", "remembered_relationship_id", "deleted_at", "origin",
    }
)  # fmt: skip
"""What no caller and no file can write (C6)."""

_EMAIL = re.compile(r"[^@\s,;<>\"']{1,64}@[^@\s,;<>\"']{1,185}\.[^@\s,;<>\"'.]{2,63}")
_STORED = re.compile(r"\+84[1-9]\d{8}")
"""A Vietnamese number in the form it is stored: most of what files and services send."""


def _phone(text: str) -> str:
    if _STORED.fullmatch(text):
        return text
    try:
        return normalize(text)
    except BadPhone:
        raise PydanticCustomError("validation_failed", "not a phone number") from None


def _email(text: str) -> str:
    lowered = text.strip().lower()
    if not _EMAIL.fullmatch(lowered):
        raise PydanticCustomError("validation_failed", "not an e-mail address")
    return lowered


def _distinct(values: list[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


Phones = Annotated[
    list[Annotated[str, Field(max_length=40), AfterValidator(_phone)]],
    Field(max_length=MAX_PHONES),
    AfterValidator(_distinct),
]
Emails = Annotated[
    list[Annotated[str, Field(max_length=254), AfterValidator(_email)]],
    Field(max_length=MAX_EMAILS),
    AfterValidator(_distinct),
]
Choices = Annotated[list[UUID], Field(max_length=MAX_CHOICES), AfterValidator(_distinct)]
EmployeeIds = Annotated[list[UUID], Field(max_length=MAX_VIEWERS), AfterValidator(_distinct)]


class AddressValue(BaseModel):
    """A postal address as a caller gives it; a part left out is unknown."""

    model_config = ConfigDict(extra="forbid")

    line: Text | None = None
    ward: Text | None = None
    district: Text | None = None
    province: Text | None = None
    country: Text | None = None


class CustomerValues(BaseModel):
    """Fields that a caller may set at creation and change later; unset means untouched (C6, C7)."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["person", "company"] = "person"
    name: Name = Field(default=...)
    phones: Phones = []
    emails: Emails = []
    gender: Literal["male", "female", "other"] | None = None
    birth_date: Day | None = None
    occupation: Text | None = None
    income_band: Text | None = None
    company_name: Text | None = None
    tax_code: Text | None = None
    website: Text | None = None
    address: AddressValue | None = None
    description: LongText | None = None
    group_ids: Choices = []
    source_ids: Choices = []
    primary_source_id: UUID | None = None
    sector_ids: Choices = []
    relationship_id: UUID | None = None
    referrer_customer_id: UUID | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_system_fields(cls, given: Any) -> Any:
        if isinstance(given, dict):
            for name in given:
                if name in SYSTEM_FIELDS or (name == "code" and "code" not in cls.model_fields):
                    raise Invalid.at(f"/{name}", "system_field")
        return given

    def given(self) -> dict[str, Any]:
        """The fields the caller named, as attributes of a customer."""
        values = {name: getattr(self, name) for name in self.model_fields_set}
        if isinstance(address := values.get("address"), AddressValue):
            parts = address.model_dump()
            values["address"] = parts if any(parts.values()) else None  # nothing of it is known
        return values


class NewCustomer(CustomerValues):
    """A customer to create. A missing manager means the creator, null means nobody (A1)."""

    code: Code | None = None
    manager_id: UUID | None = None
    viewer_ids: EmployeeIds = []


class CustomerChange(CustomerValues):
    """Changes of a customer (JSON Merge Patch): null clears an optional field."""

    name: Name = ""

    @model_validator(mode="after")
    def _required_stay(self) -> Self:
        for name in ("type", "name", "phones", "emails", "group_ids", "source_ids", "sector_ids", "relationship_id"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise PydanticCustomError("validation_failed", "{field} cannot be null", {"field": name})
        return self
