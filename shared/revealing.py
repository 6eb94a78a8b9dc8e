"""Remembers what was told of hidden customers' phones, for an hour, in the table `revealed_phone` (R3).

That a number is taken must be said, or two customers would share it; said without limit it would let
anybody try out numbers. What may still be told is decided by `reveals.py`; whom a trail is kept for is
left to the services.
"""

from collections.abc import Collection
from uuid import UUID

from shared.database import Session, advisory_lock, run
from shared.identity import Actor
from shared.reveals import Reveals, Way

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


async def open_reveals(session: Session, actor: Actor, way: Way, limit: int) -> Reveals:
    """What the asker may still be told; until the transaction ends, nobody else tells them anything."""
    reveals = Reveals(actor, way, limit, set())
    await hold_reveals(session, reveals)
    return reveals


async def look_at_reveals(session: Session, actor: Actor, way: Way, limit: int) -> Reveals:
    """The same as it stands, for whoever will hardly tell anything: to be held before a number is told.

    Chunks of one file would else wait for one another.
    """
    return Reveals(actor, way, limit, await told_lately(session, actor, way))


async def hold_reveals(session: Session, reveals: Reveals) -> None:
    """Count what others have told meanwhile; until the transaction ends, nobody else tells the asker anything."""
    await advisory_lock(session, f"revealing|{reveals.way}|{_name(reveals.actor)}")
    reveals.told |= await told_lately(session, reveals.actor, reveals.way)


async def keep_told(session: Session, reveals: Reveals) -> dict[str, UUID]:
    """Remember what was told; answers whose number each of the newly told ones is."""
    news, reveals.new = reveals.new, {}
    await count_reveals(session, reveals.actor, reveals.way, news)
    return news


async def told_lately(session: Session, actor: Actor, way: Way) -> set[str]:
    """The numbers that somebody was told of in the last hour."""
    return set((await run(session, _LAST_HOUR, _name(actor), way)).scalars())


async def count_reveals(session: Session, actor: Actor, way: Way, phones: Collection[str]) -> None:
    """Let numbers count as told from now on."""
    if phones:
        await run(session, _KEEP, _name(actor), way, sorted(phones))


async def forget_reveals(session: Session) -> None:
    """Forget what no longer counts."""
    await run(
        session, f"DELETE FROM revealed_phone WHERE revealed_at < clock_timestamp() - interval '{MINUTES} minutes'"
    )


def _name(actor: Actor) -> str:
    return f"{actor.kind}/{actor.id}"
