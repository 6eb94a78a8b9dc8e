"""Every published type: its golden schema, its example, and what holds for all of them."""

import json
from typing import Any, get_args

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError as SchemaError
from pydantic import BaseModel, ValidationError

from shared.contracts.customers import CustomerErased
from shared.contracts.events import Event, Published, StateEvent
from shared.documents.reading import OUR_HEADERS, REPORT_HEADERS
from shared.documents.schemas import event_schema, example, written_elsewhere
from shared.envelope import decode
from tests.contract.refresh import COMMAND, EXAMPLES, SCHEMAS, complaint, golden_schema, published_types

every_type = pytest.mark.parametrize("cls", published_types(), ids=lambda cls: cls.ce_type)
STATE_TYPES = [cls for cls in published_types() if cls.topic.holds_state]
every_state_type = pytest.mark.parametrize("cls", STATE_TYPES, ids=lambda cls: cls.ce_type)


def _headers(shown: dict[str, Any]) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in shown["headers"].items()]


def _body(shown: dict[str, Any]) -> bytes:
    return json.dumps(shown["body"], ensure_ascii=False).encode()


@every_type
def test_a_contract_breaks_nobody(cls: type[Event]) -> None:
    """A class may only grow against its checked-in schema."""
    assert (said := complaint(cls)) is None, said


@every_type
def test_the_golden_schema_is_the_class(cls: type[Event]) -> None:
    """What is checked in says all that the class says."""
    assert golden_schema(cls) == event_schema(cls), f"{cls.ce_type} has grown: run {COMMAND} and commit what it writes"


def test_no_type_is_withdrawn() -> None:
    """A schema and an example that lost their class would break everybody who reads the type."""
    names = {cls.ce_type for cls in published_types()}
    for folder in (SCHEMAS, EXAMPLES):
        assert {path.stem for path in folder.glob("*.json")} == names


def test_type_names_are_said_once_and_say_their_version() -> None:
    """A type means one thing on one topic: `crm.<noun>.<past tense>.v<number>`."""
    names = [cls.ce_type for cls in published_types()]
    assert len(names) == len(set(names))
    for name in names:
        assert len(name.split(".")) == 4, name
        assert name.startswith("crm."), name
        assert name.rpartition(".v")[2].isdecimal(), name


@every_type
def test_the_example_is_valid_by_its_schema(cls: type[Event]) -> None:
    """Who validates by our schema and headers accepts our records."""
    shown = example(cls)
    assert set(shown) == {"key", "headers", "body"}
    Draft202012Validator(event_schema(cls), format_checker=FormatChecker()).validate(shown["body"])
    headers = REPORT_HEADERS if written_elsewhere(cls) else OUR_HEADERS
    Draft202012Validator(headers, format_checker=FormatChecker()).validate(shown["headers"])
    assert set(shown["headers"]) <= set(headers["properties"])


@every_type
def test_the_example_comes_back_unchanged(cls: type[Event]) -> None:
    """Read by our own decoder and written again, a record is the same, and its key is the body's."""
    shown = example(cls)
    envelope = decode(cls.topic, shown["key"].encode(), _body(shown), _headers(shown))
    assert isinstance(envelope.event, cls)
    assert json.loads(envelope.event.model_dump_json()) == shown["body"], f"run {COMMAND}"
    assert envelope.event.key == shown["key"] == envelope.key
    assert envelope.event.key_version == shown["body"].get("version")


@every_type
def test_the_cloudevents_sdk_reads_the_example(cls: type[Event]) -> None:
    """Binary mode as the specification's own library understands it."""
    shown = example(cls)
    event = from_binary(KafkaMessage(dict(_headers(shown)), shown["key"].encode(), _body(shown)), JSONFormat())
    assert event.get_specversion() == "1.0"
    assert (event.get_type(), event.get_id()) == (cls.ce_type, shown["headers"]["ce_id"])
    assert event.get_datacontenttype() == "application/json"
    assert event.get_data() == shown["body"]
    if not written_elsewhere(cls):
        assert event.get_source() in [f"/rapport/{service}" for service in cls.topic.producers]
        assert event.get_subject() == shown["key"] == event.get_extension("partitionkey")
        assert event.get_time() is not None


@every_type
def test_producers_are_strict_and_readers_lenient(cls: type[Event]) -> None:
    """A typing mistake never leaves a service; a field from a later release never stops a reader."""
    body = example(cls)["body"]
    later = body | {"field_of_a_later_release": 1}
    with pytest.raises(ValidationError):
        cls.model_validate(later)
    parsed = cls.parse(json.dumps(_everywhere(later)).encode())
    assert json.loads(parsed.model_dump_json()) == _as_read(cls, body)
    Draft202012Validator(event_schema(cls)).validate(later)


@every_type
def test_a_reader_is_not_told_that_nonsense_is_valid(cls: type[Event]) -> None:
    """The schema refuses what the class refuses: a body without its first required field."""
    body = example(cls)["body"]
    needed = event_schema(cls)["required"][0]
    lacking = {name: value for name, value in body.items() if name != needed}
    with pytest.raises(SchemaError):
        Draft202012Validator(event_schema(cls)).validate(lacking)
    with pytest.raises(ValidationError):
        cls.model_validate(lacking)


@every_state_type
def test_every_key_of_a_state_is_always_there(cls: type[Event]) -> None:
    """A reader never has to ask whether a field is missing or empty: nothing is left out when it is written."""
    state = cls.model_fields["state"].annotation
    assert isinstance(state, type)
    assert issubclass(state, Published)
    written = json.loads(cls.parse(_body(example(cls))).model_dump_json())
    assert set(written["state"]) == set(state.model_fields)
    assert {"version", "state", "cause"} <= set(written)
    assert issubclass(cls, CustomerErased) or {"changed", "before"} <= set(written)
    for model in _models_in(state):
        ours = model.model_config
        assert not ours.get("exclude_none")
        assert not any(field.exclude for field in model.model_fields.values()), model


@every_state_type
def test_what_changed_is_named_as_it_was(cls: type[Event]) -> None:
    """`before` holds the old value of exactly what `changed` names, and `changed` names keys of the state."""
    body = example(cls)["body"]
    assert set(body.get("before", ())) == set(body.get("changed", ())) <= set(body["state"])


def test_whole_state_travels_on_compacted_topics_only() -> None:
    """Compaction keeps the last record of a key: there it must be enough, and elsewhere it must not be needed."""
    for cls in published_types():
        assert cls.topic.holds_state == (issubclass(cls, StateEvent | CustomerErased)), cls.ce_type


def _everywhere(part: Any) -> Any:
    """The same with an unknown field in every object that has a fixed set of them."""
    if isinstance(part, list):
        return [_everywhere(each) for each in part]
    if not isinstance(part, dict):
        return part
    free = ("before", "values", "old", "current", "options", "data")
    known = {name: each if name in free else _everywhere(each) for name, each in part.items()}
    return known | {"field_of_a_later_release": {"deep": True}}


def _as_read(cls: type[Event], body: dict[str, Any]) -> Any:
    return json.loads(cls.model_validate(body).model_dump_json())


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        inner = [field.annotation for field in annotation.model_fields.values()]
        return [annotation, *(model for part in inner for model in _models_in(part))]
    return [model for part in get_args(annotation) for model in _models_in(part)]
