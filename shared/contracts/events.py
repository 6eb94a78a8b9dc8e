"""What every event has in common: how it is declared, keyed and found again by its type.

A *state* event carries the whole public state of one aggregate, so that the last record of a key
is enough to build a copy of it. A *fact* event is history. Producers forbid unknown fields,
consumers ignore them (`parse`), so that a newer producer never breaks an older consumer.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

MAX_RECORD_BYTES = 900_000
"""The largest record a service may publish; chunked events are cut well below it."""

ID_CHUNK = 1_000
ROW_CHUNK = 500
CHUNK_BYTES = 700_000

Service = Literal["customers", "interactions", "imports", "campaigns"]
Cleanup = Literal["compact", "delete"]
CauseKind = Literal["user", "import", "contact_sync", "campaign", "automation", "sweep", "system"]
ActorKind = Literal["user", "service", "system"]

Instant = Annotated[
    datetime,
    PlainSerializer(lambda at: at.isoformat().replace("+00:00", "Z"), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment in UTC, written as RFC 3339 with `Z` and microseconds."""


@dataclass(frozen=True)
class Topic:
    """One Kafka topic: who writes it, what its key is and how long records stay.

    `partitions` never changes once the topic exists: the key's order hangs on it.
    """

    name: str
    key: str
    cleanup: Cleanup
    partitions: int
    producers: tuple[str, ...]
    consumers: tuple[Service, ...]
    description: str
    retention_days: int | None = None

    @property
    def holds_state(self) -> bool:
        """Whether every record carries the whole state of its key (compacted topics do)."""
        return self.cleanup == "compact"

    def dead_letters(self, service: str) -> str:
        """Name of the topic that takes what `service` could not process."""
        return f"{service}.{self.name}.dlq"


class Published(BaseModel):
    """A value that other services may know."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_temporal="iso8601")

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read what a (possibly newer) producer wrote. Raises pydantic's ValidationError."""
        return cls.model_validate_json(body, extra="ignore")


class Cause(Published):
    """Why something changed: the kind of origin and the id of the request, import or event."""

    kind: CauseKind
    id: str | None = None


class ActorReference(Published):
    """On whose behalf work is done later, with their permissions at the confirming request (R2)."""

    kind: ActorKind
    id: str
    permissions: tuple[str, ...] = ()


class Money(Published):
    """An amount in the currency's minor unit (VND has none, so 1 is one dong)."""

    amount: Annotated[int, Field(ge=-(2**53), le=2**53)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "VND"


class Event(Published):
    """A fact in the past tense, or work decided on somebody's behalf.

    Declared as `class X(Event, topic=TOPIC, type="crm.x.happened.v1")`; abstract without a type.
    """

    topic: ClassVar[Topic]
    ce_type: ClassVar[str]

    def __init_subclass__(cls, topic: Topic | None = None, type: str | None = None) -> None:
        super().__init_subclass__()
        if topic is not None and type is not None:
            cls.topic, cls.ce_type = topic, type
            _TYPES[topic.name, type] = cls

    @property
    def key(self) -> str:
        """The record's key: the id of the aggregate that orders it."""
        raise TypeError(f"{type(self).__name__} does not say what its key is")

    @property
    def key_version(self) -> int | None:
        """The aggregate's version after this event; None where events carry no version."""
        return None


State = TypeVar("State", bound=Published)


class StateEvent(Event, Generic[State]):
    """The whole public state of one aggregate after a change.

    `changed` names what differs from before, `before` holds the old values of these names.
    The version grows by one with each event, also for several in one transaction.
    """

    version: Annotated[int, Field(ge=1)]
    state: State
    changed: tuple[str, ...] = ()
    before: dict[str, Any] = {}
    cause: Cause

    @property
    def key(self) -> str:
        return str(self.state.id)  # pyright: ignore[reportAttributeAccessIssue]  # every state has one; checked by tests/contract

    @property
    def key_version(self) -> int | None:
        return self.version


_TYPES: dict[tuple[str, str], type[Event]] = {}


def event_type(topic: str, type_name: str) -> type[Event] | None:
    """The class that reads this type on this topic, or None if nobody published it."""
    return _TYPES.get((topic, type_name))


def types_on(topic: Topic) -> list[type[Event]]:
    """Every published type of one topic, in the order of declaration."""
    return [cls for (name, _), cls in _TYPES.items() if name == topic.name]
