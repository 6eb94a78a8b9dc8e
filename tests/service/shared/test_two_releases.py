"""Two releases side by side: a reader of the older one meets what the newer one writes, until it is upgraded too."""

import json
import types
from typing import Any
from uuid import UUID, uuid4

from tests.service.shared.broker import cloud_event, pairs
from tests.service.shared.probe.contracts import STATE_TYPE, NoteChanged, Notes, group_of, state_notes
from tests.service.shared.probe.process import Probe, error_of
from tests.support.system import eventually

LATER_TYPE = "crm.note.pinned.v1"


async def _write(probe: Probe, notes: Notes, note_id: UUID, version: int, ce_type: str, **more: Any) -> None:
    """A record as a later release writes it: with fields of its own, also within the state."""
    state = {"id": str(note_id), "text": f"version {version}", "colour": "red"}
    body = {"version": version, "state": state, "cause": {"kind": "system"}, "mood": "calm", **more}
    headers = pairs(cloud_event(ce_type))
    await probe.broker.send(notes.topic, str(note_id).encode(), json.dumps(body).encode(), headers)


async def test_what_a_later_release_writes_is_read_as_far_as_it_is_known_and_the_rest_after_the_upgrade(
    probe: Probe,
) -> None:
    """Unknown fields are passed over; a record of an unknown type or word is a dead letter, which `replay` applies when
    the reader knows it: what is newer by then stays.
    """
    notes, (one, other) = state_notes(), (uuid4(), uuid4())
    await probe.make_topics(notes)
    await _write(probe, notes, one, 1, STATE_TYPE)
    await _write(probe, notes, one, 2, LATER_TYPE)
    await _write(probe, notes, other, 1, LATER_TYPE)
    await _write(probe, notes, other, 2, STATE_TYPE, cause={"kind": "a_kind_of_a_later_release"})
    await _write(probe, notes, one, 3, STATE_TYPE)
    subscription = probe.keeps_newest(notes)
    async with probe.consuming(subscription):
        await eventually(lambda: _committed(probe, notes, 5))
    assert await probe.copies() == {one: 3}
    errors = [error_of(letter) for letter in await probe.letters(notes)]
    assert errors[:2] == [f"unknown type {LATER_TYPE}"] * 2
    assert "cause.kind" in errors[2]

    types.new_class("Upgraded", (NoteChanged,), {"topic": notes.topic, "type": LATER_TYPE})
    assert await probe.replay(subscription) == (2, 1), "the upgraded reader knows the type, not yet the word"
    assert await probe.copies() == {one: 3, other: 1}


async def _committed(probe: Probe, notes: Notes, count: int) -> bool:
    found = await probe.broker.committed(notes.topic, group_of(notes))
    assert found == count, f"{found} committed"
    return True
