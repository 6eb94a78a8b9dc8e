"""`python -m services.interactions all|api|consumers|relay|migrate|recompute|…`."""

import asyncio
import json
from typing import Annotated, Any

import typer

from services.interactions.app import SERVICE
from services.interactions.commands.rulesets import UnknownRuleset, judge, put_in_force
from shared import telemetry
from shared.cli import command_line, main
from shared.database import Database
from shared.settings import Settings

PROGRESS_EVERY = 100_000
"""Customers between two words of progress, on standard error."""

app = command_line(SERVICE)


@app.command()
def recompute(
    ruleset: Annotated[int, typer.Option(help="The ruleset to count by")],
    dry_run: Annotated[bool, typer.Option(help="Say what it would change, and change nothing")] = False,
) -> None:
    """Say what a ruleset would change in counts and contacts; without --dry-run then put it in force."""
    settings = SERVICE.load_settings()
    telemetry.configure(settings)
    try:
        asyncio.run(_recompute(settings, ruleset, dry_run))
    except UnknownRuleset as error:
        raise typer.BadParameter(str(error)) from None


async def _recompute(settings: Settings, ruleset: int, dry_run: bool) -> None:
    database = Database(settings, pool_size=2)
    try:
        verdict = await judge(database, ruleset, _Progress("judged"))
        _say({"ruleset": ruleset, "would_change": verdict.as_dict()})
        if not dry_run:
            told = await put_in_force(database, ruleset, _Progress("counted"))
            _say({"ruleset": ruleset, "in_force": True, "summaries_told": told})
    finally:
        await database.close()


class _Progress:
    """Says now and then how far the work is."""

    def __init__(self, what: str) -> None:
        self._what, self._next = what, PROGRESS_EVERY

    def __call__(self, customers: int) -> None:
        if customers >= self._next:
            self._next += PROGRESS_EVERY
            typer.echo(f"{customers} customers {self._what}", err=True)


def _say(outcome: dict[str, Any]) -> None:
    typer.echo(json.dumps(outcome, ensure_ascii=False, default=str))


if __name__ == "__main__":
    main(app)
