"""The only meeting with FastAPI: an application per service, one transaction per request.

A route is handed a session and an actor; it returns, the transaction commits, and only then the
answer leaves (a FastAPI dependency would commit after the answer was sent). A client that sends its
body slowly holds no connection: the body is read first.
"""

import asyncio
import inspect
import re
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from shared import idempotency, outbox, strict_json, telemetry
from shared.access import load_actor
from shared.arguments import handed_over
from shared.asgi import Guard, Observe
from shared.cursors import Cursors
from shared.database import Database, Session
from shared.envelope import Origin
from shared.errors import FieldError, Invalid, NotFound, VersionConflict
from shared.idempotency import Answer, Attempt
from shared.identity import Actor, TokenVerifier
from shared.joint_writes import JointWrites
from shared.problems import install, problem_of
from shared.routing import RouteIndex
from shared.settings import Settings
from shared.waiting import Waiting

PREFIX = "/api/v1"

F = TypeVar("F", bound=Callable[..., Any])
Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]
_ETAG = re.compile(r'(?:W/)?"(\d{1,18})"')


@dataclass(frozen=True)
class Wiring:
    """What routes may use beside their session: made once per process in `app.py`.

    `stopping` is set when the process is asked to end: an answer that streams must end then.
    """

    settings: Settings
    database: Database
    cursors: Cursors
    verifier: TokenVerifier
    waiting: Waiting
    joint_writes: JointWrites
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


def reads(endpoint: F) -> F:
    """Mark a POST that writes nothing (a search, a preview): no transaction, no Idempotency-Key."""
    endpoint.reads_only = True  # pyright: ignore[reportFunctionMemberAccess]  # a mark on a function
    return endpoint


def joins(endpoint: F) -> F:
    """Mark a POST that finds its transaction itself, perhaps a joint one: `OwnSessionDep` is None.

    With an Idempotency-Key it has a transaction of its own, in which the answer is kept.
    """
    endpoint.joins = True  # pyright: ignore[reportFunctionMemberAccess]  # a mark on a function
    return endpoint


class StrictRequest(Request):
    """A request whose JSON is checked while it is read."""

    async def json(self) -> Any:
        if not hasattr(self, "_strict"):
            self._strict = strict_json.decode(await self.body())
        return self._strict


class TransactionRoute(APIRoute):
    """A route inside one transaction, with the actor known, waited-for copies there, repetition answered.

    A kind of route that has to act on a refusal after its transaction finds it in `request.state.refusal`.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        called, parameters = handed_over(endpoint, _SOURCES)
        if parameters:
            extra = options.get("openapi_extra") or {}
            options["openapi_extra"] = {**extra, "parameters": [*extra.get("parameters", ()), *parameters]}
        # A query model refuses what it does not know by itself.
        self._looks_at_query = not parameters
        super().__init__(path, called, **options)
        if self.is_direct:
            self.app = _answering(self.get_route_handler())

    @property
    def is_direct(self) -> bool:
        """Whether the function is handed all it needs and makes its answer itself: FastAPI has nothing to do then."""
        needs = self.dependant
        asked = (needs.path_params, needs.query_params, needs.header_params, needs.cookie_params, needs.body_params)
        answers = inspect.signature(self.endpoint).return_annotation is Response
        return answers and not any(asked) and not needs.dependencies and needs.response_param_name is None

    async def _call(self, request: Request) -> Response:
        name = self.dependant.request_param_name
        return await self.endpoint(**({name: request} if name is not None else {}))

    def get_route_handler(self) -> Handler:
        handle = self._call if self.is_direct else super().get_route_handler()
        if self._looks_at_query:
            asked = get_flat_params(self.dependant)
            handle = _without_unknown(handle, {one.alias for one in asked if isinstance(one.field_info, Query)})
        reads_only = getattr(self.endpoint, "reads_only", False)
        joins = getattr(self.endpoint, "joins", False)

        async def run(raw: Request) -> Response:
            request = StrictRequest(raw.scope, raw.receive)
            try:
                return await answer(request)
            except Exception as error:
                # here and not in the outermost handler: the trace is still known
                request.state.refusal = error
                return problem_of(request, error)

        async def answer(request: StrictRequest) -> Response:
            wiring: Wiring = request.app.state.wiring
            async with asyncio.timeout(wiring.settings.request_timeout_seconds):
                await request.body()
                await _wait_for(request, wiring)
                if reads_only or request.method in ("GET", "HEAD"):
                    async with wiring.database.reading() as session:
                        await _identify(request, session)
                        return await handle(request)
                if joins and "idempotency-key" not in request.headers:
                    async with wiring.database.reading() as session:
                        await _identify(request, session)
                    request.state.session = None  # its connection is somebody else's from here on
                    return await handle(request)
                async with wiring.database.transaction() as session:
                    await _identify(request, session)
                    return await _once(request, session, handle)

        return run


def _without_unknown(handle: Handler, names: Collection[str]) -> Handler:
    """A route's function, asked with parameters of these names only: a misspelt one would silently do nothing."""

    async def call(request: Request) -> Response:
        if request.scope["query_string"]:
            unknown = [name for name in request.query_params if name not in names]
            if unknown:
                raise Invalid(errors=tuple(FieldError(f"?{name[:100]}", "unknown_field") for name in unknown))
        return await handle(request)

    return call


