"""Asks the broker for more when what was fetched is taken, never for a part of the partitions.

aiokafka waits a tenth of a second for a partition whose records are in hand, then asks for the other ones without
it. An answer that finds nothing there is held back by the broker for half a second, and until it comes nothing
else is asked for: records that follow on the busy partition lie at the broker meanwhile. An import lost
a third of its time so.
"""

from aiokafka.consumer import fetcher

LOOK_AGAIN_SECONDS = 1.0
"""In which a request is thought over while records are in hand; taking the last of them wakes it at once."""


def install() -> None:
    """Make the consumers of this process ask so; further calls change nothing."""
    fetcher.FetchResult = _InHand


class _InHand(fetcher.FetchResult):
    """What was fetched of one partition and is not taken yet."""

    def calculate_backoff(self) -> float:
        """Seconds that the next request has to wait as long as this lies here."""
        return LOOK_AGAIN_SECONDS
