"""CloudEvents 1.0 in Kafka binary mode: what surrounds an event on the wire, and what it came from.

Encoding never fails for our own events; decoding raises `Undecodable` with words for the dead
letter and nothing else, whatever a stranger wrote.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from pydantic import ValidationError

from shared.contracts.events import Event, Topic, event_type
from shared.identity import SYSTEM, Actor
from shared.ids import new_id as new_id

CONTENT_TYPE = "application/json"
COMPACTION_TICK = "rapport.compaction-tick"
"""Key of the tombstones that make a quiet compacted partition roll its segment; readers skip it."""

MAX_ID_LENGTH = 256

LETTER_PREFIX = "dlq_"
"""How the headers begin that a dead letter has beside the record's own."""

E = TypeVar("E", bound=Event, covariant=True)


class Undecodable(ValueError):
    """A record that is no event of its topic; the text says why."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What the events of a transaction come from: on whose behalf, after which event, in which trace."""

    actor: Actor = SYSTEM
    correlation_id: str | None = None
    causation_id: str | None = None
    automation_depth: int = 0
    traceparent: str | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Envelope(Generic[E]):
    """One event as it arrived. `event` is None for a tombstone: forget the key."""

    id: str
    source: str
    type: str
    key: str
    event: E | None
    time: datetime | None = None
    correlation_id: str | None = None
    traceparent: str | None = None
    automation_depth: int = 0
    replayed: bool = False

    def origin(self, actor: Actor = SYSTEM) -> Origin:
        """What follows from this event: same correlation and trace, caused by it."""
        return Origin(actor, self.correlation_id or self.id, self.id, self.automation_depth, self.traceparent)


def encode_headers(event: Event, event_id: str, source: str, at: datetime, origin: Origin) -> dict[str, str]:
    """The record's headers for one of our own events; `source` is the service's name."""
    own = {"ce_id": event_id, "ce_subject": event.key, "ce_correlationid": event_id}
    return own | type_headers(event.ce_type, source, at, origin)


def type_headers(ce_type: str, source: str, at: datetime, origin: Origin) -> dict[str, str]:
    """The headers that all events of one type and origin share.

    A statement that tells many adds each one's `ce_id` and `ce_subject`, and where these have no `ce_correlationid`
    the id for that, too.
    """
    return {
        "content-type": CONTENT_TYPE,
        "ce_specversion": "1.0",
        "ce_source": f"/rapport/{source}",
        "ce_type": ce_type,
        "ce_time": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        **origin_headers(origin),
    }


def origin_headers(origin: Origin) -> dict[str, str]:
    """The headers that say what an event comes from: the same for all events of one origin."""
    headers = {"ce_actorkind": origin.actor.kind, "ce_actorid": origin.actor.id}
    if origin.correlation_id:
        headers["ce_correlationid"] = origin.correlation_id
    if origin.causation_id:
        headers["ce_causationid"] = origin.causation_id
    if origin.traceparent:
        headers["traceparent"] = origin.traceparent
    if origin.replayed:
        headers["ce_replayed"] = "true"
    if origin.automation_depth:
        headers["ce_automationdepth"] = str(origin.automation_depth)
    return headers


def decode(
    topic: Topic, key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]]
) -> Envelope[Event]:
    """Read a record of a topic, what a dead letter says of itself aside. Raises Undecodable."""
    named = _texts(headers)
    text_key = _text(key, "key")
    if value is None:
        if not topic.holds_state:
            raise Undecodable("a record without a body on a topic of facts")
        return Envelope(named.get("ce_id", ""), named.get("ce_source", ""), named.get("ce_type", ""), text_key, None)
    for required in ("ce_specversion", "ce_id", "ce_source", "ce_type"):
        if not named.get(required):
            raise Undecodable(f"header {required} is missing")
    if len(named["ce_id"]) > MAX_ID_LENGTH or len(named["ce_source"]) > MAX_ID_LENGTH:
        raise Undecodable("ce_id or ce_source is too long")
    cls = event_type(topic.name, named["ce_type"])
    if cls is None:
        raise Undecodable(f"unknown type {named['ce_type'][:200]}")
    event = _event(cls, value)
    if event.key != text_key:
        raise Undecodable(f"the key is not the body's id {event.key}")
    return _envelope(named, text_key, event)


def _event(cls: type[Event], value: bytes) -> Event:
    try:
        event = cls.parse(value)
    except ValidationError as error:
        raise Undecodable(str(error)[:2_000]) from None
    if b"\\u0000" in value and _holds_nul(event.model_dump(mode="json")):
        raise Undecodable("a text holds NUL, which no database column takes")
    return event


def _holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_holds_nul(part) for part in (*value, *value.values()))
    return isinstance(value, list) and any(_holds_nul(part) for part in value)


def _envelope(named: dict[str, str], key: str, event: Event) -> Envelope[Event]:
    depth = named.get("ce_automationdepth", "0")
    return Envelope(
        id=named["ce_id"],
        source=named["ce_source"],
        type=named["ce_type"],
        key=key,
        event=event,
        time=_time(named.get("ce_time")),
        correlation_id=named.get("ce_correlationid"),
        traceparent=named.get("traceparent"),
        automation_depth=int(depth) if depth.isdecimal() and len(depth) < 4 else 0,
        replayed=named.get("ce_replayed") == "true",
    )


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise Undecodable(f"ce_time is no time: {text[:60]}") from None


def _texts(headers: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    own = [header for header in headers if not header[0].startswith(LETTER_PREFIX)]
    try:
        named = {name: value.decode() for name, value in own}
    except (UnicodeDecodeError, AttributeError):
        pass
    else:
        if "\x00" not in "".join(named.values()):
            return named
    return {name: _text(value, "header ", name) for name, value in own}  # says which of them it is


def _text(value: bytes | None, what: str, name: str = "") -> str:
    try:
        text = value.decode() if value else ""
    except UnicodeDecodeError:
        raise Undecodable(f"{what}{name} is not UTF-8") from None
    if "\x00" in text:
        raise Undecodable(f"{what}{name} holds NUL")
    return text
