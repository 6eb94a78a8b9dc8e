"""How frequent words are, from PostgreSQL's own statistics: which plan a text search takes.

The statistics are read again once a minute; a wrong guess costs a few milliseconds, never a wrong
answer. Who may see a customer is a word, too, so the size of somebody's reach is part of the guess.
"""

import re
import time
from bisect import bisect_left

from shared.database import Session, run

REFRESH_SECONDS = 60.0
UNKNOWN_SHARE = 0.0001
"""Of a word that no statistic knows."""

_COUNT = "SELECT greatest(reltuples, 0)::float8 FROM pg_class WHERE oid = 'customer_search'::regclass"
_LEXEME = re.compile(r"'([^']*)'")


class _Statistics:
    customers = 0.0
    lexemes: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    read_at = float("-inf")


async def estimated_share(session: Session, query: str) -> float:
    """Which share of all customers a query over lexemes finds, as if its words were independent.

    1 while there are no statistics.
    """
    if time.monotonic() - _Statistics.read_at > REFRESH_SECONDS:
        await _read(session)
    if not _Statistics.lexemes or not query:
        return 1.0
    share = 1.0
    for alternatives in query.split(" & "):
        share *= min(1.0, sum(map(_share, _LEXEME.findall(alternatives))))
    return share


async def estimated_customers(session: Session) -> float:
    """About how many customers there are."""
    await estimated_share(session, "")
    return _Statistics.customers


def _share(prefix: str) -> float:
    start = bisect_left(_Statistics.lexemes, prefix)
    total = UNKNOWN_SHARE
    for index in range(start, len(_Statistics.lexemes)):
        if not _Statistics.lexemes[index].startswith(prefix):
            break
        total += _Statistics.shares[index]
    return total


async def _read(session: Session) -> None:
    _Statistics.read_at = time.monotonic()
    found = await run(
        session,
        "SELECT most_common_elems::text::text[], most_common_elem_freqs FROM pg_stats"
        " WHERE tablename = 'customer_search' AND attname = 'words'",
    )
    _Statistics.customers = (await run(session, _COUNT)).scalar_one()
    row = found.one_or_none()
    if row is None or row[0] is None:
        _Statistics.lexemes, _Statistics.shares = (), ()
        return
    pairs = sorted(zip(row[0], row[1], strict=False))  # the frequencies end with two or three bounds
    _Statistics.lexemes = tuple(lexeme for lexeme, _ in pairs)
    _Statistics.shares = tuple(share for _, share in pairs)
