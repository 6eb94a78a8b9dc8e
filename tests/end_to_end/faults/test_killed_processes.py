"""kill -9 where it hurts most: the system comes back by itself with nothing lost and nothing twice."""

import asyncio
from pathlib import Path

from tests.chaos.scenarios import Creations, Facts, Patches, some_customers
from tests.chaos.victims import victim
from tests.support.system import Rapport


async def test_a_consumer_killed_between_its_commit_and_its_offsets_counts_every_fact_once(
    rapport: Rapport, tmp_path: Path
) -> None:
    """I10: the batch comes a second time, and the ledger knows it."""
    async with Facts(rapport, await some_customers(rapport, 4)) as facts:
        async with victim(rapport, "interactions", "consumer_dies_after_commit:2", tmp_path):
            await facts.report(waves=12, pause_seconds=0.1)
        await facts.are_counted_once()


async def test_a_relay_killed_between_send_and_delete_leaves_no_gap_and_no_old_word(
    rapport: Rapport, tmp_path: Path
) -> None:
    """The batch is sent a second time under the same ids; copies end with the newest version."""
    patches = Patches(rapport, await some_customers(rapport, 4))
    async with victim(rapport, "customers", "relay_dies_before_delete:3", tmp_path) as dying:
        making = asyncio.create_task(patches.make(12))
        await dying.has_died()
    await making
    await patches.arrived_everywhere()


async def test_a_client_that_repeats_what_a_killed_api_never_answered_gets_one_customer(
    rapport: Rapport, tmp_path: Path
) -> None:
    """The write was committed with its answer: the repetition gets it, and creates nothing."""
    creations = Creations(rapport)
    async with victim(rapport, "customers", "api_dies_before_answer:5", tmp_path) as dying:
        making = asyncio.create_task(creations.make(clients=3, each=4))
        await dying.has_died()
    await making
    await creations.exist_once()
