"""The index of routes: it finds what trying one route after the other would have found."""

from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import Query, Response
from pydantic import BaseModel
from starlette.routing import Match

from shared.http import TransactionRoute, router
from shared.routing import RouteIndex

routes = router("things")


@routes.get("/things")
async def get_things() -> Response:
    """All."""
    return Response()


@routes.post("/things")
async def post_thing() -> None:
    """One more."""


@routes.get("/things/first")
async def get_first() -> None:
    """Stands before the one by id."""


@routes.get("/things/{thing_id}")
async def get_thing(thing_id: UUID) -> Response:
    """One."""
    return Response(str(thing_id))


@routes.get("/things/{thing_id}/parts")
async def get_parts(thing_id: UUID) -> Response:
    """Its parts."""
    return Response(str(thing_id))


class Wanted(BaseModel):
    """A query."""

    name: str = ""


@routes.get("/wanted")
async def get_wanted(query: Annotated[Wanted, Query()]) -> Response:
    """Handed over: nothing is left for the framework."""
    return Response(query.name)


index = RouteIndex("/api/v1", routes.routes)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/things",
        "/api/v1/things/first",
        "/api/v1/things/17",
        "/api/v1/things/17/parts",
        "/api/v1/things/17/others",
        "/api/v1/things/",
        "/api/v1/nothing",
        "/api/v1/",
        "/api/v1",
        "/things",
        "/",
        "",
    ],
)
def test_the_index_finds_what_trying_each_route_finds(method: str, path: str) -> None:
    """Same route or none, same parameters of the path, same answer to a wrong method."""
    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "headers": []}
    found, given = index.matches(dict(scope))
    assert (found, given.get("route"), given.get("path_params")) == _tried(scope)


def test_what_is_no_request_is_not_ours() -> None:
    """A WebSocket to a path of ours finds nothing."""
    assert index.matches({"type": "websocket", "path": "/api/v1/things"})[0] is Match.NONE


def test_only_functions_that_need_nothing_of_the_framework_are_called_past_it() -> None:
    """One with a path parameter, or whose answer is still to be made, stays with FastAPI."""
    direct = {route.path for route in routes.routes if isinstance(route, TransactionRoute) and route.is_direct}
    assert direct == {"/things", "/wanted"}


def _tried(scope: dict[str, Any]) -> tuple[Match, Any, Any]:
    """One route after the other: the first with path and method, else the first with the path."""
    other: tuple[Match, Any, Any] = (Match.NONE, None, None)
    for route in routes.routes:
        match, found = route.matches({**scope, "root_path": "/api/v1"})
        if not scope["path"].startswith("/api/v1"):
            continue
        if match is Match.FULL:
            return match, route, found["path_params"]
        if match is Match.PARTIAL and other[0] is Match.NONE:
            other = (match, route, found["path_params"])
    return other
