"""The AsyncAPI 3 document of a service: the topics it writes and reads, every message with an example.

Together with README it is all that a reader in another language gets, so it also says how to read:
keys, headers, tombstones, versions, what to ignore.
"""

from typing import Any

from shared.contracts.catalogue import published_by, read_by
from shared.contracts.events import Event, Topic, types_on
from shared.documents import reading
from shared.documents.prose import for_strangers, summary_and_rest
from shared.documents.schemas import event_schemas, example, written_elsewhere
from shared.documents.text import as_yaml
from shared.kafka import COMPACTED, DAY_MS

BINDING_VERSION = "0.5.0"
_SCHEMAS = "#/components/schemas"
_TOMBSTONE = "tombstone"


def asyncapi_document(name: str, title: str, description: str) -> str:
    """The AsyncAPI 3 document of a service, as YAML."""
    return as_yaml(asyncapi_of(name, title, description))


def asyncapi_of(name: str, title: str, description: str) -> dict[str, Any]:
    """The AsyncAPI 3 document of a service: it sends its own topics and receives those it reads."""
    sent, received = published_by(name), read_by(name)
    topics = [*sent, *received]
    classes = [cls for topic in topics for cls in types_on(topic)]
    messages: dict[str, Any] = {cls.ce_type: _message(cls) for cls in classes}
    if any(topic.holds_state for topic in topics):
        messages[_TOMBSTONE] = _tombstone()
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": "1", "description": f"{description}\n\n{reading.GENERAL}"},
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": "127.0.0.1:9092",
                "protocol": "kafka",
                "description": "The broker that `make up` starts, in plaintext; deployments have their own",
            }
        },
        "channels": {_identifier(topic): _channel(topic) for topic in topics},
        "operations": dict(
            [_operation("send", topic, name) for topic in sent]
            + [_operation("receive", topic, name) for topic in received]
        ),
        "components": {
            "messages": messages,
            "schemas": event_schemas(classes, _SCHEMAS),
            "messageTraits": {
                "event": {"headers": reading.OUR_HEADERS, "correlationId": _CORRELATION},
                "report": {"headers": reading.REPORT_HEADERS},
            },
        },
    }
    return for_strangers(document)


_CORRELATION = {
    "description": "The same for all that follows from one request or report",
    "location": "$message.header#/ce_correlationid",
}


def _channel(topic: Topic) -> dict[str, Any]:
    names = [cls.ce_type for cls in types_on(topic)]
    if topic.holds_state:
        names.append(_TOMBSTONE)
    return {
        "address": topic.name,
        "title": topic.name,
        "description": reading.of_topic(topic),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": _configuration(topic),
                "bindingVersion": BINDING_VERSION,
            }
        },
    }


def _configuration(topic: Topic) -> dict[str, Any]:
    if topic.holds_state:
        return {"cleanup.policy": ["compact"], "delete.retention.ms": int(COMPACTED["delete.retention.ms"])}
    assert topic.retention_days is not None, f"{topic.name} does not say when its records are deleted"
    return {"cleanup.policy": ["delete"], "retention.ms": topic.retention_days * DAY_MS}


def _operation(action: str, topic: Topic, service: str) -> tuple[str, dict[str, Any]]:
    channel = _identifier(topic)
    operation: dict[str, Any] = {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": topic.description,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{cls.ce_type}"} for cls in types_on(topic)],
    }
    if topic.holds_state:
        operation["messages"].append({"$ref": f"#/channels/{channel}/messages/{_TOMBSTONE}"})
    if action == "receive":
        group = {"type": "string", "enum": [f"{service}.{topic.name}"]}
        operation["bindings"] = {"kafka": {"groupId": group, "bindingVersion": BINDING_VERSION}}
    return f"{action}_{channel}", operation


def _message(cls: type[Event]) -> dict[str, Any]:
    summary, rest = summary_and_rest(cls)
    shown = example(cls)
    message: dict[str, Any] = {
        "name": cls.ce_type,
        "title": cls.__name__,
        "summary": summary,
        "contentType": "application/json",
        "payload": {"$ref": f"{_SCHEMAS}/{cls.__name__}"},
        "traits": [{"$ref": f"#/components/messageTraits/{'report' if written_elsewhere(cls) else 'event'}"}],
        "bindings": {"kafka": {"key": reading.key_schema(cls.topic), "bindingVersion": BINDING_VERSION}},
        "examples": [
            {
                "name": "example",
                "summary": f"A record with the key `{shown['key']}`",
                "headers": shown["headers"],
                "payload": shown["body"],
            }
        ],
    }
    if rest:
        message["description"] = rest
    return message


def _tombstone() -> dict[str, Any]:
    return {
        "name": _TOMBSTONE,
        "title": "Tombstone",
        "summary": "The key is to be forgotten",
        "description": reading.TOMBSTONE,
        "payload": {"type": "null"},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": BINDING_VERSION}},
    }


def _identifier(topic: Topic) -> str:
    return topic.name.removeprefix("crm.").replace(".", "_").replace("-", "_")
