"""Answers that tell somebody that a hidden customer has a phone: counted, limited, audited (R3).

That a number is taken must be said, or two customers would share it; said without limit it would let
anybody try out numbers. Each distinct number counts once an hour. Who has used up their hour gets no
word about any number, free ones included: otherwise the refusal itself would tell.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from services.customers.commands.publishing import reveal_entry, write_entries
from services.customers.domain.errors import PhoneTaken
from shared.access import may_see
from shared.contracts.events import Cause
from shared.database import Session, advisory_lock, run
from shared.errors import RateLimited
from shared.identity import Actor

Way = Literal["single", "batch"]

MINUTES = 60
"""How long a revealing answer counts."""

_LAST_HOUR = f"""
SELECT phone FROM revealed_phone
WHERE actor = $1 AND way = $2 AND revealed_at > clock_timestamp() - interval '{MINUTES} minutes'
"""
_KEEP = """
INSERT INTO revealed_phone (actor, way, phone) SELECT $1, $2, phone FROM unnest($3::text[]) AS new(phone)
ON CONFLICT (actor, way, phone) DO UPDATE SET revealed_at = excluded.revealed_at
"""


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
        taken = [phone for phone in phones if phone in owners]
        if any(owners[phone] in seen for phone in taken):
            return "phone_taken"
        if taken:
            return "phone_taken" if self.tell(taken[0], owners[taken[0]]) else "rate_limited"
        unlimited = self.actor.sees_everything or not self.used_up
        return None if unlimited or self.told.issuperset(phones) else "rate_limited"

    async def keep(self, session: Session, cause: Cause) -> None:
        """Remember what was told, and leave it in the trail of the customers it is about."""
        if self.new:
            await run(session, _KEEP, _name(self.actor), self.way, list(self.new))
            entries = [reveal_entry(self.actor, customer_id, phone, cause) for phone, customer_id in self.new.items()]
            await write_entries(session, entries)
            self.new.clear()


async def open_reveals(session: Session, actor: Actor, way: Way, limit: int) -> Reveals:
    """What the asker may still be told; until the transaction ends, nobody else tells them anything."""
    await advisory_lock(session, f"revealing|{way}|{_name(actor)}")
    told = await run(session, _LAST_HOUR, _name(actor), way)
    return Reveals(actor, way, limit, set(told.scalars()))


async def require_unlimited(session: Session, actor: Actor, phones: Iterable[str], limit: int) -> None:
    """Raises RateLimited for who has used up their hour and asks for numbers they were not told about."""
    asked = set(phones)
    if not asked or actor.sees_everything:
        return
    told = set((await run(session, _LAST_HOUR, _name(actor), "single")).scalars())
    if len(told) >= limit and not asked <= told:
        raise RateLimited


async def require_reveals(session: Session, actor: Actor, taken: dict[str, UUID], limit: int, cause: Cause) -> None:
    """Count that all these numbers are told to be hidden customers'. Raises RateLimited, telling none."""
    hidden = set(taken.values()) - await visible_owners(session, actor, taken.values())
    if hidden:
        reveals = await open_reveals(session, actor, "single", limit)
        if not all(reveals.tell(phone, owner) for phone, owner in taken.items() if owner in hidden):
            raise RateLimited
        await reveals.keep(session, cause)


async def phone_taken(session: Session, actor: Actor, taken: dict[str, UUID]) -> PhoneTaken:
    """How to say that phones are taken: by a customer the actor sees if one is among them (C2)."""
    seen = await visible_owners(session, actor, taken.values())
    for owner in taken.values():
        if owner in seen:
            return PhoneTaken(owner)
    phone, owner = next(iter(taken.items()))
    return PhoneTaken(hidden=(phone, owner))


async def visible_owners(session: Session, actor: Actor, customer_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the customers that are live and seen by the actor."""
    found = await run(
        session,
        "SELECT id, manager_id, viewer_ids FROM customer WHERE id = ANY($1::uuid[]) AND state = 'active'",
        list(set(customer_ids)),
    )
    return {row.id for row in found if may_see(actor, row.manager_id, row.viewer_ids)}


async def forget_reveals(session: Session) -> None:
    """Forget what no longer counts."""
    await run(
        session, f"DELETE FROM revealed_phone WHERE revealed_at < clock_timestamp() - interval '{MINUTES} minutes'"
    )


def _name(actor: Actor) -> str:
    return f"{actor.kind}/{actor.id}"
