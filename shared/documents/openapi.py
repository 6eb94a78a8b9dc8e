"""The OpenAPI 3.1 document of a service: what FastAPI sees of its routes, completed by what holds for all.

Refusals, shared headers and parameters stand once, as components. Which headers an answer carries, and
where its `Location` leads, is read from what the route's code calls: nothing is declared twice.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from inspect import unwrap
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from shared.documents.openapi_components import HEADERS, PARAMETERS, SCHEMAS, SECURITY, problem_responses
from shared.documents.operations import operation_name
from shared.documents.prose import for_strangers, summary_and_rest
from shared.documents.text import as_yaml
from shared.http import PREFIX, accepted, created, customer_version, etag

if TYPE_CHECKING:
    from shared.service import Service

_REFUSED_ALWAYS = ("401", "403", "404", "422", "429", "503")
_HEADERS_SET_BY: dict[Callable[..., None], str] = {
    created: "Location",
    accepted: "Location",
    etag: "ETag",
    customer_version: "Customer-Version",
}
_ANSWERS = {
    "200": "As asked",
    "201": "Created: `Location` says where",
    "202": "Taken on: follow the work at `Location`",
    "204": "Done; there is nothing to tell",
}
_UNUSED_SCHEMAS = ("HTTPValidationError", "ValidationError")
_PARAMETER = re.compile(r"{(\w+)}")


@dataclass(frozen=True)
class _Code:
    """What the code of a route touches: functions it calls, and pieces of text."""

    functions: frozenset[Callable[..., Any]]
    texts: frozenset[str]


def openapi_document(service: "Service") -> str:
    """The OpenAPI 3.1 document of a service, as YAML."""
    return as_yaml(openapi_of(service))


def openapi_of(service: "Service") -> dict[str, Any]:
    """The OpenAPI 3.1 document of a service. Operations are named by method and path."""
    app = FastAPI(
        title=service.title,
        description=f"{service.description}\n\n{_MANNERS}",
        version="1",
        generate_unique_id_function=operation_name,
    )
    for router in service.routers:
        app.include_router(router, prefix=PREFIX)
    document = app.openapi()
    routes = [route for router in service.routers for route in router.routes if isinstance(route, APIRoute)]
    document["tags"] = _tags(routes)
    document["security"] = [{"token": []}]
    _complete_components(document)
    items = _items(document)
    for route in routes:
        for method in sorted(route.methods or ()):
            operation = document["paths"][f"{PREFIX}{route.path}"][method.lower()]
            _complete(operation, method, route, items)
    return for_strangers(document)


_MANNERS = (
    "Every path is served through the gateway and by the service itself. Errors are problem details with a "
    "stable `code`; lists are pages with a `next_cursor`; one record carries its version as `ETag`, and a change "
    "may name the version it was made from in `If-Match`. Money is an integer of the currency's minor unit."
)


def _tags(routes: list[APIRoute]) -> list[dict[str, str]]:
    """Each tag, described by the modules its routes are written in."""
    described: dict[str, list[str]] = {}
    for route in routes:
        text = (unwrap(route.endpoint).__globals__.get("__doc__") or "").strip()
        for tag in route.tags:
            texts = described.setdefault(str(tag), [])
            if text not in texts:
                texts.append(text)
    return [{"name": tag, "description": "\n\n".join(texts)} for tag, texts in described.items()]


def _complete_components(document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in _UNUSED_SCHEMAS:
        schemas.pop(unused, None)
    schemas.update(SCHEMAS)
    components |= {"responses": problem_responses(), "headers": HEADERS, "parameters": PARAMETERS}
    components["securitySchemes"] = SECURITY


def _items(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Where one record is read, by the path without its id: the operation and the id's parameter."""
    found: dict[str, dict[str, str]] = {}
    for path, operations in document["paths"].items():
        collection, _, last = path.rpartition("/")
        parameter = _PARAMETER.fullmatch(last)
        if parameter and "get" in operations and not _PARAMETER.search(collection):
            found[collection] = {"operation": operations["get"]["operationId"], "parameter": parameter[1]}
    return found


