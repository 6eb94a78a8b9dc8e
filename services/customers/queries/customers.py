"""Lists of customers: only what the actor may see (A2), by any filter (P2, P4), in keyset pages (P5).

`queries/plans.py` says which way a page is found, `queries/records.py` writes what is shown.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from services.customers.domain.filters import All, Node, Not, the_purchases, with_exact_tones
from services.customers.queries.ordering import Sort
from services.customers.queries.plans import counting, plans
from services.customers.queries.records import records
from services.customers.queries.statistics import Statistics, statistics
from services.customers.queries.walks import Plan, Search
from shared.database import Session, run
from shared.errors import Invalid
from shared.identity import DELETE, Actor
from shared.rows import Row

TOTAL_SECONDS = 2.0
"""A list is worth more than its total: of a million customers, one that no index narrows takes seconds to count."""


@dataclass(frozen=True)
class CustomerPage:
    """One page as JSON text, and the sort values of its last row where another page may follow.

    `uncounted`: a total was asked for and took too long.
    """

    items: str
    last: list[Any] | None
    total: int | None = None
    uncounted: bool = False


async def list_customers(
    session: Session,
    actor: Actor,
    node: Node,
    sort: Sort | None,
    limit: int,
    after: list[Any] | None = None,
    total: bool = False,
    deleted: bool = False,
) -> CustomerPage:
    """A page of the customers that the actor sees and the filter finds, newest first unless sorted.

    Without a sort those with exactly the tone marks of a searched text come first (P4). Raises Forbidden
    for deleted ones without the right, Invalid for a cursor of another shape.
    """
    if deleted:
        actor.require(DELETE)
    known = await statistics(session)
    count = await _total(session, Search(actor, node, deleted=deleted), known) if total else None
    exact = with_exact_tones(node) if sort is None else None
    ranks = [node] if exact is None else [exact, All((node, Not(exact)))]
    rank, place = _place(after, len(ranks))
    found: list[tuple[int, Row]] = []
    while rank < len(ranks) and len(found) <= limit:
        search = Search(actor, ranks[rank], sort or Sort(), place, limit + 1 - len(found), deleted)
        found += [(rank, row) for row in await _found(session, search, known)]
        rank, place = rank + 1, None
    shown = [row.customer_id for _, row in found[:limit]]
    items = await records(session, shown, the_purchases(node))
    last = _last(*found[limit - 1]) if len(found) > limit else None
    return CustomerPage(items, last, count, uncounted=total and count is None)


async def count_customers(session: Session, actor: Actor, node: Node, deleted: bool = False) -> int:
    """How many customers of a filter the actor sees (A2)."""
    return await _count(session, Search(actor, node, deleted=deleted), await statistics(session))


async def _found(session: Session, search: Search, known: Statistics) -> list[Row]:
    rows: list[Row] = []
    for plan in plans(search, known):
        made = plan()
        rows = (await run(session, made.sql, *made.parameters)).all()
        if made.complete or len(rows) >= search.limit or not await _left(session, made):
            break
    return rows


async def _left(session: Session, made: Plan) -> bool:
    """Whether a page that is not full may go on: near the end of a list nothing is left to look for elsewhere."""
    if made.left is None:
        return True
    asked = made.left()
    return (await run(session, asked.sql, *asked.parameters)).scalar_one()


async def _total(session: Session, search: Search, known: Statistics) -> int | None:
    """The total of a list; None when counting takes longer than TOTAL_SECONDS, and is given up."""
    try:
        async with asyncio.timeout(TOTAL_SECONDS):
            return await _count(session, search, known)
    except TimeoutError:
        return None


async def _count(session: Session, search: Search, known: Statistics) -> int:
    plan = counting(search, known)
    return (await run(session, plan.sql, *plan.parameters)).scalar_one()


def _place(after: list[Any] | None, ranks: int) -> tuple[int, list[Any] | None]:
    """Where a cursor continues: in which rank, behind which sort values."""
    if after is None:
        return 0, None
    rank = after[0]
    if not isinstance(rank, int) or not 0 <= rank < ranks:
        raise Invalid("bad_cursor")
    return rank, after[1:]


def _last(rank: int, row: Row) -> list[Any]:
    keys = [None if value is None else str(value) for name, value in row.items() if name.startswith("key")]
    return [rank, *keys, str(row.customer_id)]
