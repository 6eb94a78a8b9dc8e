"""Work for a timer: what has served its time is forgotten."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from services.customers.commands.long_work import forget_long_work
from shared.database import Database
from shared.revealing import forget_reveals
from shared.service import purge
from shared.settings import Settings


async def purge_of_customers(database: Database, settings: Settings, today: date) -> Mapping[str, Any]:
    """What every service forgets, numbers told an hour ago, and long work that has expired or ended long ago."""
    async with database.transaction() as session:
        ended = await forget_long_work(session)
        await forget_reveals(session)
    return {**await purge(database, settings, today), "long_work": ended}
