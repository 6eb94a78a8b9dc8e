"""A topic in memory, as `rebuild` reads it: records as they lie on the wire, and where the consumers are."""

import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.contracts.events import Event, Topic
from shared.envelope import Origin, encode_headers, new_id

BATCH = 3
PARTITIONS = 2


@dataclass(frozen=True)
class WrittenRecord:
    """One record of the topic."""

    partition: int
    offset: int
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class FakeTopic:
    """Two partitions. `reached` is what the consumers have committed, `read_along` moves it to the end."""

    def __init__(self, topic: Topic, *events: Event) -> None:
        self.topic = topic
        self.partitions: list[list[WrittenRecord]] = [[] for _ in range(PARTITIONS)]
        self.reached: dict[int, int] = {}
        self.write(*events)
        self.read_along()

    def write(self, *events: Event) -> None:
        """Append events."""
        for event in events:
            headers = encode_headers(event, str(new_id()), "test", datetime.now(UTC), Origin())
            pairs = tuple((name, text.encode()) for name, text in headers.items())
            self.put(event.key, event.model_dump_json().encode(), pairs)

    def put(self, key: str, value: bytes | None, headers: tuple[tuple[str, bytes], ...] = ()) -> None:
        """Append a record; without a body it is a tombstone."""
        number = zlib.crc32(key.encode()) % PARTITIONS
        records = self.partitions[number]
        records.append(WrittenRecord(number, len(records), key.encode(), value, headers))

    def read_along(self) -> None:
        """The consumers have applied everything there is."""
        self.reached = {number: len(records) for number, records in enumerate(self.partitions)}

    async def bounds(self) -> Mapping[int, tuple[int, int]]:
        """As a feed answers it."""
        return {number: (0, len(records)) for number, records in enumerate(self.partitions)}

    async def committed(self) -> Mapping[int, int]:
        """As a feed answers it."""
        return self.reached

    async def read(self, start: Mapping[int, int], stop: Mapping[int, int]) -> AsyncIterator[Sequence[WrittenRecord]]:
        """As a feed answers it, in small batches."""
        for number, records in enumerate(self.partitions):
            wanted = records[start[number] : stop[number]]
            for first in range(0, len(wanted), BATCH):
                yield wanted[first : first + BATCH]
