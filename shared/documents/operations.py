"""Names of operations, made of method and path alone: one grammar in all services and in clients made from them.

`GET /customers` is `list_customers`, `POST` there `create_customer`, `PATCH /customers/{customer_id}`
`update_customer`, `PUT /customers/{customer_id}/manager` `set_customer_manager`, and an action is its verb:
`POST /customers/{customer_id}/restore` is `restore_customer`.
"""

from fastapi.routing import APIRoute

_ONE = ("settings", "access")
"""Nouns that end like many and are one."""

_VERBS = {"simulation": "simulate"}
"""Actions whose paths are nouns."""


def operation_name(route: APIRoute) -> str:
    """The name of a route's operation."""
    return named(min(route.methods or {"GET"}), route.path_format)


def named(method: str, path: str) -> str:
    """The name of an operation by its method and its path under `/api/v1`."""
    parts = path.split("/")[3:]
    nouns = [part.replace("-", "_") for part in parts if not _is_parameter(part)]
    is_one = _is_parameter(parts[-1])
    *before, last = _counted(parts)
    if method == "GET":
        return "_".join(["list" if not is_one and _is_many(nouns[-1]) else "get", *before, last])
    if method == "POST" and not _is_many(nouns[-1]):
        return "_".join([_VERBS.get(last, last), *before])
    if method == "POST":
        return "_".join(["create", *before, _singular(last)])
    return "_".join([{"PUT": "set", "PATCH": "update", "DELETE": "delete"}[method], *before, last])


def _counted(parts: list[str]) -> list[str]:
    """The nouns of a path; one of them where an id follows, or more of the path."""
    counted: list[str] = []
    for place, part in enumerate(parts):
        if _is_parameter(part):
            continue
        noun = part.replace("-", "_")
        followed = place + 1 < len(parts) and _is_parameter(parts[place + 1])
        counted.append(_singular(noun) if followed else noun)
    return counted


def _is_parameter(part: str) -> bool:
    return part.startswith("{")


def _is_many(noun: str) -> bool:
    return noun.endswith("s") and noun not in _ONE and not noun.endswith("ss")


def _singular(noun: str) -> str:
    if not _is_many(noun):
        return noun
    if noun.endswith("ies"):
        return f"{noun[:-3]}y"
    return noun[:-2] if noun.endswith(("ches", "uses")) else noun[:-1]
