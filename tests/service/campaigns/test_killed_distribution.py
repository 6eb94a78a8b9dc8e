"""A distribution whose process is killed goes on by itself where it was: nothing twice, nothing lost (K4)."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deploy.local.settings import PROJECT
from services.campaigns.worker import work_next
from shared.contracts.campaigns import OpportunityOwnerAssigned
from tests.service.campaigns.conftest import API, Office

OPPORTUNITIES = 4_000
SECONDS = 60
LOOK_SECONDS = 0.005


@asynccontextmanager
async def worker(office: Office) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that works, until it is killed."""
    url = office.harness.settings.database_url.get_secret_value()
    command = (sys.executable, "-m", "tests.service.campaigns.distributing", url)
    process = await asyncio.create_subprocess_exec(*command, cwd=PROJECT)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _reach(office: Office, path: str, goal: int) -> None:
    deadline = asyncio.get_running_loop().time() + SECONDS
    while (done := (await office.manager.get(path)).json()["done"]) < goal:
        assert asyncio.get_running_loop().time() < deadline, f"{done} of {goal}"
        await asyncio.sleep(LOOK_SECONDS)


async def test_a_distribution_killed_twice_gives_every_opportunity_once(office: Office) -> None:
    """K4: kill -9 between or within batches; shares are as fair as if nothing had happened."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], office.lan, office.minh, office.hoa)
    for _ in range(OPPORTUNITIES // 1_000):
        await office.add(campaign["id"], await office.customers(1_000))
    answer = await office.manager.post(f"{API}/campaigns/{campaign['id']}/distribute", json={})
    path = answer.headers["location"]

    for goal in (1_000, 2_000):
        async with worker(office) as process:
            await _reach(office, path, goal)
            process.send_signal(signal.SIGKILL)
            await process.wait()
    async with asyncio.timeout(SECONDS):
        while (await office.manager.get(path)).json()["state"] == "running":
            if not await work_next(office.harness.database):  # its lock goes when the server sees the process gone
                await asyncio.sleep(LOOK_SECONDS)

    done = (await office.manager.get(path)).json()
    assert (done["state"], done["done"], done["failed"]) == ("finished", OPPORTUNITIES, 0)
    told = await office.told(OpportunityOwnerAssigned)
    assert len({event.state.id for event in told}) == len(told) == OPPORTUNITIES
    assert {event.version for event in told} == {2}
    shares = Counter(event.state.owner_id for event in told)
    assert max(shares.values()) - min(shares.values()) <= 1
    [(rows, distinct)] = await office.harness.sql(
        "SELECT count(*), count(DISTINCT item ->> 'opportunity_id') FROM long_work_item"
    )
    assert rows == distinct == OPPORTUNITIES
