"""Aggregates whose every event raises their version: the one way in which a record changes.

The row must be locked before it is changed (`SELECT … FOR UPDATE`), else two writers would tell the
same version.
"""

from typing import Any, TypeVar

from sqlalchemy.orm import Mapped

from shared.contracts.events import Cause, Published, StateEvent
from shared.errors import VersionConflict

E = TypeVar("E", bound=StateEvent[Any])


class Versioned:
    """A mapped class with a version, the ETag of its record."""

    version: Mapped[int]

    def public_state(self) -> Published:
        """The whole state as others may know it."""
        raise TypeError(f"{type(self).__name__} does not say what others may know of it")

    def require_version(self, expected: int | None) -> None:
        """Raises VersionConflict unless `expected` (from `If-Match`) is the stored version or absent."""
        if expected is not None and expected != self.version:
            raise VersionConflict

    def change(self, event: type[E], cause: Cause, also: dict[str, Any] | None = None, /, **values: Any) -> list[E]:
        """Set attributes and tell it with `event`; nothing happens when all are equal already.

        `also` is set beside them when something changes, without being named as changed.
        """
        before = {name: getattr(self, name) for name, value in values.items() if getattr(self, name) != value}
        if not before:
            return []
        for name, value in {**{name: values[name] for name in before}, **(also or {})}.items():
            setattr(self, name, value)
        return [self.tell(event, cause, before)]

    def tell(self, event: type[E], cause: Cause, before: dict[str, Any] | None = None) -> E:
        """Raise the version and tell the whole state with `event`."""
        self.version = (self.version or 0) + 1
        return self.state_event(event, cause, before or {})

    def state_event(self, event: type[E], cause: Cause, before: dict[str, Any] | None = None) -> E:
        """The whole state with `event`, version unchanged (a republish)."""
        changed = before or {}
        return event(
            version=self.version, state=self.public_state(), changed=tuple(changed), before=changed, cause=cause
        )
