"""Which way a page of customers is found (P4, P5). No one plan serves: the wrong one costs seconds.

*Walk* the newest (of all, of a manager, of a group …) and stop early: right where many match. *Merge* the
newest ends of several stretches of an index: a subtree, the people of a team. *Collect* all that the
narrowest start has and sort them: right where few match. A walk is bounded; what it leaves open is collected.
"""

from collections.abc import Callable, Sequence

from services.customers.queries.filter_columns import joins
from services.customers.queries.filters import Asker, has_words
from services.customers.queries.parameters import Parameters
from services.customers.queries.starts import (
    SMALL,
    Ages,
    Start,
    ages,
    are_too_common,
    count_prospects,
    evened,
    narrowing,
    share,
    share_seen,
    sight_lexemes,
    starts,
    way_of_purchases,
)
from services.customers.queries.statistics import Statistics
from services.customers.queries.walks import EVERYBODY, Plan, Search, answers_all, merged, newest, where

WALK_ROWS = 2_000
MAX_WALK_ROWS = 20_000
"""Measured at a million customers, beside other work for two cores: a row walked takes 0.1 µs when the index alone
answers, 4 µs when its orders or its record are looked up. So no walk is worth ending before 2,000 rows (8 ms), and
one of 20,000 (80 ms) costs what collecting 20,000 customers does."""
MAX_BUYERS_WALK_ROWS = 80_000
"""A walk for buyers of a past period may be longer: who was new then had little time to buy, and all are looked at
before those who had more. To add up the orders of everybody takes as long."""
LOOKS_PER_PROSPECT = 5
"""To find somebody by what they ever bought for, out of order, costs as much as looking at so many in order."""
MERGED_COST = 0.25
"""Reading a row at the end of a stretch and merging it, beside looking at its customer's orders."""
SAFETY = 4
"""A walk goes on this many times further than its page is expected to need."""
FAIRNESS, SPARE_ROWS = 1.5, 8
"""Of several stretches each is read this much further than its part of a page, which costs a second try when too
little: of a team of forty 640 rows are read in place of 2,040."""
NARROW_SHARE = 0.1
"""So small a reach is asked for as words of the index; a larger one is checked row by row."""

_DELETED = """(SELECT id AS customer_id, created_at, manager_id, relationship_id,
               group_ids || source_ids || sector_ids AS class_ids,
               array_to_tsvector(string_to_array(search_text, ' ')) AS words
        FROM customer WHERE state = 'deleted')"""
"""Deleted customers in the shape of `customer_search`, which holds live ones only."""

_SEEN = """
SELECT (SELECT count(*) FROM customer_search s WHERE s.manager_id = ANY({reach}))
     + (SELECT count(*) FROM customer_key k JOIN customer_search s ON s.customer_id = k.customer_id
        WHERE k.key = {own} AND (s.manager_id = ANY({reach})) IS NOT TRUE)
"""
"""How many customers somebody sees: those of managers from an index alone, and who is looked at beside them (A2)."""


