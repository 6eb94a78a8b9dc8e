"""The watch over consumers: a process whose client library hangs ends, one that waits for a server does not."""

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from prometheus_client import Gauge

from shared import telemetry
from shared.consumer_watch import EXIT_STUCK, ConsumerWatch, Watched
from tests.service.shared.conftest import MakeProbe
from tests.service.shared.probe.contracts import Notes, fact_notes
from tests.service.shared.probe.process import Probe
from tests.support.system import eventually

STUCK_SECONDS = 0.4
LONG_SECONDS = 4 * STUCK_SECONDS
SOON_SECONDS = 10
NOBODY = "127.0.0.1:1"


class Ended(BaseException):
    """The process has ended: nothing catches that."""


@dataclass
class Client:
    """What the client library says of one consumer with one partition; `deaf` is one that hears nothing."""

    notes: Notes
    read: int = 0
    end: int = 0
    deaf: bool = False
    partition: TopicPartition = field(init=False)

    def __post_init__(self) -> None:
        self.partition = TopicPartition(self.notes.topic.name, 0)

    def assignment(self) -> set[TopicPartition]:
        """Its partition."""
        return {self.partition}

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Where the topic ends."""
        if self.deaf:
            raise KafkaConnectionError
        return {self.partition: self.end}

    async def position(self, partition: TopicPartition) -> int:
        """What it has handed out."""
        return self.read


@pytest.fixture(autouse=True)
def ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test live when the process would end."""

    def end(status: int) -> None:
        raise Ended(status)

    monkeypatch.setattr(os, "_exit", end)


@pytest.fixture
async def probe(make_probe: MakeProbe) -> Probe:
    """A probe that loses patience soon."""
    return await make_probe(consumer_stuck_seconds=STUCK_SECONDS, consumer_progress_seconds=0.05)


async def test_a_consumer_that_hears_nothing_though_the_broker_answers_ends_its_process(probe: Probe) -> None:
    """After a broker's restart a client may never come back; a new process does."""
    client = Client(fact_notes(), deaf=True)
    await probe.make_topics(client.notes)
    assert await _ended(probe, _watched(client)) == EXIT_STUCK


async def test_while_the_broker_is_away_nobody_ends(make_probe: MakeProbe) -> None:
    """A new process would hear no more than this one, and people are still being served."""
    probe = await make_probe(
        consumer_stuck_seconds=STUCK_SECONDS, consumer_progress_seconds=0.05, kafka_bootstrap_servers=NOBODY
    )
    await _lives_on(probe, _watched(Client(fact_notes(), deaf=True)))


async def test_a_consumer_that_does_not_move_though_records_wait_ends_its_process(probe: Probe) -> None:
    """The broker answers, the records are there, and none is handed out."""
    assert await _ended(probe, _watched(Client(fact_notes(), read=3, end=5))) == EXIT_STUCK


async def test_a_consumer_that_has_read_everything_is_not_stuck(probe: Probe) -> None:
    """Nothing comes for days: that is peace."""
    await _lives_on(probe, _watched(Client(fact_notes(), read=5, end=5)))


async def test_a_batch_that_takes_long_is_not_stuck(probe: Probe) -> None:
    """Records that follow the batch in hand wait for it, not for the client."""
    watched = _watched(Client(fact_notes(), read=5, end=50))
    watched.in_hand = {0: 3}
    await _lives_on(probe, watched)


async def test_waiting_for_the_database_is_not_being_stuck(probe: Probe) -> None:
    """Between two attempts nothing is in hand; ending the process would not bring PostgreSQL back."""
    watched = _watched(Client(fact_notes(), read=3, end=5))
    watched.waiting_for_database = True
    await _lives_on(probe, watched)


async def test_progress_is_what_was_applied_not_what_was_handed_out(probe: Probe) -> None:
    """`Wait-For` and `as_of` would otherwise promise a batch that is still being applied."""
    client = Client(fact_notes(), read=500, end=800)
    watched = _watched(client)
    watched.in_hand = {0: 120}
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(ConsumerWatch(probe.settings, probe.database, [watched]).run())
        await eventually(lambda: _progress(probe, client, (120, 800)))
        watched.in_hand = {}
        await eventually(lambda: _progress(probe, client, (500, 800)))
        watching.cancel()


async def test_the_lag_of_a_topic_is_that_of_all_its_members(probe: Probe) -> None:
    """Each has some of the partitions: the last one asked would otherwise speak for the topic."""
    notes = fact_notes()
    members = [_watched(Client(notes, read=3, end=5)), _watched(Client(notes, read=10, end=14))]
    for member in members:
        member.waiting_for_database = True
    lag = telemetry.LAG.labels(probe.settings.service, notes.topic.name)
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(ConsumerWatch(probe.settings, probe.database, members).run())
        await eventually(lambda: _is(lag, 6))
        watching.cancel()


async def _is(gauge: Gauge, expected: int) -> bool:
    return next(iter(gauge.collect())).samples[0].value == expected


def _watched(client: Client) -> Watched:
    consumer: Any = client
    return Watched(client.notes.topic, lambda: consumer)


async def _ended(probe: Probe, watched: Watched) -> int:
    """With which status the watch ended the process."""
    try:
        await asyncio.wait_for(ConsumerWatch(probe.settings, probe.database, [watched]).run(), SOON_SECONDS)
    except Ended as ended:
        return ended.args[0]
    except TimeoutError:
        pass
    raise AssertionError("the process lives on with a consumer that hangs")


async def _lives_on(probe: Probe, watched: Watched) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(LONG_SECONDS):
            await ConsumerWatch(probe.settings, probe.database, [watched]).run()


async def _progress(probe: Probe, client: Client, expected: tuple[int, int]) -> bool:
    rows = await probe.sql(
        "SELECT next_offset, end_offset FROM consumer_progress WHERE topic = $1", client.notes.topic.name
    )
    assert [tuple(row) for row in rows] == [expected]
    return True
