"""JSON Schemas of events, as a stranger should read them: open for fields that a later release adds.

Our own events are described as they are written, what others report as we take it. Definitions are
named by their class and shared, so that a document says what a customer is in one place.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from shared.contracts.events import Event, Published
from shared.documents.prose import for_strangers

DIALECT = "https://json-schema.org/draft/2020-12/schema"
EXAMPLES = Path(__file__).parents[1] / "contracts" / "examples"

Mode: TypeAlias = Literal["validation", "serialization"]

_TEXT_KEYWORDS = frozenset({"type", "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "enum"})


class _PlainSchemas(GenerateJsonSchema):
    """Leaves out the titles that only repeat a field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def event_schema(cls: type[Event]) -> dict[str, Any]:
    """The self-contained schema of one event's body."""
    return {"$schema": DIALECT, "$id": f"urn:rapport:event:{cls.ce_type}", **body_schema(cls, _mode(cls))}


def body_schema(model: type[Published], mode: Mode = "serialization") -> dict[str, Any]:
    """The self-contained schema of a value, as it is written (`serialization`) or taken (`validation`)."""
    return for_strangers(_opened(model.model_json_schema(mode=mode, schema_generator=_PlainSchemas)))


def event_schemas(classes: Sequence[type[Event]], place: str) -> dict[str, Any]:
    """The schemas of several events and all they are made of, by name; `place` is where they will stand."""
    _, document = models_json_schema(
        [(cls, _mode(cls)) for cls in classes], ref_template=f"{place}/{{model}}", schema_generator=_PlainSchemas
    )
    return _opened(document["$defs"])


def example(cls: type[Event]) -> dict[str, Any]:
    """The checked-in example of an event: `key`, `headers` and `body` of one record."""
    return json.loads((EXAMPLES / f"{cls.ce_type}.json").read_text())


def written_elsewhere(cls: type[Event]) -> bool:
    """Whether other people write this event and we read it."""
    return "connectors" in cls.topic.producers


def _mode(cls: type[Event]) -> Mode:
    return "validation" if written_elsewhere(cls) else "serialization"


def _opened(schema: Any) -> Any:
    """Producers forbid unknown fields, readers must not: a later release adds some."""
    if isinstance(schema, list):
        return [_opened(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = schema.get("additionalProperties") is False
    return _nullable(
        {name: _opened(part) for name, part in schema.items() if not (closed and name == "additionalProperties")}
    )


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """`anyOf: [X, null]` as one line, where X is plain: most fields of a record are such."""
    match schema.get("anyOf"):
        case [{"type": str(kind), **rest}, {"type": "null"}] if rest.keys() <= _TEXT_KEYWORDS:
            values = {"enum": [*rest["enum"], None]} if "enum" in rest else {}
            others = {
                name: part for name, part in schema.items() if name != "anyOf" and (name, part) != ("default", None)
            }
            return {"type": [kind, "null"], **rest, **values, **others}
    return schema
