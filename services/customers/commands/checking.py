"""`/customers/check`: is a phone or a code taken? Answers within the limit of what may be revealed (R3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from services.customers.commands.customers import by_hand
from services.customers.commands.revealing import keep_reveals, visible_owners
from shared.database import Session, run
from shared.identity import Actor
from shared.revealing import open_reveals

State = Literal["free", "taken", "invalid"]


@dataclass(frozen=True)
class Checked:
    """What is known of one number or code: `customer_id` only for those who may see the customer (C2)."""

    state: State
    customer_id: UUID | None = None


async def check_phones(session: Session, actor: Actor, phones: Sequence[str], limit: int) -> dict[str, Checked] | None:
    """Whether live customers have these numbers (E.164); None when the asker may be told no more this hour.

    What was told until the limit was met counts all the same.
    """
    found = await run(
        session, "SELECT phone, customer_id FROM customer_phone WHERE phone = ANY($1::text[])", list(phones)
    )
    owners: dict[str, UUID] = {row.phone: row.customer_id for row in found}
    seen = await visible_owners(session, actor, owners.values())
    answers = {phone: Checked("taken", owners[phone]) for phone in phones if owners.get(phone) in seen}
    hidden = [phone for phone in phones if phone not in answers]
    if actor.sees_everything or not hidden:
        return answers | {phone: Checked("taken" if phone in owners else "free") for phone in hidden}
    reveals = await open_reveals(session, actor, "single", limit)
    used_up = reveals.used_up and not set(hidden) <= reveals.told
    for phone in hidden:
        if phone in owners:
            used_up |= not reveals.tell(phone, owners[phone])
        answers[phone] = Checked("taken" if phone in owners else "free")
    await keep_reveals(session, reveals, by_hand(session))
    return None if used_up else answers


async def check_code(session: Session, actor: Actor, code: str) -> Checked:
    """Whether a code is or was anybody's (C1)."""
    found = await run(session, "SELECT customer_id FROM customer_code WHERE code = $1", code)
    owner = found.scalar_one_or_none()
    if owner is None:
        return Checked("free")
    seen = await visible_owners(session, actor, [owner])
    return Checked("taken", owner if owner in seen else None)
