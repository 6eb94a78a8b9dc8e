"""A copy made anew from its topic: wrong rows are put right whatever their version, and nothing is triggered.

The topic is read into temporary tables of the copy's shape, by the consumer's own statements and with a
search path on which nothing else lies: no event, no ledger row, no rule's run can come of it. Then the copy
is made equal to them in one transaction, so that nobody ever sees it half empty. It ends where the
consumers are: what is still to come to them keeps its effects, what they have done is not taken back.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol

from shared import telemetry
from shared.database import Database, Session, is_transient, run, run_counting, savepoint
from shared.envelope import COMPACTION_TICK, Envelope, Undecodable
from shared.progress import read_partitions
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.messaging import Subscription
    from shared.service import Service

log = telemetry.logger("rebuilding")

STATEMENT_SECONDS = 600
"""How long one statement may take: comparing a million rows is slower than any request may be."""

BATCHES_IN_HAND = 2
"""How far consumers may be ahead of what they committed: the batch in hand, and one whose commit got lost."""

_APART = "SET LOCAL search_path = pg_temp"
"""Until the transaction's end temporary tables are all there is: what reaches for another fails."""

Offsets = Mapping[int, int]
"""An offset for each partition of one topic."""

Record = Any
"""An aiokafka ConsumerRecord."""


class RebuildRefused(Exception):
    """A copy that cannot be rebuilt, in words for an operator."""


@dataclass(frozen=True)
class CopiedTable:
    """One table of a copy. `key` is the column with the topic's key, if it has one.

    With `columns` the table is the service's own and only these are copied: its rows come and go without the topic.
    Without, the whole table is the copy, and what the topic does not have is removed but for rows that are `kept`
    (a condition on `stored`).
    """

    name: str
    key: str | None = "id"
    columns: tuple[str, ...] = ()
    kept: str = "false"


@dataclass(frozen=True)
class Copy:
    """What a service keeps of one state topic, and how it is made from the topic alone.

    `apply` writes a batch as the consumer does, and nothing else. It finds `tables` and `scratch` (what it also
    writes, and is thrown away) empty but for what the statements `begin` put there; those of `settle` run behind the
    last batch. To all of these other tables are there as `public.<name>` only. `afterwards` is work on the rebuilt
    copy, such as sums over it.
    """

    tables: tuple[CopiedTable, ...]
    apply: Callable[[Session, Sequence[Envelope[Any]]], Awaitable[object]]
    scratch: tuple[str, ...] = ()
    begin: tuple[str, ...] = ()
    settle: tuple[str, ...] = ()
    afterwards: Callable[[Database, Settings, date], Awaitable[object]] | None = None


class Feed(Protocol):
    """A topic as a rebuild reads it."""

    async def bounds(self) -> Mapping[int, tuple[int, int]]:
        """The first offset of each partition and the one behind its last."""
        ...

    async def committed(self) -> Offsets:
        """Where the service's consumers said they are; partitions they never spoke of are missing."""
        ...

    def read(self, start: Offsets, stop: Offsets) -> AsyncIterator[Sequence[Record]]:
        """Batches of records from `start` up to and without `stop`. Raises TimeoutError when none come."""
        ...


@dataclass(frozen=True)
class Rebuilt:
    """Records read, rows written and removed, and keys left as they are: the consumers are about to write them."""

    read: int
    written: int
    removed: int
    left: int


async def rebuild_topic(service: "Service", settings: Settings, topic_name: str) -> Rebuilt:
    """Make the service's copy of one topic anew from Kafka. Raises RebuildRefused, TimeoutError."""
    from shared.topic_feed import topic_feed

    subscription = _rebuildable(service, topic_name)
    patient = settings.model_copy(update={"database_command_timeout_seconds": STATEMENT_SECONDS})
    database = Database(patient, pool_size=1)  # temporary tables are seen by their own connection only
    try:
        async with topic_feed(settings, subscription.topic) as feed:
            return await Rebuild(database, settings, subscription, feed).run()
    finally:
        await database.close()


