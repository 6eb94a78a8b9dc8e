"""Does long work and what automation rules left to do beside the consumers: step by step, each one transaction.

Several processes may do so at once; each takes work that no other is at, or waits for the campaign's lock.
"""

import asyncio
from functools import partial

from services.campaigns.commands.automated import add_taken, give_up_task, next_campaign
from services.campaigns.commands.working import do_next
from services.campaigns.domain.long_work import LongWork
from services.campaigns.settings import CampaignsSettings
from shared import telemetry, working
from shared.database import Database, is_transient
from shared.settings import Settings
from shared.steps import do_steps

log = telemetry.logger("campaigns-worker")


async def work(database: Database, settings: Settings, ended: asyncio.Event) -> None:
    """Do what long work is there to do, until `ended`."""
    assert isinstance(settings, CampaignsSettings)
    step = partial(work_next, database)
    await do_steps(step, settings.long_work_poll_seconds, settings.long_work_pause_seconds, ended)


async def automate(database: Database, settings: Settings, ended: asyncio.Event) -> None:
    """Add to campaigns whom automation rules took, until `ended`."""
    assert isinstance(settings, CampaignsSettings)
    step = partial(automate_next, database)
    await do_steps(step, settings.automation_poll_seconds, settings.long_work_pause_seconds, ended)


async def work_next(database: Database) -> bool:
    """Do one step of the oldest work; False when there is nothing to do. Raises what passes by itself."""
    return await working.work_next(database, LongWork, do_next)


async def automate_next(database: Database) -> bool:
    """Do one step of what rules left to do; False when there is nothing. Raises what passes by itself.

    What fails by our own fault is done again one by one, so that only what fails is given up.
    """
    async with database.reading() as session:
        campaign_id = await next_campaign(session)
    if campaign_id is None:
        return False
    try:
        async with database.transaction() as session:
            return bool(await add_taken(session, campaign_id))
    except Exception as error:
        if is_transient(error):
            raise
        log.error("automation step failed", campaign_id=str(campaign_id), exc_info=error)
    try:
        async with database.transaction() as session:
            return bool(await add_taken(session, campaign_id, limit=1))
    except Exception as error:
        if is_transient(error):
            raise
    async with database.transaction() as session:
        await give_up_task(session, campaign_id)
    return True
