"""Which way a page of customers is found (P4, P5). No one plan serves: the wrong one costs seconds.

*Walk* the newest (of all, of a manager, of a group …) and stop early: right where many match. *Merge* the
newest ends of several stretches of an index: a subtree, the people of a team. *Collect* all that the
narrowest start has and sort them: right where few match. A walk is bounded; what it leaves open is collected.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from services.customers.domain.filters import All, Node, Test
from services.customers.queries.filter_columns import joins
from services.customers.queries.filters import Asker, condition, visible
from services.customers.queries.ordering import NEWEST, NEWEST_FIRST, Sort
from services.customers.queries.parameters import Parameters
from services.customers.queries.starts import SMALL, Start, Stretch, share, share_seen, sight_lexemes, starts
from services.customers.queries.statistics import Statistics
from shared.identity import Actor

WALK_ROWS = 2_000
MAX_WALK_ROWS = 20_000
UNBOUNDED = 1_000_000_000
SAFETY = 4
"""A walk goes on this many times further than its page is expected to need."""
NARROW_SHARE = 0.1
"""So small a reach is asked for as words of the index; a larger one is checked row by row."""

_DELETED = """(SELECT id AS customer_id, created_at, manager_id, relationship_id,
               group_ids || source_ids || sector_ids AS class_ids,
               array_to_tsvector(string_to_array(search_text, ' ')) AS words
        FROM customer WHERE state = 'deleted')"""
"""Deleted customers in the shape of `customer_search`, which holds live ones only."""


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


@dataclass(frozen=True)
class Plan:
    """One statement. Without `complete`, a page that it does not fill may have been cut off."""

    sql: str
    parameters: Parameters
    complete: bool = True


def plans(search: Search, known: Statistics) -> list[Callable[[], Plan]]:
    """The ways to try, one after the other, until one has filled the page or is complete."""
    if search.deleted or known.customers < SMALL or not search.sort.newest:
        return [lambda: _collected(search, known, _starts(search, known))]
    rest = share(search.node, known) * (1.0 if _asks_for_own(search) else share_seen(search.actor, known))
    found = _starts(search, known)
    narrowest = found[0].rows if found else known.customers
    candidates: list[tuple[float, Start | None]] = [(search.limit / max(rest, 1e-9), None)]
    candidates += [
        (_cost(start, search.limit, rest * known.customers / max(start.rows, 1.0)), start)
        for start in found
        if start.stretches
    ]
    cost, best = min(candidates, key=lambda candidate: candidate[0])
    if cost >= narrowest:
        return [lambda: _collected(search, known, found)]
    rows = int(min(max(WALK_ROWS, SAFETY * cost), MAX_WALK_ROWS))
    if best is None:
        return [lambda: _newest(search, rows), lambda: _collected(search, known, found)]
    # Of several stretches none may be cut off: older rows of the others would take the place of its next ones.
    alone = sum(len(stretch.sizes) for stretch in best.stretches) == 1 and not best.stretches[0].subtree
    if not alone:
        return [lambda: _merged(search, best, UNBOUNDED)]
    return [lambda: _merged(search, best, rows), lambda: _collected(search, known, found)]


def _asks_for_own(search: Search) -> bool:
    """Whether only managers are asked for whose customers the actor sees all of: sight then leaves nothing out."""
    return any(
        isinstance(part, Test)
        and part.field.name == "manager_id"
        and part.comparison == "one_of"
        and set(part.values) <= set(search.actor.reach)
        for part in search.parts
    )


def counting(search: Search, known: Statistics) -> Plan:
    """How many customers there are in all (the place in the list does not matter)."""
    parameters = Parameters()
    source, where = _source(search, known, _starts(search, known), parameters)
    return Plan(f"SELECT count(*) FROM {source} {joins(where)} WHERE {where}", parameters)


def _cost(start: Start, limit: int, rest: float) -> float:
    """Rows to look at when the ends of a start's stretches are merged; `rest` of them meet the other conditions."""
    each = limit / max(rest, 1e-9)
    return sum(min(size, each) for stretch in start.stretches for size in stretch.sizes)


def _starts(search: Search, known: Statistics) -> list[Start]:
    """Where a list may begin, the narrowest first; nowhere in particular while there are few customers."""
    return starts(search.actor, search.parts, known) if known.customers >= SMALL else []


def _collected(search: Search, known: Statistics, found: Sequence[Start]) -> Plan:
    parameters = Parameters()
    source, where = _source(search, known, found, parameters)
    keys = [key.column.sql for key in search.sort.keys]
    if search.after is not None:
        where += f" AND {search.sort.behind(search.after, parameters, keys, 's.customer_id')}"
    columns = ", ".join(["s.customer_id", *search.sort.columns()])
    hits = f"SELECT {columns} FROM {source} {joins(where + columns)} WHERE {where}"
    bounded = bool(found) and found[0].rows < NARROW_SHARE * known.customers
    if known.customers >= SMALL and not search.sort.newest and not bounded:
        # All customers in an order that an index may have: the planner knows.
        return Plan(f"{hits} ORDER BY {search.sort.order('s', keys)} LIMIT {search.limit}", parameters)
    # Materialized, or the planner walks an index in order for a word that nobody has.
    sql = f"WITH hits AS MATERIALIZED ({hits}) SELECT * FROM hits ORDER BY {search.sort.order('hits')}"
    return Plan(f"{sql} LIMIT {search.limit}", parameters)


