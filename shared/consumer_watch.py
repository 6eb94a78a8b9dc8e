"""Watches the consumers of a process: says how far each is, and ends the process when one hangs.

aiokafka can stop fetching, or stop answering, for good after a broker's restart; only a new process
helps, and everything is safe to end at any point. What keeps waiting for PostgreSQL does not hang.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from aiokafka import AIOKafkaConsumer

from shared import kafka, telemetry
from shared.contracts.events import Topic
from shared.database import Database
from shared.progress import Position, write_progress
from shared.settings import Settings

log = telemetry.logger("messaging")

ANSWER_SECONDS = 5
EXIT_STUCK = 70


@dataclass
class Watched:
    """What is known of one consumer: the batch in hand, when it last moved, when the broker last answered it."""

    topic: Topic
    consumer: Callable[[], AIOKafkaConsumer | None]
    in_hand: dict[int, int] = field(default_factory=dict)
    """The first offset of each partition in the batch that is being applied."""
    moved_at: float = field(default_factory=time.monotonic)
    heard_at: float = field(default_factory=time.monotonic)
    waiting_for_database: bool = False
    lag: int = 0
    """Records not yet applied, when it last answered."""


class ConsumerWatch:
    """One watch over all consumers of a service in this process."""

    def __init__(self, settings: Settings, database: Database, watched: Sequence[Watched]) -> None:
        self._settings, self._database, self._watched = settings, database, watched

    async def run(self) -> None:
        """Tell, also when nothing comes, how far each partition is; until cancelled."""
        while True:
            await asyncio.sleep(self._settings.consumer_progress_seconds)
            heard = await asyncio.gather(*(self._hear(watched) for watched in self._watched))
            self._tell_lag()
            try:
                async with self._database.transaction() as session:
                    await write_progress(session, sorted(chain.from_iterable(heard)))
            except Exception as error:
                log.warning("progress not written", error=repr(error))

    def _tell_lag(self) -> None:
        """Of a topic as a whole: several members of its group have some of its partitions each."""
        lag = Counter[str]()
        for watched in self._watched:
            lag[watched.topic.name] += watched.lag
        for topic, records in lag.items():
            telemetry.LAG.labels(self._settings.service, topic).set(records)

    async def _hear(self, watched: Watched) -> list[Position]:
        try:
            positions = await self._look(watched)
        except Exception as error:  # of any kind: without the watch nobody would ever call this process ready
            log.warning("no word from the broker", topic=watched.topic.name, error=repr(error))
            await self._end_if_deaf(watched)
            return []
        watched.heard_at = time.monotonic()
        return positions

    async def _look(self, watched: Watched) -> list[Position]:
        consumer = watched.consumer()
        assigned = consumer.assignment() if consumer is not None else ()
        lag, waiting, positions = 0, 0, []
        if consumer is not None and assigned:
            ends = await asyncio.wait_for(consumer.end_offsets(assigned), ANSWER_SECONDS)
            for partition in assigned:
                offset = await asyncio.wait_for(consumer.position(partition), ANSWER_SECONDS)
                # the consumer's position is ahead of what has been applied
                offset = watched.in_hand.get(partition.partition, offset)
                behind = max(ends[partition] - offset, 0)
                lag += behind
                waiting += behind if partition.partition not in watched.in_hand else 0
                positions.append(Position(watched.topic.name, partition.partition, offset, ends[partition]))
        watched.lag = lag
        self._end_if_stuck(watched, waiting)
        return positions

    def _end_if_stuck(self, watched: Watched, waiting: int) -> None:
        if waiting == 0 or watched.waiting_for_database:
            watched.moved_at = time.monotonic()
        elif time.monotonic() - watched.moved_at > self._settings.consumer_stuck_seconds:
            _end("consumer is stuck, ending the process", watched.topic, waiting=waiting)

    async def _end_if_deaf(self, watched: Watched) -> None:
        """Somebody else is asked about the topic, so that a broker that is away is not taken for our fault."""
        silent_seconds = time.monotonic() - watched.heard_at
        if silent_seconds > self._settings.consumer_stuck_seconds and await kafka.answers(
            self._settings, watched.topic
        ):
            _end("consumer hears nothing though the broker answers", watched.topic, silent_seconds=silent_seconds)


def _end(why: str, topic: Topic, **more: float) -> None:
    log.critical(why, topic=topic.name, **more)
    os._exit(EXIT_STUCK)
