"""Work for a timer: imports and answers that have served their time are forgotten."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from services.imports.commands.expiry import BATCH, forget_old_content, give_up_previews
from services.imports.settings import ImportsSettings
from shared.database import Database
from shared.revealing import forget_reveals
from shared.service import purge
from shared.settings import Settings


async def purge_of_imports(database: Database, settings: Settings, today: date) -> Mapping[str, Any]:
    """What every service forgets, and numbers told an hour ago."""
    async with database.transaction() as session:
        await forget_reveals(session)
    return await purge(database, settings, today)


async def expire(database: Database, settings: Settings, _: date) -> Mapping[str, Any]:
    """Give up previews nobody confirmed, forget files and rows of old imports; catches up by batches."""
    assert isinstance(settings, ImportsSettings)
    outcome: dict[str, int] = {}
    for name, step, days in (
        ("cancelled", give_up_previews, settings.import_unconfirmed_days),
        ("emptied", forget_old_content, settings.import_content_days),
    ):
        outcome[name], full = 0, True
        while full:
            async with database.transaction() as session:
                count = await step(session, days)
            outcome[name], full = outcome[name] + count, count == BATCH
    return outcome
