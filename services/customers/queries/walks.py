"""Walks: pages found at the newest ends of indexes, in the order of the list, by looking at customers one by one.

What a list asks for (`Search`) and one statement that answers it (`Plan`) are here, too. A walk is bounded: a page
that it does not fill may have been cut off, and is then looked for in another way.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from services.customers.domain.filters import All, Node, Test
from services.customers.domain.purchase_filter import Purchases
from services.customers.queries.filter_columns import joins
from services.customers.queries.filters import Asker, condition, visible
from services.customers.queries.ordering import NEWEST, NEWEST_FIRST, Sort
from services.customers.queries.parameters import Parameters
from services.customers.queries.purchases import Way, newest_buyer
from services.customers.queries.starts import Start, Stretch
from shared.identity import Actor

_OF_THE_ROW = re.compile(r"\b[scnr]\.")
"""What asks for more of a customer than the id."""

EVERYBODY = 1_000_000_000
"""A walk as long as this leaves nobody out."""


@dataclass(frozen=True)
class Search:
    """What a list asks for, where it continues, and how many rows of it are wanted."""

    actor: Actor
    node: Node
    sort: Sort = NEWEST_FIRST
    after: Sequence[Any] | None = None
    limit: int = 0
    deleted: bool = False

    @cached_property
    def parts(self) -> tuple[Node, ...]:
        """Conditions that must all hold."""
        return _flat(self.node)

    @cached_property
    def of_own(self) -> bool:
        """Whether only managers are asked for whose customers the actor sees all of: sight then leaves nothing out."""
        reach = frozenset(self.actor.reach)
        return any(
            isinstance(part, Test)
            and part.field.name == "manager_id"
            and part.comparison == "one_of"
            and reach.issuperset(part.values)
            for part in self.parts
        )


@dataclass(frozen=True)
class Plan:
    """One statement. Without `complete`, a page that it does not fill may have been cut off: `left` asks whether."""

    sql: str
    parameters: Parameters
    complete: bool = True
    left: "Callable[[], Plan] | None" = None


def newest(search: Search, rows: int, purchases: Way = "each") -> Plan:
    """The newest customers of all, at most so many, looked at one by one; who bought may wait in a hash."""
    parameters = Parameters(hidden=True)
    asker = Asker(search.actor, parameters, purchases, one_by_one=True)
    walked = _newest_rows("customer_search s", "s", _bounds(search, asker, "s"), search, rows)
    sql = _matches(search, "s", f"({walked}) s", where(search, asker, _rest(search, None)), search.limit)
    return Plan(sql, parameters, rows >= EVERYBODY, lambda: _newest_left(search, rows))


def _newest_left(search: Search, rows: int) -> Plan:
    """Whether there are customers behind a walk."""
    parameters = Parameters(hidden=True)
    bounds = _bounds(search, Asker(search.actor, parameters), "s")
    return Plan(f"SELECT EXISTS ({_newest_rows('customer_search s', 's', bounds, search, 1, rows)})", parameters)


def merged(search: Search, start: Start, depths: Sequence[int], rows: int) -> Plan:
    """The newest ends of a start's stretches, each so deep, merged and looked at in the order of the list.

    Of several stretches one that may go on hides what lies behind its end: nothing is told from there on. A single id
    needs no merging, and at most `rows` of it are looked at.
    """
    if (one := _of_one(search, start, rows)) is not None:
        return one
    parameters = Parameters(hidden=True)
    asker = Asker(search.actor, parameters, purchases="each", one_by_one=True)
    rest = where(search, asker, _rest(search, start), seen=start.part is None)
    complete = rest == "true" and min(depths) >= search.limit
    told = ""
    if not complete:
        behind = "<" if search.sort.keys[0].descending else ">"
        told = (
            " WHERE NOT EXISTS (SELECT FROM cut"
            f" WHERE (k.created_at, k.customer_id) {behind} (cut.created_at, cut.customer_id))"
        )
    order = search.sort.order("k", ["k.created_at"])
    merged_ends = f"SELECT DISTINCT k.created_at, k.customer_id FROM ends k{told} ORDER BY {order}"
    sql = _matches(search, "k", f"({merged_ends}) k", rest, search.limit)
    ends = _ends(search, asker, start, depths, cut=not complete)
    return Plan(f"{ends} {sql}", parameters, complete, lambda: _merge_left(search, start, depths))


def _merge_left(search: Search, start: Start, depths: Sequence[int]) -> Plan:
    """Whether a stretch may go on behind its end."""
    parameters = Parameters(hidden=True)
    ends = _ends(search, Asker(search.actor, parameters), start, depths, cut=True)
    return Plan(f"{ends} SELECT EXISTS (SELECT FROM cut)", parameters)


def _ends(search: Search, asker: Asker, start: Start, depths: Sequence[int], cut: bool) -> str:
    """The ends of all stretches and, where asked for, the newest place where one of them was left."""
    parts, ends, left = list[str](), list[str](), list[str]()
    for place, (stretch, depth) in enumerate(zip(start.stretches, depths, strict=True)):
        # Of a subtree the ids are looked up once.
        parts.append(f"ids{place} AS MATERIALIZED (SELECT unnest({stretch.ids_sql(asker.parameters)}) AS id)")
        ends.append(_of_each(search, asker, stretch, place, depth))
        if cut:
            left.append(_of_each(search, asker, stretch, place, 1, depth))
    parts.append(f"ends AS MATERIALIZED ({' UNION ALL '.join(ends)})")
    if left:
        order = search.sort.order("left_at", ["left_at.created_at"])
        first = f"SELECT * FROM ({' UNION ALL '.join(left)}) left_at ORDER BY {order} LIMIT 1"
        parts.append(f"cut AS MATERIALIZED ({first})")
    return f"WITH {', '.join(parts)}"


def answers_all(search: Search, start: Start) -> bool:
    """Whether nothing is left to ask of the customers of a start: none is passed over, so that merging is complete."""
    return where(search, Asker(search.actor, Parameters()), _rest(search, start), seen=start.part is None) == "true"


def _of_one(search: Search, start: Start, rows: int) -> Plan | None:
    """The newest of a single id, which need no merging: so plain a statement is planned only once."""
    parameters = Parameters(hidden=True)
    only = start.stretches[0].only_sql(parameters) if len(start.stretches) == 1 else None
    if only is None:
        return None
    asker = Asker(search.actor, parameters, purchases="each", one_by_one=True)
    rest = where(search, asker, _rest(search, start), seen=start.part is None)
    alias, source = _walked(search, asker, start.stretches[0], rows if rest != "true" else search.limit, 0, only)
    sql = _matches(search, alias, source, rest, search.limit)
    return Plan(sql, parameters, rest == "true", lambda: _one_left(search, start.stretches[0], rows))


def _one_left(search: Search, stretch: Stretch, rows: int) -> Plan:
    """Whether there are customers behind the walk of a single id."""
    parameters = Parameters(hidden=True)
    asker = Asker(search.actor, parameters)
    _, behind = _walked(search, asker, stretch, 1, rows, stretch.only_sql(parameters) or "")
    return Plan(f"SELECT EXISTS (SELECT FROM {behind})", parameters)


def _of_each(search: Search, asker: Asker, stretch: Stretch, place: int, rows: int, offset: int = 0) -> str:
    """Rows of each id of a stretch in the order of the list, which an index alone answers."""
    alias, source = _walked(search, asker, stretch, rows, offset)
    return f"SELECT {alias}.customer_id, {alias}.created_at FROM ids{place} stretch CROSS JOIN LATERAL {source}"


def _matches(search: Search, alias: str, source: str, rest: str, limit: int) -> str:
    """The first of walked rows that meet the rest, with what a list is ordered by."""
    if alias == "k" and rest != "true":
        alone = rest.replace("s.customer_id", "k.customer_id")
        if _OF_THE_ROW.search(alone):
            source += " JOIN customer_search s ON s.customer_id = k.customer_id"
        else:  # who has bought is told by the id
            rest = alone
    order = search.sort.order(alias, [f"{alias}.created_at"])
    return (
        f"SELECT {alias}.customer_id, {alias}.created_at AS key0 FROM {source} {joins(rest)}"
        f" WHERE {rest} ORDER BY {order} LIMIT {limit}"
    )


def _walked(
    search: Search, asker: Asker, stretch: Stretch, rows: int, offset: int = 0, identifier: str = "stretch.id"
) -> tuple[str, str]:
    """Rows of one stretch in the order of the list, with the alias they have."""
    alias, table = ("k", "customer_key k") if stretch.column == "k.key" else ("s", "customer_search s")
    within = [f"{stretch.column} = {identifier}", *_bounds(search, asker, alias)]
    return alias, f"({_newest_rows(table, alias, within, search, rows, offset)}) {alias}"


def _newest_rows(table: str, alias: str, within: list[str], search: Search, rows: int, offset: int = 0) -> str:
    order = search.sort.order(alias, [f"{alias}.created_at"])
    behind = f" OFFSET {offset}" if offset else ""
    return f"SELECT * FROM {table} WHERE {' AND '.join(within) or 'true'} ORDER BY {order} LIMIT {rows}{behind}"


def _rest(search: Search, start: Start | None) -> list[Node]:
    """What neither the start nor the bounds of the walk have answered."""
    answered = start.part if start is not None else None
    return [part for part in search.parts if part is not answered and not _is_bound(part)]


def _bounds(search: Search, asker: Asker, alias: str) -> list[str]:
    """The stretch of the order that is asked for: days of creation, who can have bought in a period, and what lies
    behind the last page.
    """
    days = [condition(asker, part) for part in search.parts if _is_bound(part)]
    found = [day.replace("s.created_at", f"{alias}.created_at") for day in days]
    buyers = [newest_buyer(part, asker.parameters) for part in search.parts if isinstance(part, Purchases)]
    found += [f"{alias}.created_at < {newest}" for newest in buyers if newest is not None]
    if search.after is not None:
        columns = [f"{alias}.created_at"]
        found.append(search.sort.behind(search.after, asker.parameters, columns, f"{alias}.customer_id"))
    return found


def _is_bound(part: Node) -> bool:
    return isinstance(part, Test) and part.field.name == NEWEST and part.comparison == "within"


def where(search: Search, asker: Asker, parts: Sequence[Node], seen: bool = False) -> str:
    """Sight, unless the start or a condition has answered it, and every part."""
    conditions = [] if seen or search.of_own else [visible(asker)]
    conditions += [condition(asker, part) for part in parts]
    return " AND ".join(one for one in conditions if one != "true") or "true"


def _flat(node: Node) -> tuple[Node, ...]:
    if not isinstance(node, All):
        return (node,)
    return tuple(inner for part in node.parts for inner in _flat(part))
