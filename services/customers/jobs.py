"""Work for a timer: what has served its time is forgotten."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from services.customers.commands.imports import FORGOTTEN_AT_ONCE, forget_import_rows
from services.customers.commands.long_work import forget_long_work
from services.customers.settings import CustomersSettings
from shared.database import Database
from shared.revealing import forget_reveals
from shared.service import purge
from shared.settings import Settings


async def purge_of_customers(database: Database, settings: Settings, today: date) -> Mapping[str, Any]:
    """What every service forgets, numbers told an hour ago, and long work and rows of imports that ended long ago."""
    assert isinstance(settings, CustomersSettings)
    async with database.transaction() as session:
        ended = await forget_long_work(session)
        await forget_reveals(session)
    rows, full = 0, True
    while full:
        async with database.transaction() as session:
            forgotten = await forget_import_rows(session, settings.import_row_days)
        rows, full = rows + forgotten, forgotten == FORGOTTEN_AT_ONCE
    return {**await purge(database, settings, today), "long_work": ended, "import_rows": rows}
