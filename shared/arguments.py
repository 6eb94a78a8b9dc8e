"""What a route's function is called with: found once when the route is made, not searched for by every request.

A framework that looks at twenty query parameters for each request takes longer than the list they ask
for. Query models, sessions, actors and wirings are therefore handed over here; path, headers and body
are left to FastAPI, and the query's parameters are described to it in its own words.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.params import Query
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

Endpoint = Callable[..., Any]
Source = Callable[[Request], Any]

_REQUEST = "rapport_request"
"""Name of the parameter by which a route's function gets its request, unless it asks for the request itself."""


def handed_over(endpoint: Endpoint, sources: Mapping[Any, Source]) -> tuple[Endpoint, list[dict[str, Any]]]:
    """The endpoint without the parameters that need no framework, and what OpenAPI should say of them.

    `sources` are by annotation. Query models are found by `Annotated[Model, Query()]`.
    """
    hints = get_type_hints(endpoint, include_extras=True)
    signature = inspect.signature(endpoint)
    models = {name: model for name, hint in hints.items() if (model := _query_model(hint)) is not None}
    known: dict[str, Source] = {name: _reader(model) for name, model in models.items()}
    known |= {name: sources[hints[name]] for name in signature.parameters if hints.get(name) in sources}
    if not known:
        return endpoint, []

    # FastAPI hands a request over under one name: a function that asks for it itself says which.
    own = next((name for name in signature.parameters if hints.get(name) is Request), None)

    @wraps(endpoint)
    async def call(**values: Any) -> Any:
        request = values.pop(_REQUEST) if own is None else values[own]
        for name, source in known.items():
            values[name] = source(request)
        return await endpoint(**values)

    kept = [
        parameter.replace(annotation=hints.get(name, parameter.annotation), kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in signature.parameters.items()
        if name not in known
    ]
    added = [] if own else [inspect.Parameter(_REQUEST, inspect.Parameter.KEYWORD_ONLY, annotation=Request)]
    call.__signature__ = inspect.Signature([*added, *kept], return_annotation=signature.return_annotation)  # pyright: ignore[reportAttributeAccessIssue]  # what inspect looks at first
    return call, [described for model in models.values() for described in _parameters(model)]


class _AsDeclared(GenerateJsonSchema):
    """Leaves the keys of a schema in the order in which FastAPI writes them, not by the alphabet."""

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        return value


def _query_model(hint: Any) -> type[BaseModel] | None:
    if get_origin(hint) is not Annotated:
        return None
    model, *marks = get_args(hint)
    is_query = any(isinstance(mark, Query) for mark in marks)
    return model if is_query and isinstance(model, type) and issubclass(model, BaseModel) else None


def _reader(model: type[BaseModel]) -> Source:
    schema = model.model_json_schema()["properties"]
    repeated = {name for name, part in schema.items() if _is_array(part)}

    def read(request: Request) -> BaseModel:
        given = request.query_params
        try:
            return model.model_validate({n: given.getlist(n) if n in repeated else given[n] for n in given})
        except ValidationError as error:
            parts = error.errors(include_url=False)
            raise RequestValidationError([{**part, "loc": ("query", *part["loc"])} for part in parts]) from None

    return read


def _parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    schema = model.model_json_schema(schema_generator=_AsDeclared)
    assert "$defs" not in schema, f"{model.__name__}: parameters of a query are plain"
    described: list[dict[str, Any]] = []
    for name, part in schema["properties"].items():
        parameter = {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": part}
        if "description" in part:
            parameter["description"] = part["description"]
        described.append(parameter)
    return described


def _is_array(part: Mapping[str, Any]) -> bool:
    return part.get("type") == "array" or any(_is_array(choice) for choice in part.get("anyOf", ()))
