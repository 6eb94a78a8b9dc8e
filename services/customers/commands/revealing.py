"""Telling somebody that a hidden customer has a number: within their hour, and in the customer's trail (R3).

The counting is `shared/reveals.py`, kept by `revealing.py` beside it; here is who sees whom, and for
whom a trail is kept.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from services.customers.commands.publishing import reveal_entry, write_entries
from services.customers.domain.errors import PhoneTaken
from shared import outbox
from shared.access import may_see
from shared.contracts.events import Cause
from shared.contracts.imports import ImportPhonesRevealed, RevealedPhone, RowPhonesRevealed
from shared.database import Session, run
from shared.envelope import Origin
from shared.errors import RateLimited
from shared.identity import Actor
from shared.revealing import count_reveals, hold_reveals, keep_told, open_reveals, told_lately
from shared.reveals import Reveals


async def keep_reveals(session: Session, reveals: Reveals, cause: Cause) -> dict[str, UUID]:
    """Remember what was told, and leave it in the trail of the customers it is about; answers what was new."""
    news = await keep_told(session, reveals)
    if news:
        await write_entries(
            session, [reveal_entry(reveals.actor, owner, phone, cause) for phone, owner in news.items()]
        )
    return news


async def keep_reveals_of_rows(
    session: Session, reveals: Reveals, cause: Cause, import_id: UUID, origin: Origin
) -> None:
    """What confirmed or undone rows were told counts; `imports` hears of it, where it counts with later previews."""
    news = await keep_reveals(session, reveals, cause)
    if news:
        told = tuple(RevealedPhone(customer_id=owner, phone=phone) for phone, owner in news.items())
        event = RowPhonesRevealed(import_id=import_id, actor=reveals.actor.reference(), rows=told)
        outbox.add(session, event, origin)


async def keep_reveals_of_import(session: Session, event: ImportPhonesRevealed) -> None:
    """What a preview told counts here too, and stands in the trail of those who are still customers."""
    actor, cause = Actor(event.actor.kind, event.actor.id), Cause(kind="import", id=str(event.import_id))
    found = await run(
        session, "SELECT id FROM customer WHERE id = ANY($1::uuid[])", [row.customer_id for row in event.rows]
    )
    there = set(found.scalars())
    told = [(row.customer_id, row.phone) for row in event.rows if row.customer_id in there and row.phone is not None]
    await count_reveals(session, actor, "batch", [phone for _, phone in told])
    await write_entries(session, [reveal_entry(actor, customer_id, phone, cause) for customer_id, phone in told])


async def require_unlimited(session: Session, actor: Actor, phones: Iterable[str], limit: int) -> None:
    """Raises RateLimited for who has used up their hour and asks for numbers they were not told about."""
    asked = set(phones)
    if not asked or actor.sees_everything:
        return
    told = await told_lately(session, actor, "single")
    if len(told) >= limit and not asked <= told:
        raise RateLimited


async def require_reveals(session: Session, actor: Actor, taken: dict[str, UUID], limit: int, cause: Cause) -> None:
    """Count that all these numbers are told to be hidden customers'. Raises RateLimited, telling none."""
    hidden = set(taken.values()) - await visible_owners(session, actor, taken.values())
    if hidden:
        reveals = await open_reveals(session, actor, "single", limit)
        if not all(reveals.tell(phone, owner) for phone, owner in taken.items() if owner in hidden):
            raise RateLimited
        await keep_reveals(session, reveals, cause)


async def phone_taken(session: Session, actor: Actor, taken: dict[str, UUID]) -> PhoneTaken:
    """How to say that phones are taken: by a customer the actor sees if one is among them (C2)."""
    seen = await visible_owners(session, actor, taken.values())
    for owner in taken.values():
        if owner in seen:
            return PhoneTaken(owner)
    phone, owner = next(iter(taken.items()))
    return PhoneTaken(hidden=(phone, owner))


async def seen_owners(session: Session, reveals: Reveals, owners: Collection[UUID]) -> set[UUID]:
    """Those of the owners of phones whom the asker sees; what may be told of the others is held from here on."""
    seen = await visible_owners(session, reveals.actor, owners) if owners else set[UUID]()
    if not seen.issuperset(owners):
        await hold_reveals(session, reveals)
    return seen


async def visible_owners(session: Session, actor: Actor, customer_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the customers that are live and seen by the actor."""
    found = await run(
        session,
        "SELECT id, manager_id, viewer_ids FROM customer WHERE id = ANY($1::uuid[]) AND state = 'active'",
        list(set(customer_ids)),
    )
    return {row.id for row in found if may_see(actor, row.manager_id, row.viewer_ids)}
