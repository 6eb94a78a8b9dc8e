"""The command line of every service: `python -m services.<name> all|api|consumers|relay|migrate|…`.

Commands say what they did in one line of JSON or print a document; errors end with status 1 and
one line, never a trace of calls.
"""

import asyncio
import json
import sys
from collections.abc import Coroutine
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from shared import telemetry
from shared.errors import SchemaTooOld
from shared.rebuilding import RebuildRefused
from shared.service import EVERY_PART, JOBS, Service, run_job, serve


def command_line(service: Service) -> typer.Typer:
    """All commands of a service; a service may add its own."""
    app = typer.Typer(add_completion=False, no_args_is_help=True, help=service.title, pretty_exceptions_enable=False)

    def _run_parts(*parts: str) -> None:
        settings = service.load_settings()
        telemetry.configure(settings)
        _run(serve(service, settings, parts))

    @app.command("all")
    def run_all() -> None:
        """Run HTTP, consumers and relay in one process."""
        _run_parts(*EVERY_PART)

    @app.command("api")
    def run_api() -> None:
        """Run HTTP alone."""
        _run_parts("api")

    @app.command("consumers")
    def run_consumers() -> None:
        """Run the consumers alone."""
        _run_parts("consumers")

    @app.command("relay")
    def run_relay() -> None:
        """Run the relay alone (one of several leads)."""
        _run_parts("relay")

    @app.command()
    def migrate() -> None:
        """Bring the database's schema up to date (as the owner role)."""
        from shared.migrations import upgrade

        _say({"migrated": _run(upgrade(service.load_settings(), service.package))})

    @app.command()
    def topics() -> None:
        """Create the topics this service owns, and its dead-letter topics."""
        from shared.kafka import create_topics

        _say({"created": _run(create_topics(service.load_settings(), service.name))})

    @app.command()
    def job(
        name: str,
        today: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The tenant's day")] = None,
        slot: Annotated[str | None, typer.Option(help="Run once for this slot (default: this minute)")] = None,
    ) -> None:
        """Run a job once: purge, compact, and the service's own."""
        settings = service.load_settings()
        telemetry.configure(settings)
        now = datetime.now(settings.zone)
        day: date = today.date() if today else now.date()
        if name not in {*JOBS, *service.jobs}:
            raise typer.BadParameter(f"one of: {', '.join(sorted({*JOBS, *service.jobs}))}")
        taken = slot or f"{day}T{now:%H:%M}"
        outcome = _run(run_job(service, settings, name, taken, day))
        _say({"job": name, "slot": taken, "outcome": dict(outcome) if outcome is not None else "ran before"})

    _add_topic_commands(app, service)
    _add_document_commands(app, service)
    return app


def _add_topic_commands(app: typer.Typer, service: Service) -> None:
    @app.command()
    def republish(topic: str, raise_version: bool = False) -> None:
        """Emit the current state of a state topic again (a new id, `ce_replayed`, the version unchanged)."""
        from shared.republishing import republish_topic

        settings = service.load_settings()
        telemetry.configure(settings)
        told = _run(republish_topic(service.republished, settings, topic, raise_version))
        _say({"topic": topic, "republished": told})

    @app.command()
    def rebuild(topic: str) -> None:
        """Make the copy of a state topic anew from the topic itself, wrong versions too; nothing is triggered."""
        from shared.rebuilding import rebuild_topic

        settings = service.load_settings()
        telemetry.configure(settings)
        _say({"topic": topic, **asdict(_run(rebuild_topic(service, settings, topic)))})

    @app.command()
    def replay(topic: str, limit: int | None = None) -> None:
        """Run the handler of a topic again over its dead letters."""
        from shared.database import Database
        from shared.messaging import Consumers

        settings = service.load_settings()
        telemetry.configure(settings)

        async def work() -> dict[str, int]:
            database = Database(settings, pool_size=2)
            try:
                done = await Consumers(settings, database, service.subscriptions).replay(topic, limit)
            finally:
                await database.close()
            return {"handled": done.handled, "failed": done.failed}

        _say({"topic": topic, **_run(work())})

    @app.command()
    def resend(since: Annotated[datetime, typer.Option(help="Resend what was sent after this moment (UTC)")]) -> None:
        """Send acknowledged events of fact topics again, with the same ids."""
        from shared.republishing import resend_since

        settings = service.load_settings()
        telemetry.configure(settings)
        _say({"resent": _run(resend_since(settings, since))})


def _add_document_commands(app: typer.Typer, service: Service) -> None:
    @app.command()
    def openapi() -> None:
        """Print the OpenAPI 3.1 document."""
        from shared.documents import openapi_document

        typer.echo(openapi_document(service))

    @app.command()
    def asyncapi() -> None:
        """Print the AsyncAPI 3 document."""
        from shared.documents import asyncapi_document

        typer.echo(asyncapi_document(service.name, service.title, service.description))


def main(app: typer.Typer) -> None:
    """Run the command line; refusals that an operator can mend are one line."""
    try:
        import uvloop
    except ImportError:  # not on Windows
        pass
    else:
        uvloop.install()
    try:
        app()
    except ValidationError as error:
        missing = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        sys.exit(f"settings: {missing}")
    except RebuildRefused as error:
        sys.exit(str(error))
    except (SchemaTooOld, ConnectionError, TimeoutError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def _say(outcome: dict[str, Any]) -> None:
    typer.echo(json.dumps(outcome, ensure_ascii=False, default=str))
