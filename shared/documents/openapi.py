"""The documents that tell other people how to talk to a service: OpenAPI 3.1 and AsyncAPI 3.

Both are made from the code and checked in; a test makes them again and compares.
"""

from typing import TYPE_CHECKING, Any

import yaml
from fastapi import FastAPI

from shared.contracts.catalogue import published_by, read_by
from shared.contracts.events import Event, Topic, types_on
from shared.http import PREFIX
from shared.problems import status_of

if TYPE_CHECKING:
    from shared.service import Service

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "errors", "trace_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; programs decide by it"},
        "detail": {"type": "string", "description": "For people, by Accept-Language (vi, en)"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
        "trace_id": {"type": "string"},
    },
}
_REFUSALS = {
    "401": "No valid token",
    "403": "Not allowed, or the employee is inactive",
    "404": "Unknown or invisible",
    "413": "The body is too large",
    "422": "The request is not valid",
    "429": "Too many requests",
    "503": "Away for a moment",
}
_WRITE_REFUSALS = {"409": "The stored state does not allow it", "412": "The record has changed since it was read"}

_HEADERS = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type"],
    "properties": {
        "content-type": {"type": "string", "const": "application/json", "description": "None on a tombstone"},
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string", "maxLength": 256, "description": "Unique per ce_source"},
        "ce_source": {"type": "string", "description": "/rapport/<service>, or the connector's allowed name"},
        "ce_type": {"type": "string"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_subject": {"type": "string", "description": "The record's key"},
        "ce_correlationid": {"type": "string"},
        "ce_causationid": {"type": "string"},
        "ce_actorkind": {"type": "string", "enum": ["user", "service", "system"]},
        "ce_actorid": {"type": "string"},
        "ce_automationdepth": {"type": "string"},
        "ce_replayed": {"type": "string", "const": "true", "description": "The state was said before"},
        "traceparent": {"type": "string"},
    },
}


def openapi_document(service: "Service") -> str:
    """The OpenAPI 3.1 document of a service, as YAML."""
    app = FastAPI(title=service.title, description=service.description, version="1")
    for router in service.routers:
        app.include_router(router, prefix=PREFIX)
    document = app.openapi()
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    document["security"] = [{"token": []}]
    for operations in document["paths"].values():
        for method, operation in operations.items():
            _complete(method, operation)
    return _yaml(document)


def asyncapi_document(name: str, title: str, description: str) -> str:
    """The AsyncAPI 3 document of a service: the topics it writes and reads, with every message's schema."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for action, topics in (("send", published_by(name)), ("receive", read_by(name))):
        for topic in topics:
            channel = _identifier(topic.name)
            channels[channel] = _channel(topic)
            operations[f"{action}_{channel}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{channel}"},
                "summary": topic.description,
            }
            for cls in types_on(topic):
                messages[cls.ce_type] = _message(cls)
                schemas[cls.ce_type] = _schema(cls)
    return _yaml(
        {
            "asyncapi": "3.0.0",
            "info": {"title": title, "version": "1", "description": f"{description}\n\n{_READING}"},
            "defaultContentType": "application/json",
            "channels": channels,
            "operations": operations,
            "components": {
                "messages": messages,
                "schemas": schemas,
                "messageTraits": {"cloudEvent": {"headers": _HEADERS}},
            },
        }
    )


_READING = (
    "CloudEvents 1.0 in Kafka binary mode: attributes are headers with the prefix `ce_`, the body is JSON. "
    "A record of a compacted topic carries the whole state of its key: read from the start, keep the last "
    "record of every key, skip a record whose `version` is lower than the one you hold, forget a key at a "
    "record without a body (tombstone), and ignore tombstones of unknown keys. Ignore unknown fields and "
    "types. Records of topics that are deleted by age are history; a record may come twice: know it by "
    "`ce_source` and `ce_id`."
)


def _complete(method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    refusals = _REFUSALS if method == "get" else _REFUSALS | _WRITE_REFUSALS
    for status, meaning in refusals.items():
        responses[status] = {
            "description": meaning,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    assert status_of("validation_failed") == 422
    parameters = operation.setdefault("parameters", [])
    parameters.append(
        {
            "name": "Wait-For",
            "in": "header",
            "required": False,
            "schema": {"type": "string"},
            "description": "`<customer id>:<version>`, up to 50: answer when this service has seen them (at most 2 s)",
        }
    )
    if method == "post":
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "minLength": 1, "maxLength": 128},
                "description": "A repeated request with the same key gets the first answer (24 h)",
            }
        )


def _channel(topic: Topic) -> dict[str, Any]:
    kept = "compacted" if topic.holds_state else f"deleted after {topic.retention_days} days"
    return {
        "address": topic.name,
        "description": f"{topic.description} Key: {topic.key}. Records are {kept}.",
        "messages": {cls.ce_type: {"$ref": f"#/components/messages/{cls.ce_type}"} for cls in types_on(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {"cleanup.policy": [topic.cleanup]},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(cls: type[Event]) -> dict[str, Any]:
    return {
        "name": cls.ce_type,
        "title": cls.__name__,
        "summary": (cls.__doc__ or "").strip(),
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{cls.ce_type}"},
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
    }


def _schema(cls: type[Event]) -> dict[str, Any]:
    """A self-contained schema: definitions stay inside, so that two types never share a name by accident."""
    schema = cls.model_json_schema(
        mode="serialization", ref_template=f"#/components/schemas/{cls.ce_type}/$defs/{{model}}"
    )
    return _without_closed_objects(schema)


def _without_closed_objects(schema: Any) -> Any:
    """Producers forbid unknown fields, readers must not: a later release adds some."""
    if isinstance(schema, dict):
        return {
            name: _without_closed_objects(part)
            for name, part in schema.items()
            if not (name == "additionalProperties" and part is False)
        }
    return [_without_closed_objects(part) for part in schema] if isinstance(schema, list) else schema


def _identifier(topic: str) -> str:
    return topic.removeprefix("crm.").replace(".", "_").replace("-", "_")


def _yaml(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    """Writes no aliases: every part stands where it is read."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
