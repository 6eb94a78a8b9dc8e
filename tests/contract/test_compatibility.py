"""The check that guards the contracts, proven by variants of one contract that break and that do not."""

from copy import deepcopy
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import Field, create_model

from shared.contracts.events import Event, Instant, Published
from shared.documents.schemas import body_schema, event_schema
from tests.contract.compatibility import breaking_changes
from tests.contract.refresh import complaint, published_types

REQUIRED: Any = ...

ADDRESS: dict[str, Any] = {"line": (str, REQUIRED), "province": (str | None, None)}
STATE: dict[str, Any] = {
    "id": (UUID, REQUIRED),
    "name": (Annotated[str, Field(max_length=100)], REQUIRED),
    "kind": (Literal["person", "company"], REQUIRED),
    "phones": (tuple[str, ...], REQUIRED),
    "gender": (Literal["male", "female"] | None, REQUIRED),
    "born_on": (date | None, REQUIRED),
    "created_at": (Instant, REQUIRED),
    "score": (Annotated[int, Field(ge=0)], 0),
    "options": (dict[str, int], {}),
    "data": (dict[str, Any], {}),
}
GONE = object()


def schema(address: dict[str, Any] | None = None, mode: Any = "serialization", **changes: Any) -> dict[str, Any]:
    """The schema of the contract with changed fields; `address` changes a definition within it."""
    inner = create_model("Address", __base__=Published, **_changed(ADDRESS, address or {}))
    fields = {**STATE, "address": (inner | None, REQUIRED), "addresses": (tuple[inner, ...], REQUIRED)}
    state = create_model("State", __base__=Published, **_changed(fields, changes))
    return body_schema(create_model("Changed", __base__=Published, version=(int, ...), state=(state, ...)), mode)


def _changed(fields: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: field for name, field in (fields | changes).items() if field is not GONE}


BREAKS: dict[str, tuple[dict[str, Any], str]] = {
    "a field is removed": ({"phones": GONE}, "state.phones: was removed or renamed"),
    "an optional field is removed": ({"score": GONE}, "state.score: was removed or renamed"),
    "a field is renamed": ({"name": GONE, "full_name": (str, "")}, "state.name: was removed or renamed"),
    "a new field is required": ({"code": (str, REQUIRED)}, "state.code: is required now"),
    "an optional field is required": ({"score": (Annotated[int, Field(ge=0)], REQUIRED)}, "state.score: is required"),
    "a field may be missing": ({"kind": (Literal["person", "company"], "person")}, "state.kind: may be missing now"),
    "a text becomes a number": ({"name": (int, REQUIRED)}, "state.name: can no longer be string"),
    "a number becomes a whole one": ({"options": (dict[str, bool], {})}, "state.options.*: can no longer be integer"),
    "a whole number gets decimals": ({"score": (float, 0)}, "state.score: can no longer be integer"),
    "nothing is refused": ({"born_on": (date, REQUIRED)}, "state.born_on: can no longer be null"),
    "nothing is possible": ({"name": (str | None, REQUIRED)}, "state.name: can be null now"),
    "a list becomes a text": ({"phones": (str, REQUIRED)}, "state.phones: can no longer be array"),
    "a list's items change": ({"phones": (tuple[int, ...], REQUIRED)}, "state.phones[]: can no longer be string"),
    "a text takes fewer characters": (
        {"name": (Annotated[str, Field(max_length=50)], REQUIRED)},
        "state.name: maxLength was 100 and is 50",
    ),
    "a text needs a character": (
        {"name": (Annotated[str, Field(min_length=1, max_length=100)], REQUIRED)},
        "state.name: minLength was None and is 1",
    ),
    "a number's floor rises": ({"score": (Annotated[int, Field(ge=1)], 0)}, "state.score: minimum was 0 and is 1"),
    "a text gets a pattern": (
        {"name": (Annotated[str, Field(max_length=100, pattern="^A")], REQUIRED)},
        "state.name: pattern was None",
    ),
    "an id becomes any text": ({"id": (str, REQUIRED)}, "state.id: format was 'uuid' and is None"),
    "a day becomes a moment": ({"born_on": (datetime | None, REQUIRED)}, "state.born_on: format was 'date'"),
    "a value is withdrawn": ({"kind": (Literal["person"], REQUIRED)}, "state.kind: no longer knows 'company'"),
    "a value is withdrawn beside nothing": (
        {"gender": (Literal["male"] | None, REQUIRED)},
        "state.gender: no longer knows 'female'",
    ),
    "a free text becomes a choice": ({"name": (Literal["a", "b"], REQUIRED)}, "state.name: takes only 'a', 'b' now"),
    "a default means something else": (
        {"score": (Annotated[int, Field(ge=0)], 5)},
        "state.score: left out, it means 5 and not 0",
    ),
    "free values become typed": ({"data": (dict[str, str], {})}, "state.data.*: can no longer be anything"),
    "a nested field is removed": ({"address": {"province": GONE}}, "state.address.province: was removed"),
    "a nested field is required": ({"address": {"code": (str, REQUIRED)}}, "state.address.code: is required now"),
    "a nested field in a list is narrowed": (
        {"address": {"line": (Literal["a"], REQUIRED)}},
        "state.addresses[].line: takes only 'a' now",
    ),
}

