"""One service for a test: its real database and routes in this process; only the broker is faked.

Events arrive by `deliver`, encoded and decoded as on the wire, through the service's own subscription;
events that leave are read from the outbox.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import httpx
import msgspec

from shared import inbox
from shared.contracts.events import Event, Topic
from shared.database import Database, run
from shared.envelope import Envelope, Origin, decode, encode_headers, new_id
from shared.http import Wiring
from shared.identity import Actor
from shared.republishing import republish_topic
from shared.service import Service
from shared.settings import Settings
from tests.support import tokens

E = TypeVar("E", bound=Event)

BASE_URL = "http://rapport.test"

_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"


class Harness:
    """A service under test. `client(...)` speaks HTTP as somebody; `deliver(...)` plays the broker."""

    def __init__(self, service: Service, settings: Settings, database: Database) -> None:
        self.service, self.settings, self.database = service, settings, database
        self.app = service.http(settings, database)
        self._wiring: Wiring = self.app.state.wiring
        self._clients: list[httpx.AsyncClient] = []

    def client(
        self, subject: UUID | str, permissions: Sequence[str] = (), kind: str = "employee", **headers: str
    ) -> httpx.AsyncClient:
        """An HTTP client with a token for `subject`."""
        return self.client_with(tokens.token(subject, permissions, kind), **headers)

    def client_with(self, token: str | None, **headers: str) -> httpx.AsyncClient:
        """An HTTP client with a given token, or none."""
        given = {"Authorization": f"Bearer {token}"} if token is not None else {}
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url=BASE_URL,
            headers=given | headers,
        )
        self._clients.append(client)
        return client

    async def deliver(
        self, *events: Event, source: str = "test", ids: Sequence[str] = (), origin: Origin | None = None
    ) -> None:
        """Hand events of one topic to the service in one batch, as the consumer would."""
        await self.deliver_envelopes(
            [self.envelope(event, source, ids[i] if ids else None, origin) for i, event in enumerate(events)]
        )

    async def deliver_envelopes(self, envelopes: Sequence[Envelope[Any]]) -> None:
        """Hand a batch of one topic to the service's subscription, within its one transaction."""
        topic = next(e.event.topic for e in envelopes if e.event is not None)
        subscription = next(s for s in self.service.subscriptions if s.topic.name == topic.name)
        for envelope in envelopes:
            if subscription.check is not None and envelope.event is not None:
                subscription.check(envelope, self.settings)
        async with self.database.transaction() as session:
            fresh = list(envelopes)
            if subscription.once:
                fresh = await inbox.unseen(session, f"{self.service.name}.{topic.name}", fresh)
            if fresh:
                await subscription.handle(session, fresh)

    def envelope(
        self, event: Event, source: str = "test", event_id: str | None = None, origin: Origin | None = None
    ) -> Envelope[Any]:
        """An event as it looks after its way through the broker."""
        headers = encode_headers(
            event, event_id or str(new_id()), source, datetime.now(UTC), origin or Origin(_tester())
        )
        if source.startswith("raw:"):
            headers["ce_source"] = source.removeprefix("raw:")
        body = event.model_dump_json().encode()
        return decode(event.topic, event.key.encode(), body, [(n, v.encode()) for n, v in headers.items()])

    async def told(self, kind: type[E] | None = None) -> list[Any]:
        """Events the service has put into its outbox, oldest first; of one class if given."""
        return [event for _, event in await self.told_with_headers(kind)]

    async def told_with_headers(self, kind: type[E] | None = None) -> list[tuple[dict[str, str], Any]]:
        """As `told`, each event with its headers; a tombstone is None."""
        from shared.contracts.catalogue import find

        async with self.database.reading() as session:
            rows = (
                await run(session, "SELECT topic, aggregateid, payload, headers::text FROM outbox ORDER BY id")
            ).all()
        result: list[tuple[dict[str, str], Any]] = []
        for topic, key, payload, headers in rows:
            named = msgspec.json.decode(headers)
            pairs = [(name, value.encode()) for name, value in named.items()]
            event = decode(find(topic), key.encode(), payload, pairs).event
            if kind is None or isinstance(event, kind):
                result.append((named, event))
        return result

    async def republish(self, topic: Topic, raise_version: bool = False) -> int:
        """What the command of that name does; answers how many aggregates were told again."""
        return await republish_topic(self.service.republished, self.settings, topic.name, raise_version)

    async def forget_told(self) -> None:
        """Empty the outbox, as the relay would."""
        async with self.database.transaction() as session:
            await run(session, "DELETE FROM outbox")

    async def sql(self, statement: str, *parameters: Any) -> list[Any]:
        """Run a statement; answers its rows if it has any."""
        async with self.database.transaction() as session:
            result = await run(session, statement, *parameters)
            return result.all()

    async def fingerprint(self) -> dict[str, tuple[int, int]]:
        """Each table's number of rows and its latest writing transaction: equal when nothing was written."""
        found: dict[str, tuple[int, int]] = {}
        for (table,) in await self.sql(_TABLES):
            [row] = await self.sql(f"SELECT count(*), coalesce(max(xmin::text::bigint), 0)::bigint FROM {table}")
            found[table] = (row[0], row[1])
        return found

    async def close(self) -> None:
        """Give everything back."""
        for client in self._clients:
            await client.aclose()
        await self.database.close()


def _tester() -> Actor:
    return Actor("system", "test")
