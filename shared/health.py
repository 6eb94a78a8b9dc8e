"""Is this process alive, is the service ready: what a platform asks before it sends traffic.

Ready means: the database answers, its schema is new enough, every consumed topic was heard of
lately, no consumer and no relay is far behind. A service cut off from Kafka goes on serving from its
copies; readiness and metrics say so (A2).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from fastapi import APIRouter, Response

from shared import outbox, telemetry
from shared.contracts.catalogue import read_by
from shared.database import Database, Session
from shared.progress import TopicProgress, read_progress
from shared.settings import Settings

CHECK_SECONDS = 3

log = telemetry.logger("health")


def health_router(
    settings: Settings,
    database: Database,
    schema: str,
    measures: Sequence[Callable[[Session], Awaitable[None]]] = (),
) -> APIRouter:
    """`/health/live`, `/health/ready` and `/metrics`; not routed from outside. `measures` set gauges first."""
    router = APIRouter(include_in_schema=False)

    @router.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    @router.get("/health/ready")
    async def ready(response: Response) -> dict[str, object]:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                problems = await not_ready(settings, database, schema)
        except Exception as error:
            problems = [f"database: {type(error).__name__}"]
        response.status_code = 503 if problems else 200
        return {"status": "not ready" if problems else "ready", "problems": problems}

    @router.get("/metrics")
    async def metrics() -> Response:
        try:
            async with asyncio.timeout(CHECK_SECONDS), database.reading() as session:
                for measure in measures:
                    await measure(session)
        except Exception as error:  # what is known without the database is worth telling most when it is away
            log.warning("not measured", error=repr(error))
        return Response(telemetry.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


async def not_ready(settings: Settings, database: Database, schema: str) -> Sequence[str]:
    """What keeps the service from being ready; empty when nothing does."""
    await database.require_schema(schema)
    async with database.reading() as session:
        waiting, oldest_seconds = await outbox.backlog(session)
        progress = await read_progress(session)
    telemetry.OUTBOX_BACKLOG.labels(settings.service).set(waiting)
    problems: list[str] = []
    if waiting > settings.outbox_backlog_alarm or oldest_seconds > settings.lag_alarm_seconds:
        problems.append(f"outbox: {waiting} events wait, the oldest for {oldest_seconds:.0f} s")
    for topic in read_by(settings.service):
        problem = _of_topic(progress.get(topic.name), topic.partitions, settings)
        if problem:
            problems.append(f"{topic.name}: {problem}")
    return problems


def _of_topic(seen: TopicProgress | None, partitions: int, settings: Settings) -> str | None:
    if seen is None or seen.partitions < partitions:
        return f"{seen.partitions if seen else 0} of {partitions} partitions heard of"
    telemetry.COPY_AGE_SECONDS.labels(settings.service, seen.topic).set(seen.age_seconds)
    if seen.age_seconds > settings.lag_alarm_seconds:
        return f"no progress for {seen.age_seconds:.0f} s, {seen.lag} records behind"
    return None
