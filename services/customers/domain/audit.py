"""The audit trail's words: what an event says has changed, as old and new values (A5)."""

from typing import Any

from shared.contracts.events import StateEvent


def changes_of(event: StateEvent[Any]) -> dict[str, Any]:
    """Old and new value of everything an event says has changed; of a first event, all that is filled."""
    if event.version == 1:
        dumped = event.model_dump(mode="json", include={"state"})
        return {name: {"old": None, "new": value} for name, value in dumped["state"].items() if value not in (None, [])}
    # a whole state costs four times what its few changed parts do
    dumped = event.model_dump(mode="json", include={"before": True, "state": set(event.changed)})
    return {name: {"old": dumped["before"].get(name), "new": dumped["state"].get(name)} for name in event.changed}
