"""What may happen to a stored customer's own state: fields, relationship, deletion; told by events (C4, C5, G5, M10).

Methods change the object and return what there is to tell; they do no I/O and trust nobody's clock
but the database's (`at`). What needs other rows (phones, codes, choices) is checked by commands. One set of rules
for customers that the session follows and for `Held` ones: plain objects of locked rows, of which thousands change
at once. Following each attribute of each was most of what that cost.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.customers.domain.creation import DraftViewer
from services.customers.domain.errors import ReferralLocked
from services.customers.domain.relationships import CLOSED, DONT_FORGET, NEW
from services.customers.domain.responsibility import Responsibility
from shared.contracts.customers import (
    CustomerDeleted,
    CustomerEvent,
    CustomerRelationshipChanged,
    CustomerRestored,
    CustomerUpdated,
)
from shared.contracts.events import Cause
from shared.errors import Invalid


class Record(Responsibility):
    """A customer that is stored, whoever holds its attributes."""

    if TYPE_CHECKING:  # columns, beside those that every customer begins with
        state: Any
        relationship_id: Any
        remembered_relationship_id: Any
        first_closed_at: Any
        clock_started_at: Any
        updated_at: Any
        deleted_at: Any

    def update(self, values: dict[str, Any], at: datetime, cause: Cause) -> list[CustomerEvent]:
        """Change fields of the record; equal values change nothing. Raises ReferralLocked (C5)."""
        self.require_updatable(values)
        values = dict(values)
        new_relationship = values.pop("relationship_id", None)
        if "source_ids" in values or "primary_source_id" in values:
            values["primary_source_id"] = self._primary_source(values)
        events: list[CustomerEvent] = list(self._change(CustomerUpdated, cause, at, **values))
        if new_relationship is not None:
            events += self.set_relationship(new_relationship, at, cause)
        return events

    def require_updatable(self, values: dict[str, Any]) -> None:
        """Raises what `update` would refuse: ReferralLocked (C5), Invalid for a foreign primary source (C3)."""
        if "referrer_customer_id" in values and values["referrer_customer_id"] != self.referrer_customer_id:
            self._require_referral_open(values["referrer_customer_id"])
        self._primary_source(values)

    def set_relationship(self, relationship_id: UUID, at: datetime, cause: Cause) -> list[CustomerEvent]:
        """Another relationship by hand, file or automation: ends Don't Forget, restarts its clock (G5)."""
        if relationship_id == self.relationship_id:
            return []
        closed = at if relationship_id == CLOSED and self.first_closed_at is None else self.first_closed_at
        self.clock_started_at = at
        return list(
            self._change(
                CustomerRelationshipChanged,
                cause,
                at,
                relationship_id=relationship_id,
                remembered_relationship_id=None,
                first_closed_at=closed,
            )
        )

    def take_back(self, old: dict[str, Any], at: datetime, cause: Cause) -> list[CustomerEvent]:
        """Values as they were before an import wrote over them (M10).

        What was allowed then needs no rule now: no lock of the referral, no check of disabled choices.
        """
        values = dict(old)
        relationship_id = values.pop("relationship_id", None)
        closed = values.pop("first_closed_at", self.first_closed_at)
        if "source_ids" in values:
            named = values.pop("primary_source_id", None)
            values["primary_source_id"] = self._primary_source(
                values | ({"primary_source_id": named} if named in values["source_ids"] else {})
            )
        events: list[CustomerEvent] = list(self._change(CustomerUpdated, cause, at, **values))
        if relationship_id is not None and relationship_id != self.relationship_id:
            self.clock_started_at = at
            again = {"relationship_id": relationship_id, "remembered_relationship_id": None, "first_closed_at": closed}
            events += self._change(CustomerRelationshipChanged, cause, at, **again)
        return events

    def delete(self, at: datetime, cause: Cause) -> list[CustomerEvent]:
        """Soft deletion (C4)."""
        if self.state == "deleted":
            return []
        return list(self._change(CustomerDeleted, cause, at, state="deleted", deleted_at=at))

    def restore(self, at: datetime, cause: Cause, phones: list[str]) -> list[CustomerEvent]:
        """Bring a deleted customer back with those of its phones that are still free (C4).

        Its clock starts again, so who was forgotten is not any more (G5).
        """
        if self.state == "active":
            return []
        self.clock_started_at = at
        return list(
            self._change(
                CustomerRestored,
                cause,
                at,
                state="active",
                deleted_at=None,
                phones=phones,
                relationship_id=self.remembered_relationship_id or self.relationship_id,
                remembered_relationship_id=None,
            )
        )

    def _require_referral_open(self, referrer_id: UUID | None) -> None:
        if referrer_id == self.id:
            raise Invalid.at("/referrer_customer_id", detail="a customer cannot refer itself")
        new = NEW in (
            self.relationship_id,
            self.remembered_relationship_id if self.relationship_id == DONT_FORGET else None,
        )
        if not new and self.manager_id is not None:
            raise ReferralLocked


class Held(Record):
    """A stored customer whose row is locked; what changes of it is written by hand (`storing.py`, `hand_overs.py`)."""

    def __init__(self, columns: Iterable[tuple[str, Any]], viewers: Sequence[DraftViewer]) -> None:
        self.__dict__.update(columns)
        self.viewers = list(viewers)
        self._viewers_before, self._version_before = frozenset(viewers), self.version

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return self.version != self._version_before or self.viewers_changed

    @property
    def viewers_changed(self) -> bool:
        """Whether the reasons for looking are others than those stored."""
        return frozenset(self.viewers) != self._viewers_before