def _complete(operation: dict[str, Any], method: str, route: APIRoute, items: dict[str, dict[str, str]]) -> None:
    answers = operation.pop("responses")
    operation["summary"], rest = summary_and_rest(route.endpoint)
    operation.pop("description", None)
    if rest:
        operation["description"] = rest
    repeatable = method == "POST" and not getattr(route.endpoint, "reads_only", False)
    given = [_parameter(parameter) for parameter in operation.pop("parameters", [])]
    versioned = any(parameter["name"] == "If-Match" for parameter in given)
    shared = ["WaitFor", *(["IdempotencyKey"] if repeatable else []), "AcceptLanguage"]
    operation["parameters"] = [parameter for parameter in given if parameter["name"] != "Accept-Language"]
    operation["parameters"] += [{"$ref": f"#/components/parameters/{name}"} for name in shared]
    if "requestBody" in operation:
        operation["requestBody"] = operation.pop("requestBody")  # in the order in which people read
    operation["responses"] = {
        **_completed_answers(answers, _code_of(route.endpoint), repeatable, items),
        **_refusals(operation, method, versioned),
    }


def _parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    """A parameter as people write it: FastAPI names headers in lower case."""
    if parameter["in"] == "header":
        parameter["name"] = "-".join(word.capitalize() for word in parameter["name"].split("-"))
    parameter.get("schema", {}).pop("title", None)
    return parameter


def _completed_answers(
    answers: dict[str, Any], code: _Code, repeatable: bool, items: dict[str, dict[str, str]]
) -> dict[str, Any]:
    names = {name for function, name in _HEADERS_SET_BY.items() if function in code.functions}
    welcome = {status: answer for status, answer in answers.items() if status.startswith("2")}
    for status, answer in welcome.items():
        if answer["description"] == "Successful Response":
            answer["description"] = _ANSWERS[status]
        carried = names - {"Location"} if status not in ("201", "202") else names
        if repeatable:
            carried = carried | {"Idempotency-Replayed"}
        if carried:
            answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in sorted(carried)}
        if "Location" in carried:
            answer["links"] = _links(code, items)
    return welcome


def _links(code: _Code, items: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Where `Location` leads, as far as that is one record read by its id."""
    return {
        item["operation"]: {
            "operationId": item["operation"],
            "parameters": {item["parameter"]: "$response.body#/id"},
            "description": "What `Location` names",
        }
        for collection, item in items.items()
        if f"{collection.removeprefix(PREFIX)}/" in code.texts
    }


def _refusals(operation: dict[str, Any], method: str, versioned: bool) -> dict[str, Any]:
    statuses = {*_REFUSED_ALWAYS}
    if method != "GET":
        statuses.add("409")
    if versioned:
        statuses.add("412")
    if "requestBody" in operation:
        statuses.add("413")
        if "multipart/form-data" in operation["requestBody"]["content"]:
            statuses.add("415")
    return {status: {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)}


def _code_of(endpoint: Callable[..., Any]) -> _Code:
    """What a route's function touches, itself or through functions of its service's `api`."""
    package = unwrap(endpoint).__module__.rpartition(".")[0]
    functions: set[Callable[..., Any]] = set()
    texts: set[str] = set()
    waiting = [unwrap(endpoint)]
    while waiting:
        function = waiting.pop()
        if function in functions:
            continue
        functions.add(function)
        if isinstance(function, FunctionType) and function.__module__.startswith(package):
            enclosed = [cell.cell_contents for cell in function.__closure__ or ()]
            texts |= {part for part in enclosed if isinstance(part, str)}
            for code in _with_nested(function.__code__):
                texts |= {part for part in code.co_consts if isinstance(part, str)}
                called = [function.__globals__.get(name) for name in code.co_names]
                waiting += [part for part in called if isinstance(part, FunctionType)]
    return _Code(frozenset(functions), frozenset(texts))


def _with_nested(code: CodeType) -> list[CodeType]:
    return [code, *(part for part in code.co_consts if isinstance(part, CodeType))]