def plans(search: Search, known: Statistics) -> list[Callable[[], Plan]]:
    """The ways to try, one after the other, until one has filled the page or is complete."""
    if search.deleted or known.customers < SMALL or not search.sort.newest:
        return [lambda: _collected(search, known, _starts(search, known))]
    found = _starts(search, known)
    rest = share(search.node, known, found) * (1.0 if search.of_own else share_seen(search.actor, known))
    narrowest = found[0].rows if found else known.customers
    of_age = ages(search.parts, known)
    if of_age.past and search.sort.keys[0].descending:
        return _of_the_past(search, known, found, rest, of_age)
    candidates: list[tuple[float, Start | None]] = [(search.limit / max(rest, 1e-9), None)]
    candidates += [
        (_cost(start, search.limit, rest * known.customers / max(start.rows, 1.0)), start)
        for start in found
        if start.stretches
    ]
    cost, best = min(candidates, key=lambda candidate: candidate[0])
    if cost >= narrowest or cost > MAX_WALK_ROWS:
        return [lambda: _all_of(search, known, found)]
    rows = min(_rounded(max(WALK_ROWS, SAFETY * cost)), MAX_WALK_ROWS)
    if best is None:
        return [lambda: newest(search, rows), lambda: _collected(search, known, found)]
    if answers_all(search, best):
        depths = _depths(best, search.limit, search.limit)
        whole = [search.limit] * len(depths)
        return [lambda: merged(search, best, depths, rows), lambda: merged(search, best, whole, rows)]
    matching = rest * known.customers / max(best.rows, 1.0)
    longest = max(MAX_WALK_ROWS // max(sum(len(one.sizes) for one in best.stretches), 1), 1)
    depths = _depths(best, search.limit / max(matching, 1e-9), longest)
    return [lambda: merged(search, best, depths, rows), lambda: _collected(search, known, found)]


def _of_the_past(
    search: Search, known: Statistics, found: Sequence[Start], share_found: float, of_age: Ages
) -> list[Callable[[], Plan]]:
    """The ways to who bought in a past period: of the newest few have, so that walks are longer.

    A later page begins where more have; it is looked for as far as the first.
    """
    everybody = of_age.looked_at(search.limit, known.customers, share_found)
    candidates: list[tuple[float, Start | None, Sequence[int]]] = [(everybody, None, ())]
    for start in map(evened, found):
        if start.stretches and start.rows >= 1.0:
            looked_at = of_age.looked_at(search.limit, start.rows, min(1.0, share_found * known.customers / start.rows))
            depths = _depths(start, FAIRNESS * looked_at, MAX_BUYERS_WALK_ROWS)
            read = sum(depth * len(one.sizes) for depth, one in zip(depths, start.stretches, strict=True))
            if read <= MAX_BUYERS_WALK_ROWS:
                candidates.append((looked_at + MERGED_COST * read, start, depths))
    cost, best, depths = min(candidates, key=lambda candidate: candidate[0])
    most = min(MAX_BUYERS_WALK_ROWS, LOOKS_PER_PROSPECT * count_prospects(search.parts, known))
    if cost > most or (found and cost >= found[0].rows):
        return [lambda: _all_of(search, known, found)]
    if best is None:
        return [lambda: newest(search, MAX_BUYERS_WALK_ROWS), lambda: _collected(search, known, found)]
    return [lambda: merged(search, best, depths, MAX_BUYERS_WALK_ROWS), lambda: _collected(search, known, found)]


def _all_of(search: Search, known: Statistics, found: Sequence[Start]) -> Plan:
    """Everybody who matches, or everybody in order with the orders of the period in a hash, where that is sooner."""
    narrowest = found[0].rows if found else known.customers
    if narrowest > NARROW_SHARE * known.customers and way_of_purchases(search.parts, known, narrowest) == "orders":
        return newest(search, EVERYBODY, "orders")
    return _collected(search, known, found)


def _depths(start: Start, wanted: float, most: int) -> list[int]:
    """How many of so many customers each id of a stretch will hold, but for bad luck; never more than `most`."""
    rows = max(sum(size for stretch in start.stretches for size in stretch.sizes), 1.0)
    likely = (wanted * max(stretch.sizes, default=1.0) / rows for stretch in start.stretches)
    return [min(most, _rounded(FAIRNESS * each + SPARE_ROWS)) for each in likely]


def _rounded(rows: float) -> int:
    """To a power of two: few numbers make few statements, and PostgreSQL plans each only once."""
    return 1 << max(int(rows) - 1, 1).bit_length()


def counting(search: Search, known: Statistics) -> Plan:
    """How many customers there are in all (the place in the list does not matter)."""
    parameters = Parameters()
    actor = search.actor
    if not (search.parts or search.deleted or actor.sees_everything) and actor.employee_id is not None:
        reach, own = parameters.add(list(actor.reach), "uuid[]"), parameters.add(actor.employee_id, "uuid")
        return Plan(_SEEN.format(reach=reach, own=own), parameters)
    source, asked = _source(search, known, _starts(search, known), parameters)
    return Plan(f"SELECT count(*) FROM {source} {joins(asked)} WHERE {asked}", parameters)


def _cost(start: Start, limit: int, rest: float) -> float:
    """Rows to look at when the ends of a start's stretches are merged; `rest` of them meet the other conditions."""
    each = limit / max(rest, 1e-9)
    return sum(min(size, each) for stretch in start.stretches for size in stretch.sizes)


def _starts(search: Search, known: Statistics) -> list[Start]:
    """Where a list may begin, the narrowest first; nowhere in particular while there are few customers."""
    return starts(search.actor, search.parts, known) if known.customers >= SMALL else []


def _collected(search: Search, known: Statistics, found: Sequence[Start]) -> Plan:
    parameters = Parameters()
    source, asked = _source(search, known, found, parameters)
    keys = [key.column.sql for key in search.sort.keys]
    if search.after is not None:
        asked += f" AND {search.sort.behind(search.after, parameters, keys, 's.customer_id')}"
    columns = ", ".join(["s.customer_id", *search.sort.columns()])
    hits = f"SELECT {columns} FROM {source} {joins(asked + columns)} WHERE {asked}"
    bounded = bool(found) and found[0].rows < NARROW_SHARE * known.customers
    if known.customers >= SMALL and not search.sort.newest and not bounded:
        # All customers in an order that an index may have: the planner knows.
        return Plan(f"{hits} ORDER BY {search.sort.order('s', keys)} LIMIT {search.limit}", parameters)
    # Materialized, or the planner walks an index in order for a word that nobody has.
    sql = f"WITH hits AS MATERIALIZED ({hits}) SELECT * FROM hits ORDER BY {search.sort.order('hits')}"
    return Plan(f"{sql} LIMIT {search.limit}", parameters)


def _source(search: Search, known: Statistics, found: Sequence[Start], parameters: Parameters) -> tuple[str, str]:
    """Where all matches are collected from, and the condition on them."""
    narrowest = found[0] if found else None
    one_by_one = narrowest is not None and are_too_common(search.parts, narrowest, known)
    way = way_of_purchases(search.parts, known, narrowest.rows if narrowest is not None else known.customers)
    asker = Asker(search.actor, parameters, way, search.deleted, one_by_one)
    if search.deleted:
        return f"{_DELETED} s", where(search, asker, [search.node])
    if narrowest is not None and narrowest.lexemes is not None:
        sight, reached = sight_lexemes(search.actor), share_seen(search.actor, known)
        narrow = sight is not None and reached < NARROW_SHARE
        asked, further = narrowing(narrowest.lexemes, known, (reached if narrow else 1.0) * known.customers)
        words = has_words(parameters, f"{asked} & {sight}" if narrow else asked)
        if further is not None:
            words += f" AND {has_words(parameters, further, one_by_one=True)}"
        rest = [part for part in search.parts if part is not narrowest.part]
        return "customer_search s", f"{words} AND {where(search, asker, rest, seen=narrow)}"
    if narrowest is not None and narrowest.part is not None and narrowest.stretches[:1] and _of_keys(narrowest):
        ids = narrowest.stretches[0].ids_sql(parameters)
        keyed = f"(SELECT DISTINCT customer_id FROM customer_key WHERE key IN (SELECT unnest({ids})))"
        rest = [part for part in search.parts if part is not narrowest.part]
        return f"{keyed} d JOIN customer_search s ON s.customer_id = d.customer_id", where(search, asker, rest)
    return "customer_search s", where(search, asker, search.parts)


def _of_keys(start: Start) -> bool:
    return all(stretch.column == "k.key" for stretch in start.stretches)
