"""How far this service has read each topic, as a table: other processes cannot ask the consumer.

Readiness, `as_of`, `Wait-For` and the sweeps read it. A partition's `progressed_at` moves when records
were applied, or when the broker said that there are none left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from shared.database import Session, run

_WRITE = """
INSERT INTO consumer_progress AS stored (topic, partition, next_offset, end_offset, progressed_at)
SELECT topic, partition, next_offset, end_offset, clock_timestamp()
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) AS news(topic, partition, next_offset, end_offset)
ON CONFLICT (topic, partition) DO UPDATE SET
    next_offset = excluded.next_offset, end_offset = excluded.end_offset,
    progressed_at = CASE
        WHEN excluded.next_offset <> stored.next_offset OR excluded.next_offset >= excluded.end_offset
        THEN excluded.progressed_at ELSE stored.progressed_at END
"""


class Position(NamedTuple):
    """One partition: the next offset to read, and the end as the broker last said."""

    topic: str
    partition: int
    next_offset: int
    end_offset: int


@dataclass(frozen=True)
class TopicProgress:
    """How far one topic is: partitions seen, records not yet read, and the oldest sign of life."""

    topic: str
    partitions: int
    lag: int
    progressed_at: datetime
    age_seconds: float


class PartitionProgress(NamedTuple):
    """One partition: how far it was read, the end as the broker last said, and how long ago that was."""

    partition: int
    next_offset: int
    end_offset: int
    age_seconds: float


async def write_progress(session: Session, positions: Sequence[Position]) -> None:
    """Store positions, in the order of partitions so that two writers never lock each other out."""
    if positions:
        await run(session, _WRITE, *map(list, zip(*positions, strict=True)))


async def read_progress(session: Session) -> dict[str, TopicProgress]:
    """The progress of every topic this service has read."""
    result = await run(
        session,
        "SELECT topic, count(*), sum(greatest(end_offset - next_offset, 0))::bigint, min(progressed_at),"
        " extract(epoch FROM clock_timestamp() - min(progressed_at))::float8"
        " FROM consumer_progress GROUP BY topic",
    )
    return {row[0]: TopicProgress(*row) for row in result}


async def read_partitions(session: Session, topic: str) -> list[PartitionProgress]:
    """The progress of one topic's partitions, as far as they were heard of."""
    result = await run(
        session,
        "SELECT partition, next_offset, end_offset,"
        " extract(epoch FROM clock_timestamp() - progressed_at)::float8 FROM consumer_progress WHERE topic = $1",
        topic,
    )
    return [PartitionProgress(*row) for row in result]
