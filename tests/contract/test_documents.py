"""The checked-in OpenAPI and AsyncAPI documents: what the code says, valid, and complete for a stranger."""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR  # the specification's own meta-schema

from shared.contracts.catalogue import SERVICES, published_by, read_by
from shared.contracts.events import types_on
from shared.documents import asyncapi_document, openapi_document
from shared.envelope import COMPACTION_TICK
from tests.contract.refresh import COMMAND, ROOT

Document = dict[str, Any]

LONGEST_OPERATION_ID = 40
METHODS = ("get", "post", "put", "patch", "delete")

every_service = pytest.mark.parametrize("service", SERVICES)


def checked_in(service: str, kind: str) -> Document:
    """A document as it stands in the repository."""
    return yaml.load((ROOT / "services" / service / f"{kind}.yaml").read_text(), yaml.CSafeLoader)


@pytest.fixture(scope="module")
def openapi() -> dict[str, Document]:
    """The OpenAPI documents by service."""
    return {service: checked_in(service, "openapi") for service in SERVICES}


@pytest.fixture(scope="module")
def asyncapi() -> dict[str, Document]:
    """The AsyncAPI documents by service."""
    return {service: checked_in(service, "asyncapi") for service in SERVICES}


@every_service
def test_the_documents_are_those_of_the_code(service: str) -> None:
    """What is checked in is what the service does."""
    made = import_module(f"services.{service}.app").SERVICE
    folder = Path(ROOT, "services", service)
    remedy = f"run {COMMAND} and commit what it writes"
    assert (folder / "openapi.yaml").read_text() == openapi_document(made), remedy
    asyncapi = asyncapi_document(made.name, made.title, made.description)
    assert (folder / "asyncapi.yaml").read_text() == asyncapi, remedy


@every_service
@pytest.mark.parametrize("kind", ["openapi", "asyncapi"])
def test_every_reference_leads_somewhere(service: str, kind: str) -> None:
    """No `$ref` in a document points at nothing."""
    document = checked_in(service, kind)
    for reference in _references(document):
        assert _resolved(document, reference) is not None, reference


@every_service
def test_openapi_is_valid(service: str, openapi: dict[str, Document]) -> None:
    """OpenAPI 3.1 by its meta-schema, every schema in it JSON Schema 2020-12."""
    document = openapi[service]
    assert document["openapi"].startswith("3.1.")
    assert [str(error) for error in OPENAPI_31_VALIDATOR.iter_errors(json.loads(json.dumps(document)))] == []
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@every_service
def test_limits_of_integers_are_integers(service: str, openapi: dict[str, Document]) -> None:
    """FastAPI keeps limits as floats: a generator of clients would declare fields of the wrong type."""
    limits = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
    seen = [schema for schema in _objects(openapi[service]) if schema.get("type") == "integer"]
    assert seen
    assert [schema for schema in seen if any(isinstance(schema[name], float) for name in limits & set(schema))] == []


def test_operations_are_called_once_in_all_of_rapport(openapi: dict[str, Document]) -> None:
    """A client generated from all four documents has no two methods of one name."""
    names = [operation["operationId"] for document in openapi.values() for _, operation in _operations(document)]
    assert sorted(names) == sorted(set(names))
    assert not [name for name in names if len(name) > LONGEST_OPERATION_ID or not name.isidentifier()]


@every_service
def test_every_operation_is_described(service: str, openapi: dict[str, Document]) -> None:
    """A stranger sees what each call is for, to which part it belongs and what its parameters are."""
    document = openapi[service]
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert all(tags.values())
    for path, operation in _operations(document):
        assert operation["summary"], path
        assert not operation["summary"].endswith("."), path
        assert set(operation["tags"]) <= set(tags), path
        given = {parameter.get("name") for parameter in operation["parameters"]}
        assert {part[1:-1] for part in path.split("/") if part.startswith("{")} <= given, path


