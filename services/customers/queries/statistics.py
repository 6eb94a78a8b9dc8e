"""How frequent words and values are, from PostgreSQL's own statistics: which plan a list takes.

They are read again once a minute; a wrong guess costs a few milliseconds, never a wrong answer. Who may
see a customer is a word, too, so the size of somebody's reach is part of the guess.
"""

import re
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from shared.database import Session, run
from shared.rows import Row

REFRESH_SECONDS = 60.0
UNKNOWN_SHARE = 0.0001
"""Of a word that no statistic knows."""

NOBODY = UUID(int=0)
"""The key of customers for whom nobody is responsible."""

_LEXEME = re.compile(r"'([^']*)'")
_SIZES = "SELECT relname, greatest(reltuples, 0)::float8 FROM pg_class WHERE oid = ANY($1::text[]::regclass[]::oid[])"
_TABLES = ["customer_search", "customer_key", "document"]
_SHARES = """
SELECT tablename, attname, most_common_vals::text::text[] AS common, most_common_freqs AS shares,
       CASE WHEN n_distinct < 0 THEN -n_distinct * greatest(reltuples, 1) ELSE n_distinct END AS distinct_values
FROM pg_stats JOIN pg_class ON pg_class.oid = format('%I.%I', schemaname, tablename)::regclass
WHERE (tablename, attname) IN (
    ('customer_search', 'manager_id'), ('customer_search', 'relationship_id'), ('customer_key', 'key')
)
"""
_WORDS = """
SELECT most_common_elems::text::text[], most_common_elem_freqs FROM pg_stats
WHERE tablename = 'customer_search' AND attname = 'words'
"""
_SPREADS = """
SELECT attname, coalesce(histogram_bounds::text::text[], '{}') AS bounds, coalesce(most_common_vals::text::text[], '{}')
       AS common, coalesce(most_common_freqs, '{}') AS shares, null_frac
FROM pg_stats WHERE (tablename, attname) IN (
    ('customer_search', 'created_at'), ('document', 'ordered_at'), ('customer_contact', 'purchased_value')
)
"""
_DAYS = "SELECT day, newest_buyer_on FROM order_day ORDER BY day"
_TREE = "SELECT id, parent_id FROM classification_item WHERE parent_id IS NOT NULL"


@dataclass
class Frequencies:
    """How many rows have each value of a column: the common ones as counted, others alike."""

    common: dict[UUID, float] = field(default_factory=dict)
    other: float = 1.0

    def of(self, value: UUID) -> float:
        """About how many rows have a value."""
        return self.common.get(value, self.other)


@dataclass
class Spread:
    """How the values of a column are spread: the common ones as counted, the others by a histogram."""

    bounds: Sequence[Any] = ()
    common: dict[Any, float] = field(default_factory=dict)
    other: float = 0.0
    """The share of rows with a value that is not common."""

    def at_least(self, value: Any) -> float:
        """Which share of all rows has this value or a higher one; all, as long as nothing is known."""
        if not self.bounds and not self.common:
            return 1.0
        above = len(self.bounds) - bisect_left(self.bounds, value)
        share = self.other * above / max(len(self.bounds), 1)
        return min(1.0, share + sum(part for one, part in self.common.items() if one >= value))


