"""Requests for every path, derived from a service's OpenAPI document: one that fits, and each way not to fit.

What is derived from the document holds for a path the day it is added; nobody has to remember it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

Document = dict[str, Any]
Schema = dict[str, Any]

METHODS = ("get", "post", "put", "patch", "delete")
MALFORMED = {"uuid": "x-1", "date": "2026-13-41", "date-time": "yesterday"}
FITTING = {"uuid": "0198c0de-0000-7000-8000-00000000abcd", "date": "2026-02-03", "date-time": "2026-02-03T04:05:06Z"}
BY_PATTERN = {"^#[0-9a-fA-F]{6}$": "#a0b1c2", "^[A-Z]{3}$": "VND"}
BY_PATH: dict[str, Any] = {
    "PATCH /api/v1/imports/{import_id}/rows": {"field": "name", "replace": "A"},
    "POST /api/v1/campaigns/{campaign_id}/opportunities": {"customer_ids": [FITTING["uuid"]]},
    "POST /api/v1/relationships": {"name": "A"},
    "POST /api/v1/exports": {"customer_ids": [FITTING["uuid"]], "columns": ["name"], "format": "csv"},
    "PUT /api/v1/campaigns/{campaign_id}/statuses": {"items": [{"name": "A", "kind": "open", "start": True}]},
}
"""Bodies that must fit a rule beside their schema."""
DEPTH = 3
"""How far below the body fields are broken."""


@dataclass(frozen=True)
class Request:
    """One request. `pointer` is what a refusal must point at, if it was broken on purpose."""

    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    pointer: str = ""
    broken: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.query or ''} {self.pointer} {self.broken}: {str(self.body)[:200]}"


class Paths:
    """The operations of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def operations(self) -> Iterator[tuple[str, str, Document]]:
        """Method, path and description of each."""
        for path, item in self._document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield method.upper(), path, item[method]

    def fitting(self) -> Iterator[tuple[str, Request]]:
        """A request for each operation (named as in the document) that fits it, about records that nobody knows."""
        for method, path, operation in self.operations():
            body = BY_PATH.get(f"{method} {path}", self._body(operation))
            yield path, Request(method, self._filled(path), self._query(operation), body)

    def about(self, ids: dict[str, str]) -> Iterator[Request]:
        """Requests that fit, about these records by the names of the paths' parameters; bodies name `FITTING["uuid"]`.

        Only those that name any record.
        """
        for method, path, operation in self.operations():
            query, body = self._query(operation), BY_PATH.get(f"{method} {path}", self._body(operation))
            if "{" in path or FITTING["uuid"] in str((query, body)):
                yield Request(method, path.format_map(ids), query, body)

    def malformed_ids(self) -> Iterator[Request]:
        """Requests whose path holds something that is no id."""
        for method, path, operation in self.operations():
            if "{" in path:
                bad = self._filled(path, MALFORMED["uuid"])
                yield Request(method, bad, self._query(operation), self._body(operation))

    def broken_bodies(self) -> Iterator[Request]:
        """Requests with one field of the body unknown, of another type, none of its choices, or past a limit."""
        for method, path, operation in self.operations():
            schema = self._body_schema(operation)
            if schema is None:
                continue
            good = self.sample(schema)
            for pointer, how, bad in self._breakages(schema, good, "", DEPTH):
                yield Request(method, self._filled(path), self._query(operation), bad, pointer, how)

    def broken_queries(self) -> Iterator[Request]:
        """Requests with one parameter unknown, none of its choices, or past a limit."""
        for method, path, operation in self.operations():
            good, body = self._query(operation), self._body(operation)
            yield Request(method, self._filled(path), good | {"colour": "red"}, body, "?colour", "unknown")
            for parameter in self._parameters(operation, "query"):
                plain = self._plain(parameter["schema"])
                for how, bad in _misfits(plain):
                    if not isinstance(bad, dict | list) and bad != "" and plain.get("type") != "array":
                        name = parameter["name"]
                        yield Request(method, self._filled(path), good | {name: bad}, body, f"?{name}", how)

    def sample(self, schema: Schema) -> Any:
        """The smallest value that fits a schema, more or less: refusals are told apart by where they point."""
        plain = self._plain(schema)
        if "kinds" in plain:
            return self.sample(plain["kinds"][0])
        if "const" in plain or "enum" in plain:
            return plain.get("const", plain.get("enum", [None])[0])
        kind = plain.get("type")
        if kind == "object" or "properties" in plain:
            names = plain.get("required", [])
            return {name: self.sample(plain["properties"][name]) for name in names if name in plain["properties"]}
        if kind == "array":
            return [self.sample(plain.get("items", {})) for _ in range(plain.get("minItems", 0))]
        if kind in ("integer", "number"):
            return int(plain.get("minimum", plain.get("exclusiveMinimum", 0) + 1))
        if kind == "boolean":
            return True
        text = FITTING.get(plain.get("format", "")) or BY_PATTERN.get(plain.get("pattern", ""))
        return text or "A1".ljust(plain.get("minLength", 0), "x")

    def _breakages(self, schema: Schema, good: Any, at: str, depth: int) -> Iterator[tuple[str, str, Any]]:
        """Where, how, and the broken value in place of `good`."""
        plain = self._plain(schema)
        if plain.get("additionalProperties") is False:
            yield f"{at}/colour", "unknown", good | {"colour": "red"}
        for name, inner in plain.get("properties", {}).items():
            pointer, fitting = f"{at}/{name}", self._plain(inner)
            for how, bad in _misfits(fitting):
                yield pointer, how, good | {name: bad}
            if "maxItems" in fitting and fitting.get("type") == "array":
                one = self.sample(fitting.get("items", {}))
                yield pointer, "too many", good | {name: [one] * (fitting["maxItems"] + 1)}
            if depth > 1 and "properties" in fitting:
                for where, how, bad in self._breakages(fitting, self.sample(fitting), pointer, depth - 1):
                    yield where, how, good | {name: bad}
            if depth > 1 and fitting.get("type") == "array":
                item = self._plain(fitting.get("items", {}))
                for how, bad in _misfits(item):
                    yield f"{pointer}/0", how, good | {name: [bad]}
                if "properties" in item:
                    for where, how, bad in self._breakages(item, self.sample(item), f"{pointer}/0", depth - 1):
                        yield where, how, good | {name: [bad]}

    def _plain(self, schema: Schema) -> Schema:
        """A schema without references and without null; of several kinds only that there are several."""
        while True:
            if "$ref" in schema:
                schema = schema | self._resolved(schema["$ref"])
                schema.pop("$ref")
            elif len(schema.get("allOf", [])) == 1:
                schema = schema | schema["allOf"][0]
                schema.pop("allOf")
            elif "anyOf" in schema or "oneOf" in schema:
                kinds = [one for one in schema.get("anyOf", schema.get("oneOf", [])) if one.get("type") != "null"]
                if len(kinds) != 1:
                    return {"kinds": kinds}
                schema = kinds[0]
            else:
                return schema

    def _resolved(self, reference: str) -> Any:
        found: Any = self._document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        return found

    def _parameters(self, operation: Document, place: str) -> list[Document]:
        named = [one if "in" in one else self._resolved(one["$ref"]) for one in operation["parameters"]]
        return [one for one in named if one["in"] == place]

    def _query(self, operation: Document) -> dict[str, Any]:
        return {
            one["name"]: self.sample(one["schema"])
            for one in self._parameters(operation, "query")
            if one.get("required")
        }

    def _body_schema(self, operation: Document) -> Schema | None:
        content = operation.get("requestBody", {}).get("content", {})
        return content["application/json"]["schema"] if "application/json" in content else None

    def _body(self, operation: Document) -> Any:
        schema = self._body_schema(operation)
        return None if schema is None else self.sample(schema)

    def _filled(self, path: str, value: str | None = None) -> str:
        parts = [(value or str(uuid4())) if part.startswith("{") else part for part in path.split("/")]
        return "/".join(parts)


def _misfits(plain: Schema) -> Iterator[tuple[str, Any]]:
    """Values that do not fit one field: how, and what."""
    kind = plain.get("type")
    if "enum" in plain or "const" in plain:
        yield "no choice", "no-such-word"
    if plain.get("format") in MALFORMED:
        yield "malformed", MALFORMED[plain["format"]]
    if kind == "string":
        yield "another type", {"a": 1}
        if "maxLength" in plain:
            yield "too long", "x" * (plain["maxLength"] + 1)
        if plain.get("minLength"):
            yield "too short", ""
    elif kind in ("integer", "number"):
        yield "another type", "many"
        for limit, step in (("maximum", 1), ("minimum", -1)):
            if limit in plain:
                yield f"past its {limit}", int(plain[limit]) + step
    elif kind == "boolean":
        yield "another type", "perhaps"
    elif kind in ("array", "object"):
        yield "another type", "text"
        if plain.get("minItems"):
            yield "too few", []
