"""Asks the broker for more when what was fetched is taken, never for a part of the partitions; takes these by turns.

aiokafka waits a tenth of a second for a partition whose records are in hand, then asks for the other ones without
it. An answer that finds nothing there is held back by the broker for half a second, and until it comes nothing
else is asked for: records that follow on the busy partition lie at the broker meanwhile. An import lost
a third of its time so.

aiokafka also empties one partition before it looks at the next: of several imports, one's chunks lay behind all
of another's.
"""

from typing import Any

from aiokafka.consumer import consumer, fetcher

LOOK_AGAIN_SECONDS = 1.0
"""In which a request is thought over while records are in hand; taking the last of them wakes it at once."""

FETCH_WAIT_SECONDS = 1.0
"""How long the broker holds a request back that finds nothing. Answering twice as often was a tenth of an idle core;
who has got other partitions waits as long for them at most.
"""

FEW = 10
"""Records asked for together that are much work each: they are taken of different partitions."""


def install() -> None:
    """Make the consumers of this process ask so; further calls change nothing."""
    fetcher.FetchResult = _InHand
    consumer.Fetcher = _ByTurns


class _InHand(fetcher.FetchResult):
    """What was fetched of one partition and is not taken yet."""

    def calculate_backoff(self) -> float:
        """Seconds that the next request has to wait as long as this lies here."""
        return LOOK_AGAIN_SECONDS


class _ByTurns(fetcher.Fetcher):
    """What was fetched, handed over partition by partition: whose turn it was comes last."""

    def __init__(self, *wired: Any, **options: Any) -> None:
        super().__init__(*wired, **options)
        self._fetcher_timeout = LOOK_AGAIN_SECONDS  # whatever there is to do wakes it
        self._failure: Exception | None = None

    async def fetched_records(
        self, partitions: Any, timeout: int = 0, max_records: int | None = None
    ) -> dict[Any, list[Any]]:
        """The next records, by partition; where few are asked for, one of each first."""
        if max_records is None or max_records > FEW:
            return await self._of_next(partitions, timeout, max_records)
        if (failure := self._failure) is not None:
            self._failure = None
            raise failure
        taken = await self._of_next(partitions, timeout, 1)
        for _ in range(max_records - 1 if taken else 0):
            try:
                more = await self._of_next(partitions, 0, 1)
            except Exception as error:  # told with the next call, or what was taken would be lost
                self._failure = error
                break
            for partition, records in more.items():
                taken.setdefault(partition, []).extend(records)
        return taken

    async def _of_next(self, partitions: Any, timeout: int, most: int | None) -> dict[Any, list[Any]]:
        taken: dict[Any, list[Any]] = await super().fetched_records(partitions, timeout, most)
        for partition in taken.keys() & self._records.keys():
            self._records.move_to_end(partition)
        return taken
