"""What happens to a request before any route sees it, as pure ASGI: trace, metrics, token, size.

A token is checked before the body is read, and a body that is too large is refused while it is read:
a framework dependency would come after both. Identity headers that a client sends are never looked at.
"""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers

from shared import telemetry
from shared.errors import RapportError, TooLarge, Unauthenticated
from shared.identity import Identity, TokenVerifier
from shared.problems import problem

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_PATHS = ("/health/live", "/health/ready", "/metrics", "/openapi.json")


class Observe:
    """Puts every request into a trace and measures it by route."""

    def __init__(self, app: App, service: str) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started, status = time.perf_counter(), 500

        async def observed(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message.setdefault("headers", []).append((b"traceparent", current.encode()))
            await send(message)

        incoming = Headers(scope=scope).get("traceparent")
        with telemetry.tracing(incoming, f"{scope['method']} {scope['path']}") as current:
            try:
                await self._app(scope, receive, observed)
            finally:
                route = getattr(scope.get("route"), "path", "unknown")
                telemetry.HTTP_REQUESTS.labels(self._service, scope["method"], route, str(status)).observe(
                    time.perf_counter() - started
                )


class Guard:
    """Refuses requests without a valid token and bodies over the limit, before they cost anything."""

    def __init__(self, app: App, verifier: TokenVerifier, max_body_bytes: int) -> None:
        self._app, self._verifier, self._max_body_bytes = app, verifier, max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        try:
            scope.setdefault("state", {})["identity"] = self._identify(headers)
            length = headers.get("content-length", "0")
            if not length.isdecimal() or int(length[:20]) > self._max_body_bytes:
                raise TooLarge
        except RapportError as error:
            answer = problem(headers.get("accept-language"), error.code)
            return await answer(scope, receive, send)
        return await self._app(scope, self._bounded(receive), send)

    def _identify(self, headers: Headers) -> Identity:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated
        return self._verifier.verify(token.strip())

    def _bounded(self, receive: Receive) -> Receive:
        taken = 0

        async def bounded() -> MutableMapping[str, Any]:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._max_body_bytes:
                raise TooLarge
            return message

        return bounded
