"""Servers that go away and come back, consumers that come and go, all under load."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from services.interactions.consumers import INGEST_MEMBERS
from shared.contracts.interactions import INGEST
from tests.chaos.conftest import Ground
from tests.chaos.scenarios import Creations, Facts, Patches, some_customers
from tests.chaos.victims import Process
from tests.support.system import Rapport, eventually

pytestmark = pytest.mark.usefixtures("kept")

KAFKA_AWAY_SECONDS = 20
POSTGRES_AWAY_SECONDS = 10
JOINED_SECONDS = 60
"""A member that was killed is missed after its session's timeout."""
TOGETHER_SECONDS = 3
LINGER_SECONDS = 2
"""So that a kill finds a batch whose effects are committed and whose offsets are not."""
ANSWER_SECONDS = 8
"""Nobody waits longer for an answer, whatever is away."""


async def test_kafka_killed_for_twenty_seconds_costs_nothing_and_nobody_is_turned_away(
    rapport: Rapport, ground: Ground
) -> None:
    """People go on working meanwhile, and services say what they no longer hear of (A2); then all reaches everybody."""
    customers = await some_customers(rapport, 4)
    patches, creations = Patches(rapport, customers), Creations(rapport)
    async with Facts(rapport, customers) as facts:
        await facts.report(waves=5, pause_seconds=0)
        await asyncio.to_thread(ground.kafka.kill)
        ended = time.monotonic() + KAFKA_AWAY_SECONDS
        complaint = asyncio.create_task(_complains(rapport, "campaigns", "no progress for"))
        async with rapport.client() as admin:
            await creations.make(clients=2, each=5)
            while time.monotonic() < ended:
                await patches.make(1, pause_seconds=0.5)
                assert (await admin.get("/customers", params={"limit": 5})).status_code == 200
        await complaint
        await asyncio.to_thread(ground.kafka.start)
    async with Facts(rapport, customers) as more:
        await more.report(waves=5, pause_seconds=0.1)
        more.waves += facts.waves
        await more.are_shown()
    await patches.arrived_everywhere()
    await creations.exist_once()


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
    """I12: a second process takes half of the partitions, twice; the killed one leaves an applied batch unsaid."""
    customers, fault = await some_customers(rapport, 24), f"consumer_lingers_before_offsets:{LINGER_SECONDS}"
    async with Facts(rapport, customers) as facts:
        async with facts.kept_coming(pause_seconds=0.1):
            for ends in (Process.stop, Process.kill):
                second = Process("interactions", "consumers", fault, rapport.environment, tmp_path)
                try:
                    await second.start()
                    await eventually(lambda: _processes(rapport, "interactions", 2), seconds=JOINED_SECONDS)
                    await asyncio.sleep(TOGETHER_SECONDS)
                    await ends(second)
                finally:
                    await second.kill()
                await eventually(lambda: _processes(rapport, "interactions", 1), seconds=JOINED_SECONDS)
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


async def _complains(rapport: Rapport, service: str, words: str) -> None:
    """Return when a service's readiness says so. Raises AssertionError if it does not while the server is away."""

    async def complaint() -> bool:
        reason = await asyncio.to_thread(rapport.services[service].not_ready_because)
        assert words in (reason or ""), f"{service} complains of {reason}"
        return True

    await eventually(complaint, seconds=KAFKA_AWAY_SECONDS)


async def _processes(rapport: Rapport, service: str, count: int) -> bool:
    """Whether the members of so many processes share the topic of reported facts."""
    admin = AIOKafkaAdminClient(bootstrap_servers=rapport.bootstrap_servers)
    await admin.start()
    try:
        [answer] = await admin.describe_consumer_groups([f"{service}.{INGEST.name}"])
    finally:
        await admin.close()
    [group] = answer.to_object()["groups"]
    members = group["members"]
    assert len(members) == count * INGEST_MEMBERS, f"{len(members)} members"
    return True
