"""Conditions ask a customer's public state only, and are refused with the place of what is wrong (K5)."""

from typing import Any
from uuid import UUID

import pytest

from services.campaigns.domain.condition import Facts, check_of, require_supported, trees_in
from shared.errors import Invalid

VIP, GOLD, WEB, SHOPS, HOT = (UUID(int=number) for number in range(1, 6))

MINH = Facts(
    type="person",
    relationship_id=HOT,
    group_ids=frozenset({GOLD}),
    source_ids=frozenset({WEB}),
    primary_source_id=WEB,
    sector_ids=frozenset(),
    has_manager=True,
    province="Đà Nẵng",
    origin="import",
)
SUBTREES = {VIP: frozenset({VIP, GOLD})}


def leaf(field: str, op: str, value: Any) -> dict[str, Any]:
    """One comparison."""
    return {"field": field, "op": op, "value": value}


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        (None, True),
        (leaf("relationship_id", "eq", str(HOT)), True),
        (leaf("relationship_id", "not_in", [str(HOT)]), False),
        (leaf("group_ids", "in", [str(VIP)]), True),
        (leaf("groups", "eq", str(VIP)), True),
        (leaf("group_ids", "ne", str(VIP)), False),
        (leaf("source_ids", "contains", str(SHOPS)), False),
        (leaf("sector_ids", "is_empty", True), True),
        (leaf("sector_ids", "is_empty", False), False),
        (leaf("has_manager", "eq", True), True),
        (leaf("unassigned", "eq", True), False),
        (leaf("address.province", "eq", "da nang"), True),
        (leaf("province", "starts_with", "ĐÀ"), True),
        (leaf("address.province", "contains", "Hà Nội"), False),
        (leaf("type", "in", ["company"]), False),
        (leaf("origin.kind", "eq", "import"), True),
        ({"and": [leaf("type", "eq", "person"), {"not": leaf("has_manager", "eq", False)}]}, True),
        ({"or": [leaf("type", "eq", "company"), leaf("origin", "eq", "api")]}, False),
    ],
)
def test_a_condition_is_met_by_the_state_it_describes(condition: dict[str, Any] | None, met: bool) -> None:
    """K5: groups with everything below them, text without tones, and/or/not as in every filter."""
    require_supported(condition)
    assert check_of(condition, SUBTREES)(MINH) is met


def test_a_condition_tells_whose_subtrees_it_needs() -> None:
    """K5: only groups and sectors are trees; sources and relationships stand for themselves."""
    condition = {"and": [leaf("group_ids", "in", [str(VIP)]), leaf("source_ids", "in", [str(WEB)])]}
    assert trees_in(condition) == {VIP}


@pytest.mark.parametrize(
    ("condition", "code", "pointer"),
    [
        (leaf("interaction_count", "gte", 5), "unsupported_condition", "/condition/field"),
        (leaf("name", "contains", "a"), "unsupported_condition", "/condition/field"),
        ({"purchases": {"status": "purchased"}}, "unsupported_condition", "/condition"),
        ({"and": [leaf("type", "between", ["a", "b"])]}, "unsupported_condition", "/condition/and/0/op"),
        ({"or": []}, "unsupported_condition", "/condition/or"),
        ({}, "unsupported_condition", "/condition"),
        (leaf("group_ids", "in", ["VIP"]), "validation_failed", "/condition/value"),
        (leaf("has_manager", "eq", "yes"), "validation_failed", "/condition/value"),
        (leaf("type", "in", "person"), "validation_failed", "/condition/value"),
        (leaf("sector_ids", "is_empty", 1), "validation_failed", "/condition/value"),
        ({"not": {"not": {"not": {"not": {"not": leaf("type", "eq", "a")}}}}}, "filter_too_large",
         "/condition/not/not/not/not/not"),
        ({"or": [leaf("type", "eq", "person")] * 50}, "filter_too_large", "/condition/or/49"),
        (leaf("type", "in", ["person"] * 1_001), "filter_too_large", "/condition/value"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_with_its_place(condition: dict[str, Any], code: str, pointer: str) -> None:
    """K5: counts, names and purchases are not public state; sizes are limited as in every filter."""
    with pytest.raises(Invalid) as refused:
        require_supported(condition)
    assert refused.value.code == code
    assert refused.value.errors[0].pointer == pointer
