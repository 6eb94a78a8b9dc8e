"""Events leave in the transaction that made them true: nothing is lost, nothing is told too early.

`add` keeps them in the session, `write` (called by `database.transaction` right before the commit)
inserts them in one statement. Lock the aggregate's row before you change it: then the order of ids
is the order of commits for one key, and the relay sends rows in that order.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from shared.connections import driver
from shared.contracts.events import MAX_RECORD_BYTES, Event, Topic
from shared.envelope import Origin, encode_headers, new_id

INSERT = """
INSERT INTO outbox (event_id, topic, aggregatetype, aggregateid, type, payload, headers)
SELECT event_id, topic, aggregatetype, aggregateid, type, payload, headers::jsonb
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::text[])
     WITH ORDINALITY AS pending(event_id, topic, aggregatetype, aggregateid, type, payload, headers, position)
ORDER BY position
"""


class RecordTooLarge(ValueError):
    """An event over the limit of a record: cut it into chunks."""


@dataclass
class _Box:
    service: str
    origin: Origin
    pending: list[tuple[Any, ...]] = field(default_factory=list)


def open_box(session: AsyncSession, service: str, origin: Origin) -> None:
    """Prepare a session; `origin` is what its events come from unless `add` is told otherwise."""
    session.info["outbox"] = _Box(service, origin)


def origin(session: AsyncSession) -> Origin:
    """What this session's work comes from."""
    return session.info["outbox"].origin


def add(session: AsyncSession, events: Event | Iterable[Event], origin: Origin | None = None) -> list[str]:
    """Tell others what happened, if and when the transaction commits. Answers the events' ids.

    Raises RecordTooLarge for an event that no topic takes.
    """
    box: _Box = session.info["outbox"]
    listed = [events] if isinstance(events, Event) else list(events)
    rows = [_event_row(event, box.service, origin or box.origin) for event in listed]
    box.pending += rows
    return [str(row[0]) for row in rows]


def add_tombstone(session: AsyncSession, topic: Topic, key: str) -> None:
    """Make a compacted topic forget a key, after the events added before."""
    box: _Box = session.info["outbox"]
    event_id = new_id()
    headers = {"ce_id": str(event_id), "ce_source": f"/rapport/{box.service}"}
    box.pending.append(_row(event_id, topic, key, "tombstone", None, headers))


async def write(session: AsyncSession) -> bool:
    """Insert what was added; answers whether there was anything. Only `database` calls this."""
    box: _Box = session.info["outbox"]
    if not box.pending and not session.info.get("outbox_written"):
        return False
    if box.pending:
        columns = [list(column) for column in zip(*box.pending, strict=True)]
        await driver(session).execute(INSERT, *columns)
        box.pending.clear()
    return True


def written_by_statement(session: AsyncSession) -> None:
    """Say that a hand-written statement put rows into the outbox, so that the relay is woken."""
    session.info["outbox_written"] = True


async def backlog(session: AsyncSession) -> tuple[int, float]:
    """How many rows wait for the relay (counted up to a million) and the age of the oldest in seconds."""
    statement = """
        SELECT (SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT 1000000) AS counted),
               coalesce((SELECT extract(epoch FROM clock_timestamp() - created_at) FROM outbox ORDER BY id LIMIT 1), 0)
    """
    [(count, age)] = await driver(session).fetch(statement)
    return int(count), float(age)


def parameters(service: str, events: Iterable[Event], origin: Origin) -> tuple[list[Any], ...]:
    """The parameters of `INSERT` for events outside of a session (migrations)."""
    rows = [_event_row(event, service, origin) for event in events]
    return tuple(list(column) for column in zip(*rows, strict=True))


def _event_row(event: Event, service: str, origin: Origin) -> tuple[Any, ...]:
    event_id = new_id()
    body = event.model_dump_json().encode()
    if len(body) > MAX_RECORD_BYTES:
        raise RecordTooLarge(f"{event.ce_type} {event.key}: {len(body)} bytes")
    headers = encode_headers(event, str(event_id), service, datetime.now(UTC), origin)
    return _row(event_id, event.topic, event.key, event.ce_type, body, headers)


def _row(
    event_id: Any, topic: Topic, key: str, type_name: str, body: bytes | None, headers: dict[str, str]
) -> tuple[Any, ...]:
    aggregate = topic.name.removeprefix("crm.")
    return event_id, topic.name, aggregate, key, type_name, body, msgspec.json.encode(headers).decode()
