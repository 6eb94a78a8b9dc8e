"""Counts refusals that tell of hidden customers (R3): afterwards, since a refused request's writes are taken back."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.customers.commands.customers import by_hand
from services.customers.commands.revealing import require_reveals
from services.customers.domain.errors import PhoneTaken
from services.customers.domain.limits import RevealLimits
from shared import telemetry
from shared.database import Database
from shared.envelope import Origin
from shared.http import TransactionRoute
from shared.identity import Actor
from shared.problems import problem_of


async def _limits(request: Request) -> object:
    # a dependency of a dependency is FastAPI's to find: what routes are handed over is not known to it
    return request.app.state.wiring.settings


RevealLimitsDep = Annotated[RevealLimits, Depends(_limits)]


class RevealingRoute(TransactionRoute):
    """A route that may refuse with a hidden customer's phone: told only while the asker's hour allows."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def run(request: Request) -> Response:
            answer = await handle(request)
            refusal = getattr(request.state, "refusal", None)
            if not isinstance(refusal, PhoneTaken) or refusal.hidden is None:
                return answer
            wiring = request.app.state.wiring
            try:
                await _count(wiring.database, request.state.actor, refusal.hidden, wiring.settings)
            except Exception as error:
                return problem_of(request, error)
            return answer

        return run


def revealing_router(tag: str) -> APIRouter:
    """A router of such routes."""
    return APIRouter(tags=[tag], route_class=RevealingRoute)


async def _count(database: Database, actor: Actor, hidden: tuple[str, Any], limits: RevealLimits) -> None:
    origin = Origin(actor, telemetry.trace_id(), traceparent=telemetry.traceparent())
    async with database.transaction(origin) as session:
        await require_reveals(session, actor, dict([hidden]), limits.reveal_single_per_hour, by_hand(session))
