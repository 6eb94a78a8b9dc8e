"""What may still be told of hidden customers' phones, decided number by number (R3); no I/O.

Each distinct number counts once. Who has used up their hour gets no word about any number, free ones
included: otherwise the refusal itself would tell. How it is remembered is left to `revealing.py`.
"""

import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from shared.identity import SYSTEM, Actor

Way = Literal["single", "batch"]


@dataclass
class Reveals:
    """What one asker was told in the last hour, and may still be told, in one way of asking."""

    actor: Actor
    way: Way
    limit: int
    told: set[str]
    new: dict[str, UUID] = field(default_factory=dict)

    @property
    def used_up(self) -> bool:
        """Whether nothing new may be told."""
        return len(self.told) >= self.limit

    def tell(self, phone: str, customer_id: UUID) -> bool:
        """Whether the asker may be told that a customer they cannot see has the phone; counts it."""
        if phone in self.told:
            return True
        if self.used_up:
            return False
        self.told.add(phone)
        self.new[phone] = customer_id
        return True

    def refusal(self, phones: Iterable[str], owners: Mapping[str, UUID], seen: Collection[UUID]) -> str | None:
        """Why a row with these phones is not written: its code, or None (M3).

        `owners` are the other customers who have phones, `seen` those of them that the actor sees.
        """
        asked = list(phones)
        taken = [phone for phone in asked if phone in owners]
        if any(owners[phone] in seen for phone in taken):
            return "phone_taken"
        if taken:
            return "phone_taken" if self.tell(taken[0], owners[taken[0]]) else "rate_limited"
        unlimited = self.actor.sees_everything or not self.used_up
        return None if unlimited or self.told.issuperset(asked) else "rate_limited"


def no_limit() -> Reveals:
    """For whoever needs no counting: nothing is hidden from the system."""
    return Reveals(SYSTEM, "batch", sys.maxsize, set())