@every_service
def test_every_refusal_is_a_problem_with_a_code(service: str, openapi: dict[str, Document]) -> None:
    """Whatever goes wrong, the answer has the same form, and its codes are listed."""
    document = openapi[service]
    for path, operation in _operations(document):
        refusals = {status for status in operation["responses"] if status[0] in "45"}
        assert {"401", "403", "404", "422", "429", "503"} <= refusals, path
        for status in refusals:
            answer = _resolved(document, operation["responses"][status]["$ref"])
            schema = answer["content"]["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}, path
            assert "- `" in answer["description"], f"{status} lists no codes"


@every_service
def test_what_is_made_can_be_followed(service: str, openapi: dict[str, Document]) -> None:
    """201 and 202 say where to go on, in a header and as a link to an operation of this document."""
    document = openapi[service]
    operations = {operation["operationId"]: operation for _, operation in _operations(document)}
    for path, operation in _operations(document):
        for status in {"201", "202"} & operation["responses"].keys():
            answer = operation["responses"][status]
            assert "Location" in answer["headers"], path
            assert answer["links"], f"{path}: {status} links to nothing that can be read"
            for link in answer["links"].values():
                target = operations[link["operationId"]]
                assert set(link["parameters"]) <= {one.get("name") for one in target["parameters"]}, path


@every_service
def test_a_change_under_a_version_says_so(service: str, openapi: dict[str, Document]) -> None:
    """Who may send `If-Match` is told of 412, gets the new version with the record, and reads it where it lies."""
    document = openapi[service]
    for path, operation in _operations(document):
        versioned = any(parameter.get("name") == "If-Match" for parameter in operation["parameters"])
        assert versioned == ("412" in operation["responses"]), path
        read = document["paths"][path].get("get")
        for answer in (operation, read) if versioned else ():
            if answer is not None and "200" in answer["responses"]:
                assert "ETag" in answer["responses"]["200"].get("headers", {}), path


def test_a_customer_answers_its_version_for_other_services(openapi: dict[str, Document]) -> None:
    """Who writes a customer learns what to wait for elsewhere (`Wait-For`)."""
    made = openapi["customers"]["paths"]["/api/v1/customers"]["post"]
    assert {"Customer-Version", "ETag", "Location", "Idempotency-Replayed"} <= set(made["responses"]["201"]["headers"])
    assert {"$ref": "#/components/parameters/WaitFor"} in made["parameters"]


@every_service
def test_asyncapi_has_the_structure_of_version_3(service: str, asyncapi: dict[str, Document]) -> None:
    """The parts that AsyncAPI 3.0 requires, and nothing it does not know."""
    document = asyncapi[service]
    known = {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"}
    assert document["asyncapi"] == "3.0.0"
    assert set(document) <= known
    assert {"title", "version"} <= set(document["info"])
    for server in document["servers"].values():
        assert {"host", "protocol"} <= set(server)
    for name, operation in document["operations"].items():
        assert operation["action"] in ("send", "receive"), name
        channel = _resolved(document, operation["channel"]["$ref"])
        assert operation["channel"]["$ref"].startswith("#/channels/"), name
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{operation['channel']['$ref']}/messages/"), name
        assert len(operation["messages"]) == len(channel["messages"]), name
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@every_service
def test_asyncapi_names_every_topic_and_type_of_the_service(service: str, asyncapi: dict[str, Document]) -> None:
    """What a service writes and reads stands in its document, with partitions and message keys."""
    document = asyncapi[service]
    addresses = {channel["address"]: channel for channel in document["channels"].values()}
    topics = [*published_by(service), *read_by(service)]
    assert set(addresses) == {topic.name for topic in topics}
    for topic in topics:
        channel = addresses[topic.name]
        assert channel["bindings"]["kafka"]["partitions"] == topic.partitions
        assert ("tombstone" in channel["messages"]) == topic.holds_state
        assert {cls.ce_type for cls in types_on(topic)} == set(channel["messages"]) - {"tombstone"}
    for message in document["components"]["messages"].values():
        assert message["bindings"]["kafka"]["key"]["type"] == "string"


@every_service
def test_the_examples_in_asyncapi_are_valid(service: str, asyncapi: dict[str, Document]) -> None:
    """What a reader copies from the document fits the schemas beside it, references followed."""
    document = asyncapi[service]
    for name, message in document["components"]["messages"].items():
        payload = {**message["payload"], "components": document["components"]}
        if name == "tombstone":
            Draft202012Validator(payload).validate(None)
            continue
        (shown,) = message["examples"]
        Draft202012Validator(payload, format_checker=FormatChecker()).validate(shown["payload"])
        trait = _resolved(document, message["traits"][0]["$ref"])
        Draft202012Validator(trait["headers"]).validate(shown["headers"])
        assert shown["headers"]["ce_type"] == name


def test_asyncapi_tells_a_stranger_how_to_hold_a_copy(asyncapi: dict[str, Document]) -> None:
    """Key, versions, tombstones, erasure, what to ignore: nobody needs to ask us, nor to read our code."""
    document = asyncapi["customers"]
    channel = document["channels"]["customers"]
    told = " ".join((document["info"]["description"] + channel["description"]).split())
    for word in (
        "from its first offset",
        "ignore fields you do not know",
        "Ignore records of a `ce_type` you do not know",
        "equal to or higher than the version you hold",
        f"`{COMPACTION_TICK}`",
        "`ce_replayed: true`",
        "tombstone: forget the key",
        "`crm.customer.erased.v1`",
        "A tombstone of the same key follows",
        "`state.state: deleted`",
    ):
        assert word in told, word


def _operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method in operations:
                yield path, operations[method]


def _references(document: Document) -> Iterator[str]:
    return (each["$ref"] for each in _objects(document) if "$ref" in each)


def _objects(part: Any) -> Iterator[Document]:
    """Every object of a document that is no part of an example."""
    if isinstance(part, list):
        for each in part:
            yield from _objects(each)
    elif isinstance(part, dict):
        yield part
        for name, each in part.items():
            if name != "examples":
                yield from _objects(each)


def _resolved(document: Document, reference: str) -> Any:
    assert reference.startswith("#/"), reference
    reached: Any = document
    for step in reference.removeprefix("#/").split("/"):
        reached = reached[step.replace("~1", "/").replace("~0", "~")]
    return reached