ADDITIONS: dict[str, dict[str, Any]] = {
    "a field with a default": {"code": (str, "")},
    "an optional field": {"code": (str | None, None)},
    "a nested optional field": {"address": {"ward": (str | None, None)}},
    "a further value": {"kind": (Literal["person", "company", "household"], REQUIRED)},
    "a longer text": {"name": (Annotated[str, Field(max_length=200)], REQUIRED)},
    "a lower floor": {"score": (Annotated[int, Field(ge=-10)], 0)},
    "any text instead of a choice": {"kind": (str, REQUIRED)},
    "a description": {"kind": (Annotated[Literal["person", "company"], Field(description="What it is")], REQUIRED)},
    "a field that holds a new definition": {"shipping": (create_model("Place", __base__=Published) | None, None)},
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_is_found_where_it_is(name: str) -> None:
    """Whatever takes something away from who reads or has written, at any depth, is named with its place."""
    changes, expected = BREAKS[name]
    assert expected in "\n".join(breaking_changes(schema(), schema(**changes)))


@pytest.mark.parametrize("name", ADDITIONS)
def test_an_addition_passes(name: str) -> None:
    """What only adds breaks nobody."""
    assert breaking_changes(schema(), schema(**ADDITIONS[name])) == []


def test_who_writes_reports_may_be_given_more_freedom_but_not_less() -> None:
    """A report may leave out or empty a field that was needed; a field it may fill stays."""
    before = schema(mode="validation")
    freer = schema(mode="validation", name=(str | None, None), score=(float, 0))
    assert breaking_changes(before, freer, written_elsewhere=True) == []
    assert breaking_changes(before, freer) != []
    stricter = schema(mode="validation", score=GONE, born_on=(date, REQUIRED))
    assert len(breaking_changes(before, stricter, written_elsewhere=True)) == 2


def test_a_definition_within_itself_is_compared_once() -> None:
    """Trees of values end, and a break inside one is found."""

    def tree(leaf: str) -> dict[str, Any]:
        node = {"type": "object", "properties": {"value": {"type": leaf}, "next": {"$ref": "#/$defs/Node"}}}
        node["properties"]["other"] = {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}
        return {"$defs": {"Node": node}, "$ref": "#/$defs/Node"}

    assert breaking_changes(tree("string"), tree("string")) == []
    assert breaking_changes(tree("string"), tree("integer")) != []


def test_an_unknown_keyword_that_changes_counts_as_a_break() -> None:
    """What the check does not understand is not waved through."""
    before, now = schema(), schema()
    now["$defs"]["State"]["properties"]["phones"]["uniqueItems"] = True
    assert breaking_changes(before, now) == ["state.phones: uniqueItems was None and is True"]


@pytest.mark.parametrize("cls", published_types(), ids=lambda cls: cls.ce_type)
def test_every_loss_in_a_real_contract_is_a_break(cls: type[Event]) -> None:
    """Take any field out of any definition of any published type: the check sees it."""
    whole = event_schema(cls)
    for name, part in {"": whole, **whole.get("$defs", {})}.items():
        for field in part.get("properties", {}):
            lacking = deepcopy(whole)
            definition = lacking["$defs"][name] if name else lacking
            del definition["properties"][field]
            assert breaking_changes(whole, lacking), f"{name}.{field}"
            assert breaking_changes(whole, lacking, written_elsewhere=True), f"{name}.{field}"


def test_the_complaint_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who breaks a contract is told which field, for whom, and to add the next version beside it."""
    cls = published_types()[0]
    richer = event_schema(cls)
    richer["properties"]["mood"] = {"type": "string"}
    monkeypatch.setattr("tests.contract.refresh.golden_schema", lambda _: richer)
    said = complaint(cls)
    assert said is not None
    assert "mood: was removed or renamed" in said
    assert 'type="crm.customer.created.v2"' in said
