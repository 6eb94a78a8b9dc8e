"""Servers that go away and come back, consumers that come and go, all under load."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.chaos.conftest import READY_AGAIN_SECONDS, Ground
from tests.chaos.scenarios import Creations, Facts, Patches, some_customers
from tests.chaos.victims import Process
from tests.support.system import Rapport, eventually

pytestmark = pytest.mark.usefixtures("kept")

KAFKA_AWAY_SECONDS = 20
POSTGRES_AWAY_SECONDS = 10
ANSWER_SECONDS = 8
"""Nobody waits longer for an answer, whatever is away."""


async def test_kafka_killed_for_twenty_seconds_costs_nothing_and_nobody_is_turned_away(
    rapport: Rapport, ground: Ground
) -> None:
    """People go on working meanwhile; what they did reaches everybody when the broker is back."""
    customers = await some_customers(rapport, 4)
    patches, creations = Patches(rapport, customers), Creations(rapport)
    async with Facts(rapport, customers) as facts:
        await facts.report(waves=5, pause_seconds=0)
        await asyncio.to_thread(ground.kafka.kill)
        ended = time.monotonic() + KAFKA_AWAY_SECONDS
        async with rapport.client() as admin:
            await creations.make(clients=2, each=5)
            while time.monotonic() < ended:
                await patches.make(1, pause_seconds=0.5)
                assert (await admin.get("/customers", params={"limit": 5})).status_code == 200
        await asyncio.to_thread(ground.kafka.start)
    async with Facts(rapport, customers) as more:
        await more.report(waves=5, pause_seconds=0.1)
        more.waves += facts.waves
        await more.are_shown()
    await patches.arrived_everywhere()
    await creations.exist_once()


async def test_a_service_cut_off_from_the_broker_says_so_and_is_ready_again_by_itself(
    rapport: Rapport, ground: Ground
) -> None:
    """A2: readiness names what is not heard of any more."""
    await asyncio.to_thread(ground.kafka.kill)
    try:
        await eventually(lambda: _complaint(rapport, "campaigns", "no progress for"), seconds=READY_AGAIN_SECONDS)
    finally:
        await asyncio.to_thread(ground.kafka.start)


async def test_postgres_killed_for_ten_seconds_is_503_and_afterwards_everything_is_there(
    rapport: Rapport, ground: Ground
) -> None:
    """No 500, no endless wait; facts and changes that came meanwhile are applied once."""
    customers = await some_customers(rapport, 4)
    patches, creations = Patches(rapport, customers), Creations(rapport)
    async with Facts(rapport, customers) as facts, rapport.client() as admin:
        working = [
            asyncio.create_task(facts.report(waves=60, pause_seconds=0.3)),
            asyncio.create_task(patches.make(60, pause_seconds=0.1)),
            asyncio.create_task(creations.make(clients=3, each=10)),
        ]
        await asyncio.sleep(2)
        await asyncio.to_thread(ground.postgres.kill)
        ended = time.monotonic() + POSTGRES_AWAY_SECONDS
        while time.monotonic() < ended:
            await _refused_in_time(admin)
        await asyncio.to_thread(ground.postgres.start)
        await asyncio.gather(*working)
        await facts.are_counted_once()
    await patches.arrived_everywhere()
    await creations.exist_once()


async def test_consumers_that_join_leave_and_die_under_load_lose_and_repeat_nothing(
    rapport: Rapport, tmp_path: Path
) -> None:
    """Each of three second processes takes half of the partitions over in the middle of the work."""
    customers = await some_customers(rapport, 24)
    async with Facts(rapport, customers) as facts:
        reporting = asyncio.create_task(facts.report(waves=150, pause_seconds=0.1))
        for round_number in range(3):
            second = Process("interactions", "consumers", "", rapport.environment, tmp_path)
            await second.start()
            await asyncio.sleep(4)
            await (second.kill() if round_number == 1 else second.stop())
        await reporting
        await facts.are_counted_once()


async def _refused_in_time(admin: httpx.AsyncClient) -> None:
    started = time.monotonic()
    answer = await admin.get("/customers", params={"limit": 1})
    assert answer.status_code in (200, 503, 504), answer.text
    if answer.status_code == 503:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "unavailable"
    assert time.monotonic() - started < ANSWER_SECONDS
    await asyncio.sleep(0.2)


async def _complaint(rapport: Rapport, service: str, words: str) -> Any:
    reason = await asyncio.to_thread(rapport.services[service].not_ready_because)
    return reason is not None and words in reason
