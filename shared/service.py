"""Runs a service's processes: HTTP, consumers, relay, together or apart, until told to stop.

SIGTERM and SIGINT drain: no new requests, the batches in hand finish, the relay hands over cleanly.
What a service is made of is stated in its `app.py` as a `Service`.
"""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date
from functools import cache, partial
from typing import Any, TypeAlias

from fastapi import APIRouter, FastAPI

from shared import idempotency, inbox, telemetry
from shared.compaction import compact
from shared.cursors import Cursors
from shared.database import Database, Session, run, run_counting
from shared.health import health_router
from shared.http import Wiring, create_app
from shared.identity import TokenVerifier, keys_at
from shared.joint_writes import JointWrites
from shared.messaging import Consumers, Subscription
from shared.migrations import newest_revision
from shared.relay import Relay
from shared.republishing import Source
from shared.settings import Settings
from shared.waiting import Waiting

log = telemetry.logger("service")

EVERY_PART = ("api", "consumers", "relay")

YOUNG_OBJECTS = 20_000
"""How many new objects make the collector look for cycles: a batch has that many, and no cycles."""

Job: TypeAlias = Callable[[Database, Settings, date], Awaitable[Mapping[str, Any]]]
"""Work for a timer: gets the tenant's day, answers what it did."""

Measure: TypeAlias = Callable[[Session], Awaitable[None]]
"""Sets gauges from the service's tables: what a job of another process has found."""

Worker: TypeAlias = Callable[[Database, Settings, asyncio.Event], Coroutine[Any, Any, None]]
"""Work that a service finds in its own tables: runs beside the consumers until the event is set."""


@dataclass(frozen=True)
class Service:
    """What a service is made of."""

    name: str
    title: str
    description: str
    package: str
    routers: Sequence[APIRouter]
    subscriptions: Sequence[Subscription]
    settings: type[Settings] = Settings
    jobs: Mapping[str, Job] = field(default_factory=dict)
    republished: Mapping[str, Sequence[Source]] = field(default_factory=dict)
    workers: Sequence[Worker] = ()
    measures: Sequence[Measure] = ()

    def load_settings(self, **overrides: object) -> Settings:
        """The service's settings from the environment."""
        return self.settings.load(self.name, **overrides)

    def wire(self, settings: Settings, database: Database) -> Wiring:
        """What routes may use."""
        verifier = TokenVerifier(
            keys_at(settings.jwks_url), settings.token_issuer, settings.token_audience, settings.token_max_life_seconds
        )
        return Wiring(
            settings=settings,
            database=database,
            cursors=Cursors(settings.cursor_key.get_secret_value()),
            verifier=verifier,
            waiting=Waiting(settings.wait_for_seconds, settings.wait_for_max_waiting),
            joint_writes=JointWrites(database),
        )

    def http(self, settings: Settings, database: Database) -> FastAPI:
        """The HTTP application, with health, metrics and the service's own OpenAPI document."""
        app = create_app(self.wire(settings, database), self.routers, self.title, self.description)
        app.include_router(health_router(settings, database, newest_revision(self.package), self.measures))
        app.openapi = cache(partial(_openapi, self))
        return app