def _answering(handle: Handler) -> ASGIApp:
    """A route's function as an application: it answers every error itself, so nothing needs to stand around it."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        response = await handle(Request(scope, receive, send))
        await response(scope, receive, send)

    return answer


def router(tag: str) -> APIRouter:
    """A router whose routes are transactions."""
    return APIRouter(tags=[tag], route_class=TransactionRoute)


def create_app(wiring: Wiring, routers: Sequence[APIRouter], title: str, description: str, **options: Any) -> FastAPI:
    """The HTTP application of one service, every route under `/api/v1`."""
    app = FastAPI(
        title=title,
        description=description,
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would name this process's address, which nobody outside can reach
        middleware=[
            Middleware(Observe, service=wiring.settings.service),  # pyright: ignore[reportArgumentType]  # plain ASGI
            Middleware(Guard, verifier=wiring.verifier, max_body_bytes=wiring.settings.max_body_bytes),  # pyright: ignore[reportArgumentType]  # plain ASGI
        ],
        **options,
    )
    app.state.wiring = wiring
    install(app)
    app.router.routes.append(RouteIndex(PREFIX, [route for one in routers for route in one.routes]))
    return app


def _session(request: Request) -> Session:
    return request.state.session


def _own_session(request: Request) -> Session | None:
    return request.state.session


def _actor(request: Request) -> Actor:
    return request.state.actor


def _origin(request: Request) -> Origin:
    return request.state.origin


def _wiring(request: Request) -> Wiring:
    return request.app.state.wiring


def _depends(source: Callable[[Request], Any]) -> Any:
    """A source as FastAPI asks for it: a coroutine, since it runs a plain function in a thread, at ten times its price.

    It asks only for what a dependency of ours depends on; a route is handed its own by `arguments`.
    """

    async def ask(request: Request) -> Any:
        return source(request)

    return Depends(ask)


async def _if_match(
    if_match: Annotated[str | None, Header(description='The version you read: `"7"`')] = None,
) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    match = _ETAG.fullmatch(if_match.strip())
    if match is None:
        raise VersionConflict
    return int(match.group(1))


SessionDep = Annotated[Session, _depends(_session)]
OwnSessionDep = Annotated[Session | None, _depends(_own_session)]
ActorDep = Annotated[Actor, _depends(_actor)]
OriginDep = Annotated[Origin, _depends(_origin)]
WiringDep = Annotated[Wiring, _depends(_wiring)]
IfMatch = Annotated[int | None, Depends(_if_match)]

_SOURCES: dict[Any, Callable[[Request], Any]] = {
    SessionDep: _session,
    OwnSessionDep: _own_session,
    ActorDep: _actor,
    OriginDep: _origin,
    WiringDep: _wiring,
}


def etag(response: Response, version: int) -> None:
    """Say which version the answered record has."""
    response.headers["ETag"] = f'"{version}"'


def created(response: Response, path: str) -> None:
    """Say where the new record lives."""
    response.status_code = 201
    response.headers["Location"] = f"{PREFIX}{path}"


def accepted(response: Response, path: str) -> None:
    """Say where the long work can be followed."""
    response.status_code = 202
    response.headers["Location"] = f"{PREFIX}{path}"


def json_text(body: str | bytes, response: Response | None = None) -> Response:
    """Answer with JSON that PostgreSQL has already written."""
    headers = dict(response.headers) if response is not None else {}
    headers.pop("content-length", None)
    return Response(body, 200, headers, "application/json")


async def _identify(request: Request, session: Session) -> None:
    actor = await load_actor(session, request.state.identity)
    origin = Origin(actor=actor, correlation_id=telemetry.trace_id(), traceparent=telemetry.traceparent())
    outbox.open_box(session, request.app.state.wiring.settings.service, origin)
    request.state.session, request.state.actor, request.state.origin = session, actor, origin


async def _once(request: Request, session: Session, handle: Handler) -> Response:
    key = request.headers.get("idempotency-key")
    if key is None or request.method != "POST":
        return await handle(request)
    idempotency.require_valid_key(key)
    actor = request.state.actor
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    attempt = Attempt(f"{actor.kind}/{actor.id}", path, key, await _digest(request))
    known = await idempotency.begin(session, attempt)
    if known is not None:
        return Response(known.body, known.status, {**known.headers, "Idempotency-Replayed": "true"})
    response = await handle(request)
    if 200 <= response.status_code < 300:
        kept = {name: response.headers[name] for name in idempotency.KEPT_HEADERS if name in response.headers}
        await session.flush()
        await idempotency.finish(session, attempt, Answer(response.status_code, kept, bytes(response.body).decode()))
    return response


async def _digest(request: Request) -> bytes:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return idempotency.digest(await request.body())
    parts: list[bytes] = []
    for name, value in (await request.form()).multi_items():
        if isinstance(value, str):
            parts += [name.encode(), value.encode()]
        else:
            parts += [name.encode(), (value.filename or "").encode(), await value.read()]
            await value.seek(0)
    return idempotency.digest(*parts)


async def _wait_for(request: Request, wiring: Wiring) -> None:
    header = request.headers.get("wait-for")
    if header is None:
        return
    async with wiring.database.reading() as session:
        actor = await load_actor(session, request.state.identity)
    if not await wiring.waiting.until_seen(wiring.database, actor, header):
        raise NotFound


def customer_version(response: Response, customer_id: UUID, version: int) -> None:
    """Say which version of a customer this write made, for `Wait-For` at another service."""
    response.headers["Customer-Version"] = f"{customer_id}:{version}"
