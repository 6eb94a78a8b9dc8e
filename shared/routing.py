"""Finds the route of a request among a hundred by looking it up, where a framework tries one after the other.

Paths are told apart by their first word and their length before any expression is tried. Routes of the
same shape are tried in the order in which they were given; which methods a path has stays their own answer.
"""

from collections import defaultdict
from collections.abc import Sequence

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send


class RouteIndex(BaseRoute):
    """All routes under one prefix, as one route."""

    def __init__(self, prefix: str, routes: Sequence[BaseRoute]) -> None:
        self._prefix = prefix
        self._routes: dict[tuple[str, int], list[Route]] = defaultdict(list)
        for route in routes:
            assert isinstance(route, Route), f"{route}: only plain routes can be looked up"
            self._routes[_shape(route.path)].append(route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The first route with this path and method; else the first with this path, which then names its methods."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(self._prefix):
            return Match.NONE, {}
        # Routes know their paths without the prefix; only they shall see it as the root.
        asked = {"type": "http", "method": scope["method"], "path": path, "root_path": self._prefix}
        other_method: Scope | None = None
        for route in self._routes.get(_shape(path[len(self._prefix) :]), ()):
            match, found = route.matches(asked)
            if match is Match.FULL:
                return match, {**found, "route": route}
            if match is Match.PARTIAL and other_method is None:
                other_method = {**found, "route": route}
        return (Match.NONE, {}) if other_method is None else (Match.PARTIAL, other_method)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to the route that was found."""
        await scope["route"].handle(scope, receive, send)


def _shape(path: str) -> tuple[str, int]:
    parts = path.split("/", 2)
    return parts[1] if len(parts) > 1 else "", path.count("/")
