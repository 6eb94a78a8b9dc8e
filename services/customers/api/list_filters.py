"""The parameters of `GET /customers` as the filter that they stand for: every one given must hold (P4)."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from services.customers.domain.filter_fields import FIELD_BY_NAME
from services.customers.domain.filters import All, Node, OpportunityTest, Test
from shared.fields import Day, PageQuery, Text

Ids = Annotated[list[UUID], Field(max_length=200)]


class CustomerQuery(PageQuery):
    """Common filters as parameters, all of which must hold. Days are inclusive; groups and sectors with all below."""

    q: Text | None = None
    ids: Ids | None = None
    state: Literal["active", "deleted"] = "active"
    group: Ids | None = None
    source: Ids | None = None
    relationship: Ids | None = None
    sector: Ids | None = None
    manager: Ids | None = None
    unassigned: bool | None = None
    created_from: Day | None = None
    created_to: Day | None = None
    last_contact_from: Day | None = None
    last_contact_to: Day | None = None
    days_left_max: Annotated[int, Field(ge=-100_000, le=100_000)] | None = None
    campaign: UUID | None = None
    opportunity_status: Ids | None = None
    sort: Text | None = None

    def node(self) -> Node:
        """The filter."""
        parts: list[Node] = []
        if self.q is not None and self.q.strip():
            parts.append(Test(FIELD_BY_NAME["text"], "words", (self.q,)))
        for name, values in (
            ("id", self.ids),
            ("group_ids", self.group),
            ("source_ids", self.source),
            ("relationship_id", self.relationship),
            ("sector_ids", self.sector),
            ("manager_id", self.manager),
        ):
            if values is not None:
                parts.append(_test(name, "one_of", list(dict.fromkeys(values))))
        if self.unassigned is not None:
            parts.append(_test("unassigned", "is", [self.unassigned]))
        parts += _spans(
            ("created_at", self.created_from, self.created_to),
            ("last_contact_at", self.last_contact_from, self.last_contact_to),
            ("days_left", None, self.days_left_max),
        )
        if self.campaign is not None or self.opportunity_status is not None:
            parts.append(OpportunityTest(self.campaign, tuple(self.opportunity_status or ())))
        return All(tuple(parts))


def _spans(*wanted: tuple[str, date | int | None, date | int | None]) -> list[Node]:
    return [
        _test(name, "within", [lowest, highest])
        for name, lowest, highest in wanted
        if lowest is not None or highest is not None
    ]


def _test(name: str, comparison: Any, values: Sequence[Any]) -> Test:
    return Test(FIELD_BY_NAME[name], comparison, tuple(values))
