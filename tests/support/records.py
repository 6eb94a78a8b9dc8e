"""Events about employees and customers as other services hear them, with plausible defaults."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from shared.contracts.classification import relationship_id
from shared.contracts.customers import CustomerCreated, CustomerState, Origin
from shared.contracts.directory import EmployeeChanged, EmployeeState
from shared.contracts.events import Cause
from shared.envelope import new_id

BEGINNING = datetime(2026, 1, 5, 8, tzinfo=UTC)
BY_SYSTEM = Cause(kind="system")


def employee(employee_id: UUID | None = None, *, version: int = 1, **values: Any) -> EmployeeChanged:
    """An active employee; `values` replace what is said of them."""
    identifier = employee_id or new_id()
    given: dict[str, Any] = {
        "code": f"NV{str(identifier)[-6:]}",
        "name": "Nguyễn Thị Lan",
        "department": None,
        "email": None,
        "phone": None,
        "superior_id": None,
        "active": True,
        "successor_id": None,
        "created_at": BEGINNING,
    }
    return EmployeeChanged(version=version, state=EmployeeState(id=identifier, **(given | values)), cause=BY_SYSTEM)


def customer(customer_id: UUID | None = None, *, version: int = 1, **values: Any) -> CustomerCreated:
    """A live customer for whom nobody is responsible; `values` replace what is said of it."""
    return CustomerCreated(version=version, state=customer_state(customer_id, **values), cause=BY_SYSTEM)


def customer_state(customer_id: UUID | None = None, **values: Any) -> CustomerState:
    """The whole public state of a customer; `values` replace what is said of it."""
    identifier = customer_id or new_id()
    nothing = (
        "gender birth_date occupation income_band company_name tax_code website address description primary_source_id"
        " referrer_customer_id manager_id manager_set_at first_closed_at remembered_relationship_id deleted_at"
    )
    given: dict[str, Any] = dict.fromkeys(nothing.split()) | {
        "code": f"KH{str(identifier)[-6:]}",
        "type": "person",
        "name": "Trần Văn Minh",
        "phones": (),
        "emails": (),
        "group_ids": (),
        "source_ids": (),
        "sector_ids": (),
        "relationship_id": relationship_id("new"),
        "viewer_ids": (),
        "origin": Origin(kind="user"),
        "state": "active",
        "created_at": BEGINNING,
        "created_by": "user/test",
        "updated_at": BEGINNING,
    }
    return CustomerState(id=identifier, **(given | values))