def _source(search: Search, known: Statistics, found: Sequence[Start], parameters: Parameters) -> tuple[str, str]:
    """Where all matches are collected from, and the condition on them."""
    asker = Asker(search.actor, parameters)
    if search.deleted:
        return f"{_DELETED} s", _where(asker, [search.node])
    narrowest = found[0] if found else None
    if narrowest is not None and narrowest.lexemes is not None:
        lexemes, sight = narrowest.lexemes, sight_lexemes(search.actor)
        rest = [part for part in search.parts if part is not narrowest.part]
        narrow = sight is not None and share_seen(search.actor, known) < NARROW_SHARE
        words = f"s.words @@ {parameters.add(f'{lexemes} & {sight}' if narrow else lexemes, 'tsquery')}"
        return "customer_search s", f"{words} AND {_where(asker, rest, seen=narrow)}"
    if narrowest is not None and narrowest.part is not None and narrowest.stretches[:1] and _of_keys(narrowest):
        ids = narrowest.stretches[0].ids_sql(parameters)
        keyed = f"(SELECT DISTINCT customer_id FROM customer_key WHERE key IN (SELECT unnest({ids})))"
        rest = [part for part in search.parts if part is not narrowest.part]
        return f"{keyed} d JOIN customer_search s ON s.customer_id = d.customer_id", _where(asker, rest)
    return "customer_search s", _where(asker, search.parts)


def _of_keys(start: Start) -> bool:
    return all(stretch.column == "k.key" for stretch in start.stretches)


def _newest(search: Search, rows: int) -> Plan:
    """The newest customers of all, at most so many, looked at one by one."""
    parameters = Parameters()
    asker = Asker(search.actor, parameters, one_by_one=True)
    newest = _newest_rows("customer_search s", "s", _bounds(search, asker, "s"), search, rows)
    where = _where(asker, _rest(search, None))
    order = search.sort.order("s", ["s.created_at"])
    sql = f"SELECT s.customer_id, s.created_at AS key0 FROM ({newest}) s {joins(where)} WHERE {where} ORDER BY {order}"
    return Plan(f"{sql} LIMIT {search.limit}", parameters, complete=False)


def _merged(search: Search, start: Start, rows: int) -> Plan:
    """The newest ends of a start's stretches, at most so many rows of each; a customer in several is there once."""
    parameters = Parameters()
    asker = Asker(search.actor, parameters, one_by_one=True)
    rest = _where(asker, _rest(search, start), seen=start.part is None)
    ends = " UNION ".join(_end(search, asker, stretch, rest, rows) for stretch in start.stretches)
    order = search.sort.order("found", ["found.key0"])
    sql = f"SELECT * FROM ({ends}) found ORDER BY {order} LIMIT {search.limit}"
    return Plan(sql, parameters, complete=rest == "true" or rows == UNBOUNDED)


def _end(search: Search, asker: Asker, stretch: Stretch, rest: str, rows: int) -> str:
    alias, table = ("k", "customer_key k") if stretch.column == "k.key" else ("s", "customer_search s")
    within = [f"{stretch.column} = stretch.id", *_bounds(search, asker, alias)]
    order = search.sort.order(alias, [f"{alias}.created_at"])
    source = f"({_newest_rows(table, alias, within, search, rows if rest != 'true' else search.limit)}) {alias}"
    if alias == "k" and rest != "true":
        source += " JOIN customer_search s ON s.customer_id = k.customer_id"
    return (
        f"SELECT DISTINCT one.* FROM unnest({stretch.ids_sql(asker.parameters)}) stretch(id) CROSS JOIN LATERAL"
        f" (SELECT {alias}.customer_id, {alias}.created_at AS key0 FROM {source} {joins(rest)}"
        f" WHERE {rest} ORDER BY {order} LIMIT {search.limit}) one"
    )


def _newest_rows(table: str, alias: str, within: list[str], search: Search, rows: int) -> str:
    order = search.sort.order(alias, [f"{alias}.created_at"])
    return f"SELECT * FROM {table} WHERE {' AND '.join(within) or 'true'} ORDER BY {order} LIMIT {rows}"


def _rest(search: Search, start: Start | None) -> list[Node]:
    """What neither the start nor the bounds of the walk have answered."""
    answered = start.part if start is not None else None
    return [part for part in search.parts if part is not answered and not _is_bound(part)]


def _bounds(search: Search, asker: Asker, alias: str) -> list[str]:
    """The stretch of the order that is asked for: days of creation, and what lies behind the last page."""
    days = [condition(asker, part) for part in search.parts if _is_bound(part)]
    found = [day.replace("s.created_at", f"{alias}.created_at") for day in days]
    if search.after is not None:
        columns = [f"{alias}.created_at"]
        found.append(search.sort.behind(search.after, asker.parameters, columns, f"{alias}.customer_id"))
    return found


def _is_bound(part: Node) -> bool:
    return isinstance(part, Test) and part.field.name == NEWEST and part.comparison == "within"


def _where(asker: Asker, parts: Sequence[Node], seen: bool = False) -> str:
    """Sight, unless the start has answered it, and every part."""
    conditions = [] if seen else [visible(asker.actor, asker.parameters)]
    conditions += [condition(asker, part) for part in parts]
    return " AND ".join(one for one in conditions if one != "true") or "true"


def _flat(node: Node) -> tuple[Node, ...]:
    if not isinstance(node, All):
        return (node,)
    return tuple(inner for part in node.parts for inner in _flat(part))