async def serve(service: Service, settings: Settings, parts: Sequence[str] = EVERY_PART) -> None:
    """Run parts of a service until SIGTERM or SIGINT. Raises SchemaTooOld before anything starts."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopping.set)
    async with AsyncExitStack() as running:
        database = Database(settings)
        running.push_async_callback(database.close)
        await database.require_schema(newest_revision(service.package))
        tasks: list[asyncio.Task[Any]] = []
        if "relay" in parts:
            relay = Relay(settings)
            database.on_outbox = relay.wake
            tasks.append(asyncio.create_task(relay.run(), name="relay"))
            running.push_async_callback(_finish, tasks[-1], relay.stop, settings.shutdown_seconds)
        if "consumers" in parts:
            consumers = Consumers(settings, database, service.subscriptions)
            running.push_async_callback(consumers.stop)
            await consumers.start()
            for worker in service.workers:
                ended = asyncio.Event()
                tasks.append(asyncio.create_task(worker(database, settings, ended), name="worker"))
                running.push_async_callback(_finish, tasks[-1], ended.set, settings.shutdown_seconds)
        if "api" in parts:
            app = service.http(settings, database)
            server = _server(app, settings)
            tasks.append(asyncio.create_task(server.serve(), name="api"))
            running.push_async_callback(_finish, tasks[-1], partial(_close, server, app), settings.shutdown_seconds)
        gc.collect()
        gc.freeze()  # what was loaded stays: batches of thousands of objects need not have it searched again
        gc.set_threshold(YOUNG_OBJECTS)
        log.info("running", parts=list(parts), port=settings.port)
        waiter = asyncio.create_task(stopping.wait())
        done, _ = await asyncio.wait({waiter, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        for task in done - {waiter}:
            task.result()  # a part that ended by itself ends the process, with its error
        log.info("stopping")


async def purge(database: Database, settings: Settings, _: date) -> Mapping[str, Any]:
    """Forget what has served its time: idempotent answers, inbox entries, sent outbox rows, job runs."""
    async with database.transaction() as session:
        answers = await idempotency.purge(session, settings.idempotency_hours)
        entries = await inbox.purge(session, settings.inbox_days)
        sent = await run_counting(
            session,
            "DELETE FROM outbox_sent WHERE sent_at < clock_timestamp() - make_interval(days => $1)",
            settings.outbox_sent_days,
        )
        await run(session, "DELETE FROM job_run WHERE started_at < clock_timestamp() - interval '90 days'")
    return {"idempotent_answers": answers, "inbox_entries": entries, "sent_events": sent}


JOBS: Mapping[str, Job] = {"purge": purge, "compact": compact}
"""What every service does on a timer, beside its own."""


async def run_job(service: Service, settings: Settings, name: str, slot: str, today: date) -> Mapping[str, Any] | None:
    """Run a job once for a slot, whoever asks first; None when the slot was taken before."""
    job: Job = {**JOBS, **service.jobs}[name]
    database = Database(settings, pool_size=2)
    try:
        async with database.transaction() as session:
            taken = await run_counting(
                session, "INSERT INTO job_run (job, slot) VALUES ($1, $2) ON CONFLICT DO NOTHING", name, slot
            )
        if not taken:
            return None
        try:
            outcome = await job(database, settings, today)
        except BaseException:
            async with database.transaction() as session:  # the next run may try this slot again
                await run(session, "DELETE FROM job_run WHERE job = $1 AND slot = $2", name, slot)
            raise
        async with database.transaction() as session:
            await run(
                session,
                "UPDATE job_run SET finished_at = clock_timestamp() WHERE job = $1 AND slot = $2",
                name,
                slot,
            )
        return outcome
    finally:
        await database.close()


def _openapi(service: Service) -> dict[str, Any]:
    from shared.documents.openapi import openapi_of  # most processes never show it

    return openapi_of(service)


def _server(app: FastAPI, settings: Settings) -> Any:
    import uvicorn

    class Server(uvicorn.Server):
        def install_signal_handlers(self) -> None:
            """Signals are ours: they stop all parts in order."""

        def capture_signals(self) -> Any:
            from contextlib import nullcontext

            return nullcontext()

    return Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=int(settings.shutdown_seconds),
            lifespan="off",
        )
    )


def _close(server: Any, app: FastAPI) -> None:
    """End the server, and first the answers that are streamed: it waits for them."""
    app.state.wiring.stopping.set()
    server.should_exit = True


async def _finish(task: "asyncio.Task[Any]", stop: Callable[[], Any], seconds: float) -> None:
    stop()
    _, pending = await asyncio.wait({task}, timeout=seconds)
    for late in pending:
        late.cancel()