def _rebuildable(service: "Service", topic_name: str) -> "Subscription":
    copied = {one.topic.name: one for one in service.subscriptions if one.copy is not None}
    if topic_name not in copied:
        names = ", ".join(sorted(copied))
        raise RebuildRefused(f"{service.name} keeps no copy of {topic_name}; it has copies of {names}")
    return copied[topic_name]


class Rebuild:
    """One rebuild, on a database whose pool has one connection."""

    def __init__(self, database: Database, settings: Settings, subscription: "Subscription", feed: Feed) -> None:
        assert subscription.copy is not None
        self._database, self._settings, self._feed = database, settings, feed
        self._subscription, self._copy = subscription, subscription.copy
        self._read = 0

    async def run(self) -> Rebuilt:
        """Read everything, then make the copy equal to it."""
        async with self._database.transaction() as session:
            for name in (*(table.name for table in self._copy.tables), *self._copy.scratch):
                await run(session, f"CREATE TEMPORARY TABLE {name} (LIKE public.{name} INCLUDING ALL)")
            bounds = await self._feed.bounds()
            reached = await self._applied(session, bounds)
            await self._run_apart(session, self._copy.begin)
        start = {partition: first for partition, (first, _) in bounds.items()}
        async for records in self._feed.read(start, reached):
            async with self._database.transaction() as session:
                await self._take(session, records)
        rebuilt = await self._finish(reached)
        async with self._database.transaction() as session:
            await run(session, "DISCARD TEMPORARY")  # they would hide the tables whose names they have
        if self._copy.afterwards is not None:
            await self._copy.afterwards(self._database, self._settings, datetime.now(self._settings.zone).date())
        return rebuilt

    async def _finish(self, reached: Offsets) -> Rebuilt:
        """Hold the consumers, read what they have applied meanwhile, and make the copy equal."""
        try:
            async with self._database.transaction() as session:
                tables = ", ".join(f"public.{table.name}" for table in self._copy.tables)
                await run(session, f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE")  # readers go on
                bounds = await self._feed.bounds()
                applied = await self._applied(session, bounds)
                async for records in self._feed.read(reached, applied):
                    await self._take(session, records)
                await self._run_apart(session, self._copy.settle)
                left = await self._in_hand(applied, {partition: end for partition, (_, end) in bounds.items()})
                written = removed = 0
                await run(session, "SET LOCAL search_path = DEFAULT")
                for table in self._copy.tables:
                    removed += await _remove(session, table, left)
                    written += await _write(session, table, left)
                await run(session, _APART)  # an event that was left for the outbox would not find it either
        except Exception as error:
            if is_transient(error):
                raise TimeoutError(f"the copy is as it was, try again: {error!r}") from error
            raise
        return Rebuilt(self._read, written, removed, len(left))

    async def _applied(self, session: Session, bounds: Mapping[int, tuple[int, int]]) -> dict[int, int]:
        """Where the consumers are: what they have committed has surely been applied, and little else (`_in_hand`)."""
        topic = self._subscription.topic.name
        known = {one.partition: one.next_offset for one in await read_partitions(session, topic)}
        known |= await self._feed.committed()  # the broker forgets a group that was away for long, and only then
        unread = [partition for partition, (first, end) in bounds.items() if first < end and partition not in known]
        if unread:
            raise RebuildRefused(f"partitions {unread} of {topic} were never read here: start the consumers first")
        return {partition: min(known.get(partition, end), end) for partition, (_, end) in bounds.items()}

    async def _in_hand(self, applied: Offsets, ends: Offsets) -> list[str]:
        """Keys of what may have been applied already, if only in part: the next records of each partition."""
        most = self._settings.consumer_batch * BATCHES_IN_HAND
        keys: set[str] = set()
        seen = dict.fromkeys(applied, 0)
        async for records in self._feed.read(applied, ends):
            for record in records:
                seen[record.partition] += 1
                if record.key is not None and seen[record.partition] <= most:
                    keys.add(record.key.decode("utf-8", "replace"))
            if all(seen[one] >= most for one in applied if applied[one] < ends[one]):
                break
        return sorted(keys)

    async def _take(self, session: Session, records: Sequence[Record]) -> None:
        self._read += len(records)
        envelopes: list[Envelope[Any]] = []
        for record in records:
            if record.key == COMPACTION_TICK.encode():
                continue
            try:
                envelopes.append(self._subscription.open(record, self._settings))
            except Undecodable:
                continue  # a dead letter since it first came
        await run(session, _APART)
        await self._apply(session, envelopes)

    async def _apply(self, session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
        """Apply a batch to the temporary tables; what can never be applied is passed over, as the consumers did."""
        if not envelopes:
            return
        try:
            async with savepoint(session):
                await self._copy.apply(session, envelopes)
        except Exception as error:
            if is_transient(error):
                raise
            if len(envelopes) == 1:
                log.warning("passed over", topic=self._subscription.topic.name, id=envelopes[0].id, error=repr(error))
                return
            middle = len(envelopes) // 2
            await self._apply(session, envelopes[:middle])
            await self._apply(session, envelopes[middle:])

    async def _run_apart(self, session: Session, statements: Sequence[str]) -> None:
        await run(session, _APART)
        for statement in statements:
            await run(session, statement)


async def _write(session: Session, table: CopiedTable, left: Sequence[str]) -> int:
    """Give the copy's rows the values of the temporary table, where they differ."""
    primary = await _primary_key(session, table.name)
    copied = table.columns or [name for name in await _columns(session, table.name) if name not in primary]
    columns = ", ".join((*primary, *copied))
    news = f"(SELECT {columns} FROM pg_temp.{table.name} EXCEPT SELECT {columns} FROM public.{table.name}) AS news"
    free = _not_left("news", table)
    if table.columns:
        pairs = ", ".join(f"{name} = news.{name}" for name in copied)
        same = _same(primary)
        statement = f"UPDATE public.{table.name} AS stored SET {pairs} FROM {news} WHERE {same} AND {free}"
    else:
        pairs = ", ".join(f"{name} = excluded.{name}" for name in copied)
        statement = (
            f"INSERT INTO public.{table.name} ({columns}) SELECT {columns} FROM {news} WHERE {free}"
            f" ON CONFLICT ({', '.join(primary)}) DO UPDATE SET {pairs}"
        )
    return await run_counting(session, statement, left)


async def _remove(session: Session, table: CopiedTable, left: Sequence[str]) -> int:
    """Delete rows that the topic does not have; none of a table that is the service's own."""
    if table.columns:
        return 0
    same = _same(await _primary_key(session, table.name))
    return await run_counting(
        session,
        f"DELETE FROM public.{table.name} AS stored WHERE NOT ({table.kept}) AND {_not_left('stored', table)}"
        f" AND NOT EXISTS (SELECT FROM pg_temp.{table.name} AS news WHERE {same})",
        left,
    )


def _not_left(row: str, table: CopiedTable) -> str:
    return f"{row}.{table.key}::text <> ALL($1::text[])" if table.key else "$1::text[] IS NOT NULL"


def _same(primary: Sequence[str]) -> str:
    return " AND ".join(f"stored.{name} = news.{name}" for name in primary)


async def _columns(session: Session, table: str) -> list[str]:
    found = await run(
        session,
        "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass('public.' || $1)"
        " AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        table,
    )
    return list(found.scalars())


async def _primary_key(session: Session, table: str) -> list[str]:
    found = await run(
        session,
        "SELECT attname::text FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)"
        " WHERE indrelid = to_regclass('public.' || $1) AND indisprimary ORDER BY attnum",
        table,
    )
    return list(found.scalars())
