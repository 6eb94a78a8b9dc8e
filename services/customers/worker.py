"""Does long work beside the consumers: step by step, each step one transaction, from where it stands.

Several processes may do so at once; each takes work that no other is at.
"""

import asyncio
import contextlib

from services.customers.commands.working import give_up, next_work, work_on
from services.customers.settings import CustomersSettings
from shared import telemetry
from shared.database import Database, is_transient
from shared.settings import Settings

log = telemetry.logger("customers-worker")


async def work(database: Database, settings: Settings, ended: asyncio.Event) -> None:
    """Do what is there to do, until `ended`. A fault that passes only makes it rest; others end the process."""
    assert isinstance(settings, CustomersSettings)
    while not ended.is_set():
        rest_seconds = settings.long_work_poll_seconds
        try:
            if await work_next(database):
                continue
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("work interrupted", error=repr(error))
            rest_seconds = settings.long_work_pause_seconds
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), rest_seconds)


async def work_next(database: Database) -> bool:
    """Do one step of the oldest work; False when there is nothing to do. Raises what passes by itself."""
    async with database.reading() as session:
        work_id = await next_work(session)
    if work_id is None:
        return False
    try:
        async with database.transaction() as session:
            return await work_on(session, work_id, database.service)
    except Exception as error:
        if is_transient(error):
            raise
        log.error("work given up", work_id=str(work_id), exc_info=error)
    async with database.transaction() as session:
        await give_up(session, work_id)
    return True
