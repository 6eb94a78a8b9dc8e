"""The only place where the parts of the imports service are put together."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from services.imports import consumers
from services.imports.api import contacts, events, files, imports, mappings, preparation, rows
from services.imports.commands.expiry import BATCH, forget_old_content, give_up_previews
from services.imports.settings import ImportsSettings
from services.imports.worker import work
from shared.database import Database
from shared.messaging import subscriptions_in
from shared.service import Service
from shared.settings import Settings


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


SERVICE = Service(
    name="imports",
    title="Rapport: imports",
    description="Files of customers and contacts: upload, mapping, preview, confirm, result, undo.",
    package="services.imports",
    routers=[
        # fixed paths before `/imports/{import_id}`, which would take them for ids
        files.routes,
        mappings.routes,
        imports.routes,
        preparation.routes,
        rows.routes,
        events.routes,
        contacts.routes,
    ],
    subscriptions=subscriptions_in(consumers),
    settings=ImportsSettings,
    jobs={"expire": expire},
    workers=[work],
)
