"""What the probe hears of: notes, as facts or as state, each test on topics of its own."""

import types
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from shared.contracts.events import Cleanup, Event, Published, StateEvent, Topic
from shared.envelope import new_id

SERVICE = "probe"
FACT_TYPE = "crm.note.taken.v1"
STATE_TYPE = "crm.note.changed.v1"


class Note(Published):
    """A note as others may know it."""

    id: UUID
    text: str


class NoteTaken(Event):
    """Somebody took a note. Each topic has a class of its own below this."""

    id: UUID
    text: str

    @property
    def key(self) -> str:
        return str(self.id)


class NoteChanged(StateEvent[Note]):
    """A note is this now. Each topic has a class of its own below this."""


@dataclass(frozen=True)
class Notes:
    """One topic of notes with the class of its events."""

    topic: Topic
    event: type[Any]

    def taken(self, text: str, note_id: UUID | None = None) -> Any:
        """A fact."""
        return self.event(id=note_id or new_id(), text=text)

    def changed(self, note_id: UUID, version: int, text: str | None = None) -> Any:
        """A state."""
        state = Note(id=note_id, text=text or f"version {version}")
        return self.event(version=version, state=state, cause={"kind": "system"})


def group_of(notes: Notes) -> str:
    """The probe's consumer group on a topic."""
    return f"{SERVICE}.{notes.topic.name}"


def fact_notes(partitions: int = 1) -> Notes:
    """A new topic of facts."""
    return _notes("delete", partitions, NoteTaken, FACT_TYPE)


def state_notes(partitions: int = 1) -> Notes:
    """A new topic of states."""
    return _notes("compact", partitions, NoteChanged, STATE_TYPE)


def _notes(cleanup: Cleanup, partitions: int, parent: type[Event], type_name: str) -> Notes:
    topic = Topic(
        name=f"test.notes-{new_id()}",
        key="note id",
        cleanup=cleanup,
        partitions=partitions,
        producers=(SERVICE,),
        consumers=(),
        description="Notes of one test.",
    )
    made = types.new_class("NoteEvent", (parent,), {"topic": topic, "type": type_name})
    return Notes(topic, cast(type[Any], made))
