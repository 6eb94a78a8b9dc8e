"""What a filter may say, and where the refusal of a wrong one points."""

from typing import Any

import pytest

from services.customers.domain.filter_fields import FIELDS, OPERATORS
from services.customers.domain.filters import EVERYTHING, FilterTooLarge, leaves, named_campaigns, parse_filter
from services.customers.queries.filter_columns import COLUMNS, joins
from shared.errors import Invalid

CAMPAIGN = "01900000-0000-7000-8000-00000000cafe"
LEAF = {"field": "name", "op": "eq", "value": "An"}


@pytest.mark.parametrize(
    ("node", "pointer", "code"),
    [
        ("x", "/filter", "validation_failed"),
        ([], "/filter", "validation_failed"),
        ({}, "/filter", "validation_failed"),
        ({"and": {}}, "/filter/and", "validation_failed"),
        ({"and": [LEAF, 1]}, "/filter/and/1", "validation_failed"),
        ({"and": [], "or": []}, "/filter", "validation_failed"),
        ({"xor": []}, "/filter/xor", "unknown_field"),
        ({"not": [LEAF]}, "/filter/not", "validation_failed"),
        ({**LEAF, "and": []}, "/filter/and", "unknown_field"),
        ({"field": "nom", "op": "eq", "value": "An"}, "/filter/field", "unknown_field"),
        ({"field": ["name"], "op": "eq", "value": "An"}, "/filter/field", "unknown_field"),
        ({"field": "search_text", "op": "eq", "value": "An"}, "/filter/field", "unknown_field"),
        ({"or": [{"field": "name", "op": "like", "value": "An"}]}, "/filter/or/0/op", "unknown_operator"),
        ({"field": "name", "op": "gte", "value": "An"}, "/filter/op", "unknown_operator"),
        ({"field": "name", "op": ["eq"], "value": "An"}, "/filter/op", "unknown_operator"),
        ({"field": "name", "op": "eq"}, "/filter/value", "required"),
        ({"field": "name", "op": "eq", "value": 1}, "/filter/value", "validation_failed"),
        ({"field": "name", "op": "in", "value": "An"}, "/filter/value", "validation_failed"),
        ({"field": "name", "op": "in", "value": ["An", None]}, "/filter/value/1", "validation_failed"),
        ({"field": "name", "op": "contains", "value": "x" * 501}, "/filter/value", "validation_failed"),
        ({"field": "manager_id", "op": "eq", "value": "binh"}, "/filter/value", "validation_failed"),
        ({"field": "group_ids", "op": "in", "value": ["1"]}, "/filter/value/0", "validation_failed"),
        ({"field": "created_at", "op": "gte", "value": "31/12/2026"}, "/filter/value", "validation_failed"),
        ({"field": "created_at", "op": "gte", "value": "2026-02-30"}, "/filter/value", "validation_failed"),
        ({"field": "created_at", "op": "gte", "value": "2026-02-03T10:00:00"}, "/filter/value", "validation_failed"),
        ({"field": "created_at", "op": "between", "value": ["2026-02-03"]}, "/filter/value", "validation_failed"),
        ({"field": "created_at", "op": "between", "value": ["2026-02-03", 1]}, "/filter/value/1", "validation_failed"),
        ({"field": "interaction_count", "op": "gte", "value": True}, "/filter/value", "validation_failed"),
        ({"field": "interaction_count", "op": "gte", "value": 1.5}, "/filter/value", "validation_failed"),
        ({"field": "interaction_count", "op": "gte", "value": 2**60}, "/filter/value", "validation_failed"),
        (
            {"field": "total_revenue", "op": "gte", "value": {"amount": 1, "currency": "USD"}},
            "/filter/value/currency",
            "validation_failed",
        ),
        ({"field": "type", "op": "eq", "value": "dog"}, "/filter/value", "validation_failed"),
        ({"field": "unassigned", "op": "eq", "value": "yes"}, "/filter/value", "validation_failed"),
        ({"field": "phones", "op": "eq", "value": "abc"}, "/filter/value", "validation_failed"),
        ({"field": "name", "op": "is_empty", "value": 1}, "/filter/value", "validation_failed"),
        ({"opportunity": []}, "/filter/opportunity", "validation_failed"),
        ({"opportunity": {"campaign": CAMPAIGN}}, "/filter/opportunity/campaign", "unknown_field"),
        ({"opportunity": {"campaign_id": "x"}}, "/filter/opportunity/campaign_id", "validation_failed"),
        ({"opportunity": {"status_ids": ["x"]}}, "/filter/opportunity/status_ids/0", "validation_failed"),
        ({"purchases": {"sum": 1}}, "/filter/purchases/sum", "unknown_field"),
        ({"purchases": {"status": "bought"}}, "/filter/purchases/status", "validation_failed"),
        ({"purchases": {"currency": "USD"}}, "/filter/purchases/currency", "validation_failed"),
        ({"purchases": {"ordered_from": "today"}}, "/filter/purchases/ordered_from", "validation_failed"),
        ({"purchases": {"quantity": 3}}, "/filter/purchases/quantity", "validation_failed"),
        ({"purchases": {"quantity": {"gt": 3}}}, "/filter/purchases/quantity/gt", "unknown_operator"),
        ({"purchases": {"total_value": {"gte": "3"}}}, "/filter/purchases/total_value/gte", "validation_failed"),
        ({"purchases": {"product_codes": "A"}}, "/filter/purchases/product_codes", "validation_failed"),
    ],
)
def test_what_is_wrong_is_named_by_its_pointer(node: Any, pointer: str, code: str) -> None:
    """P4: an unknown field, operator or value is refused where it stands."""
    with pytest.raises(Invalid) as refused:
        parse_filter(node)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [(pointer, code)]
    assert refused.value.code == "validation_failed"


