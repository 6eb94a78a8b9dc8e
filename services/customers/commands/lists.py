"""Fixing which customers a request is about: ids as given or what a filter finds, of those the actor sees (A2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.customers.commands.long_work import MAX_LISTED, freeze_list
from services.customers.domain.filters import Node
from services.customers.domain.long_work import LongWork
from services.customers.queries.filters import matching
from shared.access import visible_sql
from shared.database import Session
from shared.identity import Actor


@dataclass(frozen=True)
class Chosen:
    """Customers of a request: by id, or by a filter."""

    customer_ids: Sequence[UUID] = ()
    filter: Node | None = None


async def freeze_chosen(
    session: Session, actor: Actor, work: LongWork, chosen: Chosen, limit: int = MAX_LISTED
) -> None:
    """Fix the list of long work; ids that the actor does not see are counted as left out.

    Ids keep their order, what a filter finds is ordered by id. Raises Invalid `selection_too_large`.
    """
    if chosen.filter is not None:
        found = matching(actor, chosen.filter)
        await freeze_list(session, work, found.sql, found.parameters, limit)
        return
    distinct = list(dict.fromkeys(chosen.customer_ids))
    condition, parameters = visible_sql(actor, "c", 2)
    query = (
        "SELECT c.id AS customer_id, given.place FROM unnest($1::uuid[]) WITH ORDINALITY AS given(id, place)"
        f" JOIN customer c ON c.id = given.id WHERE c.state = 'active' AND {condition}"
    )
    await freeze_list(session, work, query, [distinct, *parameters], limit, order="place")
    work.left_out = len(distinct) - work.total
