"""What confirmed rows were told of hidden customers' numbers counts for the next previews (R3).

An import is never stopped half-way by it: `customers`, who writes the rows, decides while it does what may still be
told; here its word is only kept. What previews tell is counted where they are made.
"""

from collections import defaultdict
from collections.abc import Sequence

from services.imports.commands.blanking import erased_among
from shared.contracts.imports import RowPhonesRevealed
from shared.database import Session
from shared.identity import Actor
from shared.revealing import count_reveals


async def keep_reveals_of_rows(session: Session, events: Sequence[RowPhonesRevealed]) -> None:
    """Count each number once for whoever was told; one whose customer was erased meanwhile is passed over (C8)."""
    told = [(event.actor, row) for event in events for row in event.rows]
    erased = await erased_among(session, [row.customer_id for _, row in told])
    phones: defaultdict[Actor, set[str]] = defaultdict(set)
    for actor, row in told:
        if row.phone is not None and row.customer_id not in erased:
            phones[Actor(actor.kind, actor.id)].add(row.phone)
    for actor, numbers in phones.items():
        await count_reveals(session, actor, "batch", numbers)
