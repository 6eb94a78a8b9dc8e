"""Reads records that aiokafka gives up on: a header whose name is not UTF-8, as careless clients write.

aiokafka raises while it hands a fetch over: the partition stands still for ever, and records of other
partitions that were handed over in the same call are lost. Here such a fetch is read once more, slowly,
and the bytes of the name stand escaped in it (`x-\\xe4`). Everything else is left to aiokafka.
"""

import struct
from collections.abc import Generator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_FRAME = struct.Struct(">qi")
"""Before every batch: its first offset, and how many bytes follow."""


def install() -> None:
    """Make the consumers of this process read such records; further calls change nothing."""
    fetcher.MemoryRecords = _Fetched
    fetcher.PartitionRecords = _Readable


class _Fetched:
    """One partition's part of a fetch, as aiokafka reads it, with its bytes kept."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        records = MemoryRecords(raw)
        self.has_next, self.next_batch, self.size_in_bytes = (
            records.has_next,
            records.next_batch,
            records.size_in_bytes,
        )


class _Readable(fetcher.PartitionRecords):
    """The records of one partition's part of a fetch, all of them."""

    def __init__(self, tp: Any, records: Any, aborted: Any, fetch_offset: int, *options: Any) -> None:
        self._again = lambda offset: _Plain(tp, _Slowly(records.raw), aborted, offset, *options)
        super().__init__(tp, records, aborted, fetch_offset, *options)

    def _unpack_records(self) -> Generator[Any, None, None]:
        try:
            yield from super()._unpack_records()
        except UnicodeDecodeError:
            rest = self._again(self.next_fetch_offset)
            for record in rest:
                self.next_fetch_offset = rest.next_fetch_offset
                yield record
            self.next_fetch_offset = rest.next_fetch_offset


_Plain = fetcher.PartitionRecords


class _Slowly:
    """The batches of a fetch, read by the decoder that forgives."""

    def __init__(self, raw: bytes) -> None:
        self._raw, self._position = raw, 0

    def has_next(self) -> bool:
        """Whether a whole batch follows; the last one of a fetch may be cut off."""
        return self._position + _FRAME.size <= len(self._raw) and self._end() <= len(self._raw)

    def next_batch(self) -> "_ForgivingBatch":
        """The batch that follows."""
        start, self._position = self._position, self._end()
        return _ForgivingBatch(self._raw[start : self._position])

    def _end(self) -> int:
        return self._position + _FRAME.size + _FRAME.unpack_from(self._raw, self._position)[1]


class _ForgivingBatch(_DefaultRecordBatchPy):  # pyright: ignore[reportGeneralTypeIssues]  # final for its typing only
    """A batch whose bytes forgive."""

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _ForgivingBytes(self._buffer)


class _ForgivingBytes(bytearray):
    """Bytes of which every part is a text."""

    def __getitem__(self, at: Any) -> Any:
        part = super().__getitem__(at)
        return _ForgivingBytes(part) if isinstance(at, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace")
