"""How frequent words are, from PostgreSQL's own statistics: which plan a text search takes.

A word that no statistic knows is rare. The statistics are read again once a minute; a wrong guess
costs a few milliseconds, never a wrong answer.
"""

import re
import time
from bisect import bisect_left

from shared.database import Session, run

REFRESH_SECONDS = 60.0
RARE_SHARE = 0.01
"""Below one in a hundred the inverted index is faster than a walk that stops early."""

_LEXEME = re.compile(r"'([^']*)'")


class _Statistics:
    lexemes: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    read_at = float("-inf")


async def known_as_rare(session: Session, query: str) -> bool:
    """Whether some word of a query is in less than one in a hundred customers."""
    if time.monotonic() - _Statistics.read_at > REFRESH_SECONDS:
        await _read(session)
    if not _Statistics.lexemes:
        return False
    words = query.split(" & ")
    return any(max(map(_share, _LEXEME.findall(word))) < RARE_SHARE for word in words)


def _share(prefix: str) -> float:
    start = bisect_left(_Statistics.lexemes, prefix)
    total = 0.0
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
    row = found.one_or_none()
    if row is None or row[0] is None:
        _Statistics.lexemes, _Statistics.shares = (), ()
        return
    pairs = sorted(zip(row[0], row[1], strict=False))  # the frequencies end with two or three bounds
    _Statistics.lexemes = tuple(lexeme for lexeme, _ in pairs)
    _Statistics.shares = tuple(share for _, share in pairs)
