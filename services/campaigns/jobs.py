"""Work for a timer: what waits is handed out, what has expired is forgotten, ended campaigns leave nothing."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from services.campaigns.commands.campaigns import lock_campaigns
from services.campaigns.commands.customer_changes import forget_changes
from services.campaigns.commands.decisions import forget_runs
from services.campaigns.commands.distribution import campaigns_with_waiting, drain
from services.campaigns.commands.inactivity import hand_on_of_inactive, inactive_owners
from services.campaigns.commands.long_work import forget_long_work
from services.campaigns.commands.removals import half_removed_campaigns, remove_the_rest
from services.campaigns.commands.selections import forget_selections
from shared.database import Database
from shared.service import purge
from shared.settings import Settings


async def distribute_waiting(database: Database, _: Settings, __: date) -> Mapping[str, Any]:
    """Hand on what inactive people own, then drain every campaign's queue as far as somebody is free (K4)."""
    async with database.transaction() as session:
        inactive = await inactive_owners(session)
        await hand_on_of_inactive(session, inactive)
    async with database.reading() as session:
        campaign_ids = await campaigns_with_waiting(session)
    assigned = 0
    for campaign_id in campaign_ids:
        while True:
            async with database.transaction() as session:
                found = sum(
                    [await drain(session, campaign) for campaign in await lock_campaigns(session, [campaign_id])]
                )
            if not found:
                break
            assigned += found
    return {"campaigns": len(campaign_ids), "assigned": assigned, "inactive_owners": len(inactive)}


async def purge_of_campaigns(database: Database, settings: Settings, today: date) -> Mapping[str, Any]:
    """What every service forgets, expired selections, long work, changes and runs of rules of long ago.

    The removal of an ended campaign that failed is begun again first, before its failure is forgotten: its managers may
    be gone, and once an hour holds nothing up.
    """
    async with database.transaction() as session:
        half_removed = await lock_campaigns(session, await half_removed_campaigns(session))
        begun = [work for campaign in half_removed if (work := await remove_the_rest(session, campaign)) is not None]
    async with database.transaction() as session:
        selections, ended = await forget_selections(session), await forget_long_work(session)
        changes, runs = await forget_changes(session), await forget_runs(session)
    forgotten = {"selections": selections, "long_work": ended, "customer_changes": changes, "automation_runs": runs}
    return {**await purge(database, settings, today), **forgotten, "removals_begun_again": len(begun)}
