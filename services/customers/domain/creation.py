"""What holds for a customer from its first moment (C1, C3, A1): one set of rules for objects that the
session follows and for drafts that are only inserted.

A file brings thousands of new customers at once; following every attribute of each was most of what
an import cost. Checks that need other rows are left to commands.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from services.customers.domain.errors import TooManyViewers
from services.customers.domain.relationships import CLOSED, NEW
from services.customers.domain.search_text import search_text
from services.customers.domain.values import MAX_VIEWERS
from shared.contracts.customers import Address, CustomerCreated, CustomerState, Origin
from shared.contracts.events import Cause
from shared.errors import Invalid
from shared.versioned import Versioned

BY_HAND = "user"

_OPTIONAL = (
    "gender", "birth_date", "occupation", "income_band", "company_name", "tax_code", "website", "address",
    "description", "primary_source_id", "referrer_customer_id",
)  # fmt: skip

_PUBLIC = tuple(name for name in CustomerState.model_fields if name not in ("address", "origin"))


class Creation(Versioned):
    """A customer that begins: the columns of `customer` as attributes, whoever holds them."""

    if TYPE_CHECKING:  # declared to the reader only: the mapped class has columns of these names
        id: Any
        code: Any
        name: Any
        phones: Any
        emails: Any
        company_name: Any
        address: Any
        origin_kind: Any
        origin_id: Any
        source_ids: Any
        primary_source_id: Any
        referrer_customer_id: Any
        manager_id: Any
        manager_set_at: Any
        manager_cause_kind: Any
        manager_cause_id: Any
        viewer_ids: Any
        viewers: Any
        search_text: Any

        def __init__(self, **values: Any) -> None: ...

    @classmethod
    def create(
        cls, customer_id: UUID, code: str, values: dict[str, Any], origin: Origin, created_by: str, at: datetime
    ) -> Self:
        """A new customer with relationship New unless another is given (C3); told by `tell_created`."""
        customer = cls(
            **{
                "id": customer_id,
                "code": code,
                "type": "person",
                "phones": [],
                "emails": [],
                "group_ids": [],
                "source_ids": [],
                "sector_ids": [],
                **dict.fromkeys(_OPTIONAL),
                **values,
                "relationship_id": values.get("relationship_id") or NEW,
                "remembered_relationship_id": None,
                "manager_id": None,
                "manager_set_at": None,
                "manager_cause_kind": None,
                "manager_cause_id": None,
                "viewer_ids": [],
                "origin_kind": origin.kind,
                "origin_id": origin.id,
                "state": "active",
                "created_at": at,
                "created_by": created_by,
                "updated_at": at,
                "deleted_at": None,
                "first_closed_at": at if values.get("relationship_id") == CLOSED else None,
                "clock_started_at": at,
                "search_text": "",
                "version": 0,
            }
        )
        if customer.referrer_customer_id == customer_id:
            raise Invalid.at("/referrer_customer_id", detail="a customer cannot refer itself")
        customer.primary_source_id = customer._primary_source(values)
        return customer

    def hand_over_at_creation(
        self, manager_id: UUID | None, creator_id: UUID | None, viewer_ids: Iterable[UUID], at: datetime, cause: Cause
    ) -> None:
        """Who is responsible and who may look from the start (A1): a creator who is not responsible looks.

        Raises TooManyViewers, the creator counted (C3).
        """
        viewers = list(dict.fromkeys(viewer_ids))
        if creator_id is not None and creator_id != manager_id and creator_id not in viewers:
            viewers.append(creator_id)
        if len(viewers) > MAX_VIEWERS:
            raise TooManyViewers
        self.manager_id = manager_id
        self.manager_set_at, self.manager_cause_kind, self.manager_cause_id = at, cause.kind, cause.id
        self.viewers = [self._viewer(employee_id, BY_HAND) for employee_id in viewers]
        self.viewer_ids = self._all_viewers()

    def tell_created(self, cause: Cause) -> CustomerCreated:
        """The first event of the customer."""
        self.search_text = search_text(self)
        return self.tell(CustomerCreated, cause)

    def public_state(self) -> CustomerState:
        """The whole customer as others may know it."""
        return CustomerState(
            **{name: getattr(self, name) for name in _PUBLIC},
            address=Address(**self.address) if self.address else None,
            origin=Origin(kind=self.origin_kind, id=self.origin_id),
        )

    def _primary_source(self, values: dict[str, Any]) -> UUID | None:
        """The first source if none is named; when it is removed, the next oldest (C3)."""
        sources: list[UUID] = values.get("source_ids", self.source_ids)
        named = values["primary_source_id"] if values.get("primary_source_id") else self.primary_source_id
        if values.get("primary_source_id") and named not in sources:
            raise Invalid.at("/primary_source_id", detail="not one of source_ids")
        if named in sources:
            return named
        return next((one for one in [*self.source_ids, *sources] if one in sources), None)

    def _viewer(self, employee_id: UUID, kind: str, cause_id: str = "") -> Any:
        """Why an employee looks at this customer."""
        return DraftViewer(self.id, employee_id, kind, cause_id)

    def _all_viewers(self) -> list[UUID]:
        return sorted({viewer.employee_id for viewer in self.viewers})


@dataclass(frozen=True, slots=True)
class DraftViewer:
    """A viewer of a customer that is not stored yet."""

    customer_id: UUID
    employee_id: UUID
    cause_kind: str
    cause_id: str


class Draft(Creation):
    """A new customer that is inserted by hand-written SQL and then left to the database."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)
