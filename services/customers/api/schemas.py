"""Requests and answers of the customers service (shapes; rules are in `domain/`)."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from services.customers.domain.filter_fields import Kind
from services.customers.domain.values import EmployeeIds
from shared.contracts.customers import Address, Origin
from shared.contracts.events import Money
from shared.contracts.interactions import Contact
from shared.cursors import MAX_CURSOR_LENGTH
from shared.fields import DEFAULT_PAGE, MAX_PAGE, Code, Name, PageQuery, RequestModel, Text

FilterObject = Annotated[
    Any,
    WithJsonSchema(
        {
            "type": ["object", "null"],
            "description": (
                'A node: {"and": [nodes]}, {"or": [nodes]}, {"not": node}, {"field", "op", "value"}, '
                '{"purchases": {…}} or {"opportunity": {"campaign_id", "status_ids", "owner_id"}}. '
                "At most 5 deep, 50 nodes, 1,000 values."
            ),
            "examples": [{"field": "interaction_count", "op": "gte", "value": 3}],
        }
    ),
]
"""Checked by `domain/filters.py`, which points at what is wrong."""

SortFields = Annotated[list[Text], Field(max_length=2)] | Text | None
"""At most two fields, `-` before one turns it round: `["-created_at", "name"]` or `-created_at,name`."""


class CustomerRecord(BaseModel):
    """One customer with the numbers that live beside it. `allowed` on single records only."""

    id: UUID
    code: str
    type: Literal["person", "company"]
    name: str
    phones: list[str]
    emails: list[str]
    gender: str | None
    birth_date: date | None
    occupation: str | None
    income_band: str | None
    company_name: str | None
    tax_code: str | None
    website: str | None
    address: Address | None
    description: str | None
    group_ids: list[UUID]
    source_ids: list[UUID]
    primary_source_id: UUID | None
    sector_ids: list[UUID]
    relationship_id: UUID
    remembered_relationship_id: UUID | None
    referrer_customer_id: UUID | None
    manager_id: UUID | None
    manager_set_at: datetime | None
    viewer_ids: list[UUID]
    origin: Origin
    state: Literal["active", "deleted"]
    created_at: datetime
    created_by: str
    updated_at: datetime
    deleted_at: datetime | None
    first_closed_at: datetime | None
    interaction_count: int
    last_contact: Contact | None
    last_two_way_contact: Contact | None
    as_of: datetime
    days_left: int | None
    total_revenue: Money
    order_count: int
    version: int
    allowed: list[str] = []


class PeriodValues(BaseModel):
    """What the orders that a `purchases` filter chooses come to, beside the lifetime's numbers (P3)."""

    total_value: Money
    order_count: int
    quantity: float


class ListedCustomer(CustomerRecord):
    """A customer in a list; `period` where the filter has one `purchases` node."""

    period: PeriodValues | None = None


class CustomerList(BaseModel):
    """One page of customers. A total that was asked for is null when counting them takes too long."""

    items: list[ListedCustomer]
    next_cursor: str | None
    total: int | None = None


class CustomerSearch(RequestModel):
    """A list by a filter; see `/customers/fields` for what it may ask."""

    filter: FilterObject = None
    sort: SortFields = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE
    cursor: Annotated[str, Field(max_length=MAX_CURSOR_LENGTH)] | None = None
    total: bool = False


class FieldAnswer(BaseModel):
    """One field of filters: what may be asked of it, whether lists sort by it and show it."""

    field: str
    label: str
    type: Kind
    multiple: bool
    operators: list[str]
    values: bool
    sortable: bool
    column: bool


class FieldList(BaseModel):
    """All fields."""

    items: list[FieldAnswer]
    next_cursor: None = None


class ValueQuery(RequestModel):
    """A field, and a piece of the name that is looked for."""

    field: Text
    q: Text | None = None


class ValueAnswer(BaseModel):
    """One value of a field; what else is known of it depends on its kind."""

    model_config = ConfigDict(extra="allow")

    value: str
    label: str


class ValueList(BaseModel):
    """Values by name."""

    items: list[ValueAnswer]
    next_cursor: None = None


class ManagerRequest(RequestModel):
    """Who is responsible from now on; null for nobody."""

    employee_id: UUID | None
    keep_previous_as_viewer: bool = False


class ManagerAnswer(BaseModel):
    """The actor may have lost sight of the customer by this, so this is all that is told (A4)."""

    customer_id: UUID
    manager_id: UUID | None
    version: int


class ViewersRequest(RequestModel):
    """The viewers that are named by hand."""

    employee_ids: EmployeeIds


class RestoreRequest(RequestModel):
    """How to restore: without the phones that somebody else has by now, if asked."""

    drop_phones: bool = False


class EmployeeCreate(RequestModel):
    """An employee to add; `id` is the token's `sub`."""

    id: UUID | None = None
    code: Code | None = None
    name: Name
    department: Text | None = None
    email: Annotated[Text, Field(max_length=254)] | None = None
    phone: Annotated[Text, Field(max_length=40)] | None = None
    superior_id: UUID | None = None


class EmployeeChange(RequestModel):
    """Changes of an employee (JSON Merge Patch)."""

    code: Code = ""
    name: Name = ""
    department: Text | None = None
    email: Annotated[Text, Field(max_length=254)] | None = None
    phone: Annotated[Text, Field(max_length=40)] | None = None
    superior_id: UUID | None = None


class EmployeeRecord(BaseModel):
    """An employee; from `email` to `updated_at` for themselves and `directory:manage` only, `allowed` of one record."""

    id: UUID
    code: str
    name: str
    department: str | None
    active: bool
    email: str | None = None
    phone: str | None = None
    superior_id: UUID | None = None
    successor_id: UUID | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    version: int | None = None
    allowed: list[str] | None = None


class EmployeeList(BaseModel):
    """One page of employees."""

    items: list[EmployeeRecord]
    next_cursor: str | None
    total: int | None = None


class EmployeeQuery(PageQuery):
    """Employees by name or code, active or not."""

    q: Text | None = None
    active: bool | None = None


class DeactivateRequest(RequestModel):
    """Who takes over the employee's customers; nobody leaves them where they are."""

    transfer_to: UUID | None = None


AuditOutcome = Literal[
    "applied", "superseded", "has_manager", "inactive_employee", "erased",
    "disabled_choice", "automatic_relationship", "validation_failed",
]  # fmt: skip
"""`applied`, or why a decision changed nothing: an opportunity's owner (K3), or a rule's choice (K5)."""


class AuditEntry(BaseModel):
    """One change, or one decision that changed nothing."""

    at: datetime
    actor: dict[str, str]
    cause: dict[str, str | None]
    event_id: UUID | None
    changes: dict[str, Any]
    outcome: AuditOutcome


class AuditList(BaseModel):
    """One page of the audit trail, newest first."""

    items: list[AuditEntry]
    next_cursor: str | None
    total: int | None = None


class AccessAnswer(BaseModel):
    """Why an employee can see a customer."""

    customer_id: UUID
    employee_id: UUID
    reasons: list[dict[str, Any]]
    also: list[str]


class Me(BaseModel):
    """Who is asking."""

    employee: EmployeeRecord | None
    kind: str
    permissions: list[str]
    language: str


class TenantSettings(BaseModel):
    """Limits and defaults that a front end needs."""

    time_zone: str
    currency: str
    max_page: int
    max_bulk_items: int
    default_relationship_id: UUID
