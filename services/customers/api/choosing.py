"""Which customers a request is about: ids or a filter, the same for assignment, selections and exports."""

from typing import Any
from uuid import UUID

from services.customers.commands.lists import Chosen
from services.customers.domain.filters import parse_filter
from shared.errors import Invalid
from shared.fields import RequestModel


class ChoosingRequest(RequestModel):
    """Either `customer_ids` or a `filter`."""

    customer_ids: list[UUID] | None = None
    filter: dict[str, Any] | None = None

    def chosen(self, most_ids: int, code: str) -> Chosen:
        """What was chosen. Raises Invalid: neither or both, more ids than `most_ids` (with `code`), a bad filter."""
        if (self.customer_ids is None) == (self.filter is None):
            raise Invalid.at("/customer_ids", detail="customer_ids or filter, one of them")
        if self.filter is not None:
            return Chosen(filter=parse_filter(self.filter))
        ids = self.customer_ids or []
        if not ids:
            raise Invalid.at("/customer_ids", detail="at least one")
        if len(ids) > most_ids:
            raise Invalid.at("/customer_ids", code, f"at most {most_ids}")
        return Chosen(customer_ids=ids)
