"""The probe at work on a real database and a real broker, in the test's own process."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from aiokafka import ConsumerRecord

from shared import outbox
from shared.contracts.events import Event
from shared.database import Database, Session, run
from shared.envelope import Envelope, Origin
from shared.messaging import Consumers, Subscription, consumes
from shared.settings import Settings
from tests.service.shared.broker import Broker
from tests.service.shared.probe.contracts import SERVICE, Notes

_KEEP_NEWEST = """
INSERT INTO copy AS stored (id, text, version) VALUES ($1, $2, $3)
ON CONFLICT (id) DO UPDATE SET text = excluded.text, version = excluded.version
WHERE stored.version <= excluded.version
"""


class Probe:
    """A service under test. `broken` are texts that its code cannot process until it is fixed."""

    def __init__(self, settings: Settings, database: Database, broker: Broker) -> None:
        self.settings, self.database, self.broker = settings, database, broker
        self.broken: set[str] = set()
        self.batches: list[list[str]] = []

    def writes_down(self, notes: Notes) -> Subscription:
        """A subscription to facts that leaves an effect for every event it is given, also a repeated one."""

        async def on_notes(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
            taken = [envelope.event for envelope in envelopes if envelope.event is not None]
            texts = [note.text for note in taken]
            self.batches.append(texts)
            if stumbled := self.broken.intersection(texts):
                raise RuntimeError(f"cannot process {min(stumbled)}")
            await run(
                session,
                "INSERT INTO effect (key, text) SELECT * FROM unnest($1::uuid[], $2::text[])",
                [note.id for note in taken],
                texts,
            )

        return consumes(notes.topic)(on_notes)

    def keeps_newest(self, notes: Notes) -> Subscription:
        """A subscription to states that keeps a copy by version; a tombstone empties it."""

        async def on_notes(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
            for envelope in envelopes:
                if envelope.event is None:
                    await run(session, "DELETE FROM copy WHERE id = $1", UUID(envelope.key))
                else:
                    state = envelope.event.state
                    await run(session, _KEEP_NEWEST, state.id, state.text, envelope.event.version)

        return consumes(notes.topic)(on_notes)

    async def make_topics(self, *notes: Notes) -> None:
        """Create topics with their dead letters."""
        await self.broker.create(*(one.topic for one in notes), settings=self.settings)

    @asynccontextmanager
    async def consuming(self, *subscriptions: Subscription) -> AsyncIterator[Consumers]:
        """The probe's consumers, running."""
        consumers = Consumers(self.settings, self.database, subscriptions)
        await consumers.start()
        try:
            yield consumers
        finally:
            await consumers.stop()

    async def replay(self, subscription: Subscription, limit: int | None = None) -> tuple[int, int]:
        """Replay a topic's dead letters; answers how many were handled, how many failed again."""
        done = await Consumers(self.settings, self.database, [subscription]).replay(subscription.topic.name, limit)
        return done.handled, done.failed

    async def tell(self, *events: Event, origin: Origin | None = None) -> list[str]:
        """Put events into the outbox and commit; answers their ids."""
        async with self.database.transaction() as session:
            return outbox.add(session, events, origin)

    async def sql(self, statement: str, *parameters: Any) -> list[Any]:
        """Run a statement; answers its rows if it has any."""
        async with self.database.transaction() as session:
            result = await run(session, statement, *parameters)
            return result.all()

    async def effects(self) -> list[str]:
        """The texts of all effects, in the order they happened."""
        return [row.text for row in await self.sql("SELECT text FROM effect ORDER BY id")]

    async def copies(self) -> dict[UUID, int]:
        """The versions of all copies."""
        return {row.id: row.version for row in await self.sql("SELECT id, version FROM copy")}

    async def outbox_count(self) -> int:
        """How many events wait for the relay."""
        return (await self.sql("SELECT count(*) FROM outbox"))[0][0]

    async def letters(self, notes: Notes) -> list[ConsumerRecord[Any, Any]]:
        """The dead letters of a topic, in order."""
        return await self.broker.read(notes.topic.dead_letters(SERVICE))


def error_of(letter: ConsumerRecord[Any, Any]) -> str:
    """Why a record became a dead letter."""
    return dict(letter.headers)["dlq_error"].decode()
