"""Lists of customers: only what the actor may see (A2), by any filter (P2, P4), in keyset pages (P5).

`queries/plans.py` says which way a page is found, `queries/records.py` writes what is shown.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from services.customers.domain.filters import All, Node, Not, the_purchases, with_exact_tones
from services.customers.domain.purchase_filter import Purchases
from services.customers.queries.ordering import Sort
from services.customers.queries.plans import counting, plans
from services.customers.queries.records import page_of
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
    """One page as JSON in UTF-8, and the sort values of its last row where another page may follow.

    `uncounted`: a total was asked for and took too long.
    """

    items: bytes
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
    items: list[bytes] = []
    last, missing, uncounted = None, limit, total and count is None
    while rank < len(ranks):
        search = Search(actor, ranks[rank], sort or Sort(), place, missing + 1, deleted)
        found = await _found(session, search, known, missing, the_purchases(node))
        if found.customers is not None:
            items.append(found.customers)
            last = _last(rank, found)
        if found.found > missing:
            return CustomerPage(b"[%b]" % b",".join(items), last, count, uncounted)
        rank, place, missing = rank + 1, None, missing - found.found
    return CustomerPage(b"[%b]" % b",".join(items), None, count, uncounted)


async def count_customers(session: Session, actor: Actor, node: Node, deleted: bool = False) -> int:
    """How many customers of a filter the actor sees (A2)."""
    return await _count(session, Search(actor, node, deleted=deleted), await statistics(session))


async def _found(session: Session, search: Search, known: Statistics, limit: int, purchases: Purchases | None) -> Row:
    """The first `limit` customers of a search; one more tells that others follow."""
    for plan in plans(search, known):
        made = plan()
        statement = page_of(made.sql, search.sort.order("found"), limit, made.parameters, purchases)
        row = (await run(session, statement, *made.parameters)).one()
        if made.complete or row.found >= search.limit or not await _left(session, made):
            return row
    raise AssertionError("the last way is complete")


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