@pytest.mark.parametrize(
    "node",
    [
        {"and": [{"and": [{"and": [{"and": [LEAF]}]}]}]} | {},
        {"and": [LEAF] * 49},
        {"and": [{"field": "id", "op": "in", "value": [f"01900000-0000-7000-8000-{n:012x}" for n in range(1_000)]}]},
    ],
)
def test_filters_up_to_the_limits_are_taken(node: Any) -> None:
    """P4: depth 5, 50 nodes and 1,000 values are still answered."""
    assert list(leaves(parse_filter(node)))


@pytest.mark.parametrize(
    "node",
    [
        {"not": {"and": [{"and": [{"and": [{"and": [LEAF]}]}]}]}},
        {"and": [LEAF] * 50},
        {"and": [{"or": []}] * 50},
        {"field": "code", "op": "in", "value": [f"K{number}" for number in range(1_001)]},
        {"purchases": {"product_codes": [f"P{number}" for number in range(1_001)]}},
        {"opportunity": {"status_ids": [f"01900000-0000-7000-8000-{number:012x}" for number in range(1_001)]}},
    ],
)
def test_filters_beyond_the_limits_are_too_large(node: Any) -> None:
    """P4: filter_too_large says what is too much."""
    with pytest.raises(FilterTooLarge) as refused:
        parse_filter(node)
    assert refused.value.code == "filter_too_large"
    assert refused.value.errors[0].pointer.startswith("/filter")


def test_no_filter_is_everything() -> None:
    """P4: a missing filter leaves nothing out."""
    assert parse_filter(None) == EVERYTHING


def test_campaigns_named_in_a_filter_are_known() -> None:
    """K6: an export asks which campaigns a filter names, however deep."""
    node = {"not": {"or": [LEAF, {"opportunity": {"campaign_id": CAMPAIGN}}, {"opportunity": {}}]}}
    assert {str(one) for one in named_campaigns(parse_filter(node))} == {CAMPAIGN}


def test_every_field_has_a_column_and_operators() -> None:
    """P4: what `/customers/fields` offers can be asked."""
    without = {field.name for field in FIELDS} - set(COLUMNS)
    assert without == {"text", "unassigned", "manager_inactive"}
    assert {field.kind for field in FIELDS} == set(OPERATORS)
    assert {field.name for field in FIELDS if field.sortable} <= set(COLUMNS)


def test_a_condition_brings_the_joins_it_needs_in_order() -> None:
    """A relationship's days hang on the customer, which is joined before it."""
    assert joins("s.created_at > $1") == ""
    assert [part.split()[0] for part in joins("r.forget_after_days > 1").split("JOIN ")[1:]] == [
        "customer",
        "relationship",
    ]
