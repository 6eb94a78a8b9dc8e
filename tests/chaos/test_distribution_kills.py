"""kill -9 of who tells a distribution and of who follows it, both at once."""

import asyncio
from pathlib import Path

from tests.chaos.distributions import Distribution
from tests.chaos.scenarios import some_customers
from tests.chaos.victims import victim
from tests.support.system import Rapport


async def test_a_distribution_survives_who_tells_it_and_who_follows_it(rapport: Rapport, tmp_path: Path) -> None:
    """K3, K4: told a second time, and followed a second time, every customer gets one manager, by one change."""
    staff = await rapport.employees("Lan", "Minh", "Hoa")
    distribution = Distribution(rapport, await some_customers(rapport, 20), list(staff.values()))
    await distribution.begin()
    async with (
        victim(rapport, "campaigns", "relay_dies_before_delete:1", tmp_path) as telling,
        victim(rapport, "customers", "consumer_dies_after_commit:1", tmp_path) as following,
    ):
        going = asyncio.create_task(distribution.hand_out())
        await following.has_died(going)
        await telling.has_died(going)
    await going
    await distribution.gave_everyone_one_manager()
