"""kill -9 at every place that matters, of every part that writes."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.scenarios import Creations, Facts, Patches, some_customers
from tests.chaos.victims import victim
from tests.support.system import Rapport


@pytest.mark.parametrize("fault", ["consumer_dies_before_commit:2", "consumer_dies_after_commit:2"])
async def test_facts_survive_their_consumer(rapport: Rapport, tmp_path: Path, fault: str) -> None:
    """I10: killed before its commit the batch was never applied, killed after it is not applied again."""
    async with Facts(rapport, await some_customers(rapport, 4)) as facts:
        async with victim(rapport, "interactions", fault, tmp_path):
            await facts.report(waves=12, pause_seconds=0.1)
        await facts.are_counted_once()


@pytest.mark.parametrize("fault", ["relay_dies_before_send:3", "relay_dies_before_delete:3"])
async def test_changes_survive_their_relay(rapport: Rapport, tmp_path: Path, fault: str) -> None:
    """Killed before it sends the event still waits, killed after it goes a second time under the same id."""
    patches = Patches(rapport, await some_customers(rapport, 4))
    async with victim(rapport, "customers", fault, tmp_path) as dying:
        making = asyncio.create_task(patches.make(12))
        await dying.has_died(making)
    await making
    await patches.arrived_everywhere()


@pytest.mark.parametrize("fault", ["api_dies_before_commit:5", "api_dies_before_answer:5"])
async def test_requests_survive_their_api(rapport: Rapport, tmp_path: Path, fault: str) -> None:
    """Killed before its commit nothing was done, killed after it the repetition gets the first answer."""
    creations = Creations(rapport)
    async with victim(rapport, "customers", fault, tmp_path) as dying:
        making = asyncio.create_task(creations.make(clients=3, each=4))
        await dying.has_died(making)
    await making
    await creations.exist_once()