@dataclass
class Statistics:
    """What is known of the customers of one database. Without any, `customers` is 0."""

    customers: float = 0.0
    documents: float = 0.0
    lexemes: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    managers: Frequencies = field(default_factory=Frequencies)
    relationships: Frequencies = field(default_factory=Frequencies)
    keys: Frequencies = field(default_factory=Frequencies)
    children: dict[UUID, list[UUID]] = field(default_factory=dict)
    created_at: Spread = field(default_factory=Spread)
    ordered_at: Spread = field(default_factory=Spread)
    purchased_value: Spread = field(default_factory=Spread)
    order_days: tuple[date, ...] = ()
    newest_buyers: tuple[date, ...] = ()
    """By day of orders, the day on which its newest buyer was created."""
    read_at: float = float("-inf")

    def share_of_words(self, query: str) -> float:
        """Which share of all customers a query over lexemes finds, as if its words were independent."""
        if not self.lexemes or not query:
            return 1.0
        share = 1.0
        for alternatives in query.split(" & "):
            share *= self.share_of_word(alternatives)
        return share

    def share_of_word(self, alternatives: str) -> float:
        """Which share of all customers has one of a word's lexemes."""
        return min(1.0, sum(map(self._share, _LEXEME.findall(alternatives))))

    def below(self, ids: Iterable[UUID]) -> set[UUID]:
        """The items and all below them, as the trees were a moment ago: good enough to guess."""
        found: set[UUID] = set()
        waiting = list(ids)
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += self.children.get(one, ())
        return found

    def newest_buyer(self, first: date | None, last: date) -> datetime:
        """A moment behind the creation of whoever ordered between two days, about."""
        start = bisect_left(self.order_days, first or date.min)
        newest = max(self.newest_buyers[start : bisect_right(self.order_days, last)], default=date.min)
        return datetime(newest.year, newest.month, newest.day, tzinfo=UTC) + timedelta(days=1)

    def _share(self, prefix: str) -> float:
        start = bisect_left(self.lexemes, prefix)
        total = UNKNOWN_SHARE
        for index in range(start, len(self.lexemes)):
            if not self.lexemes[index].startswith(prefix):
                break
            total += self.shares[index]
        return total


_known = Statistics()


async def statistics(session: Session) -> Statistics:
    """What is known now."""
    if time.monotonic() - _known.read_at > REFRESH_SECONDS:
        _known.read_at = time.monotonic()  # others go on with the old ones meanwhile
        await _read(session, _known)
    return _known


def forget_statistics() -> None:
    """Read them again at the next search."""
    _known.read_at = float("-inf")


async def _read(session: Session, known: Statistics) -> None:
    sizes = dict(tuple(row) for row in await run(session, _SIZES, _TABLES))
    known.customers, known.documents = sizes["customer_search"], sizes["document"]
    frequencies = {(row.tablename, row.attname): row for row in await run(session, _SHARES)}
    found: dict[str, Frequencies] = {}
    for table, column in (
        ("customer_search", "manager_id"),
        ("customer_search", "relationship_id"),
        ("customer_key", "key"),
    ):
        row, rows = frequencies.get((table, column)), sizes[table]
        if row is None or row.common is None:
            found[column] = Frequencies(
                other=max(1.0, rows / max(row.distinct_values, 1.0)) if row is not None else 1.0
            )
            continue
        common = {UUID(value): share * rows for value, share in zip(row.common, row.shares, strict=True)}
        others = max(row.distinct_values - len(common), 1.0)
        found[column] = Frequencies(common, max(1.0, (rows - sum(common.values())) / others))
    known.managers, known.relationships, known.keys = found["manager_id"], found["relationship_id"], found["key"]
    words = (await run(session, _WORDS)).one_or_none()
    pairs = sorted(zip(words[0], words[1], strict=False)) if words is not None and words[0] is not None else []
    known.lexemes = tuple(lexeme for lexeme, _ in pairs)  # the frequencies end with two or three bounds
    known.shares = tuple(share for _, share in pairs)
    spreads = {row.attname: row for row in await run(session, _SPREADS)}
    known.created_at = _spread(spreads.get("created_at"), datetime.fromisoformat)
    known.ordered_at = _spread(spreads.get("ordered_at"), datetime.fromisoformat)
    known.purchased_value = _spread(spreads.get("purchased_value"), int)
    days = (await run(session, _DAYS)).all()
    known.order_days, known.newest_buyers = tuple(row[0] for row in days), tuple(row[1] for row in days)
    known.children = {}
    for row in await run(session, _TREE):
        known.children.setdefault(row.parent_id, []).append(row.id)


def _spread(row: Row | None, read: Callable[[str], Any]) -> Spread:
    if row is None:
        return Spread()
    common = dict(zip(map(read, row.common), row.shares, strict=True))
    return Spread([read(bound) for bound in row.bounds], common, max(0.0, 1.0 - row.null_frac - sum(common.values())))
