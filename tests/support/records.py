"""Events about employees and customers as other services hear them, with plausible defaults."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from shared.contracts.classification import relationship_id
from shared.contracts.customers import CustomerCreated, CustomerState, Origin
from shared.contracts.directory import EmployeeChanged, EmployeeState
from shared.contracts.documents import DocumentChanged, DocumentLine, DocumentState
from shared.contracts.events import Cause, Money
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


def document(
    customer_id: UUID, document_id: UUID | None = None, *, version: int = 1, amount: int = 1_000, **values: Any
) -> DocumentChanged:
    """A confirmed sales order of one line; `values` replace what is said of it."""
    given: dict[str, Any] = {
        "kind": "order",
        "status": "confirmed",
        "order_type": "sales",
        "ordered_at": BEGINNING,
        "total": Money(amount=amount),
        "lines": (document_line(amount=amount),),
        "state": "active",
        "source_system": "rapport",
        "created_at": BEGINNING,
    }
    state = DocumentState(id=document_id or new_id(), customer_id=customer_id, **(given | values))
    return DocumentChanged(version=version, state=state, cause=BY_SYSTEM)


def document_line(code: str = "XM-PCB40", *, amount: int = 1_000, **values: Any) -> DocumentLine:
    """A line for one piece; `values` replace what is said of it."""
    given: dict[str, Any] = {
        "product_name": f"Hàng {code}",
        "product_group_code": code.partition("-")[0],
        "product_group_name": f"Nhóm {code.partition('-')[0]}",
        "quantity": Decimal(1),
        "unit_price": Money(amount=amount),
        "total": Money(amount=amount),
    }
    return DocumentLine(product_code=code, **(given | values))
