"""Where the search for a list may start, and how many customers each start and each condition lets through.

A start is a condition that an index answers. Those in the order of lists (a manager, a relationship, a
group with its subtree, …) give a page from their newest end; all of them bound what must be looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from services.customers.domain.filters import All, Node, Not, OpportunityTest, Some, Test
from services.customers.domain.purchase_filter import Purchases
from services.customers.domain.search_text import manager_lexeme, viewer_lexeme
from services.customers.queries.filter_columns import KINDS, of_kind, province_key
from services.customers.queries.parameters import Parameters
from services.customers.queries.purchases import Way, least_value
from services.customers.queries.statistics import NOBODY, Statistics
from services.customers.queries.text import WORDS, lexemes_of
from shared.identity import Actor

SMALL = 5_000
"""So few customers are looked at faster than thought about: one person's 5,089 of a million are collected in 15 ms,
sorted by a column of their record in 85 ms, both while four others worked on the same core."""

_KEYED = ("group_ids", "sector_ids", "source_ids", "viewer_ids")
_SHARES = {"one_of": 0.02, "within": 0.3, "contains": 0.05, "starts_with": 0.05, "empty": 0.3, "is": 0.1}
"""Of a comparison that no statistic knows."""
_OF_OPPORTUNITIES = 0.02
_OF_PRODUCTS = 0.1
"""Of orders, those with a product that is asked for."""
ORDERS_PER_PROSPECT = 6
"""Looking up one customer's orders costs as much as reading so many orders in a row: 3 µs and 0.5 µs."""
UNEVEN = 3.0
"""An id with so many times the customers of the mean is read by itself."""
READS_PER_LOOK = 25
"""Reading the postings of so many customers costs as much as looking at one: of a million, 350,000 with a common
prefix took 130 ms, 5,000 customers looked at 40 ms."""


_LAST_DAY = date.max - timedelta(days=1)


@dataclass(frozen=True)
class Stretch:
    """Rows of an index by one of several ids, each in the order of the list; `column` says which index."""

    column: str
    ids: tuple[UUID, ...]
    subtree: bool = False
    sizes: tuple[float, ...] = ()
    kind: str | None = None

    def only_sql(self, parameters: Parameters) -> str | None:
        """The id where there is but one."""
        alone = len(self.ids) == 1 and not self.subtree and self.kind is None
        return parameters.add(self.ids[0], "uuid") if alone else None

    def ids_sql(self, parameters: Parameters) -> str:
        """The ids as an array; which are of the kind, and a subtree, is looked up when the statement runs."""
        listed = parameters.add(list(self.ids), "uuid[]")
        if self.kind is not None:
            listed = of_kind(self.kind, listed)
        return f"(SELECT subtree({listed}))" if self.subtree else listed


@dataclass(frozen=True)
class Start:
    """One way to begin. `part` is the condition it answers; None stands for the actor's sight."""

    part: Node | None
    rows: float
    stretches: tuple[Stretch, ...] = ()
    lexemes: str | None = None


def starts(actor: Actor, parts: Sequence[Node], known: Statistics) -> list[Start]:
    """Every start that the conditions and the actor's sight offer, the narrowest first."""
    found = [start for part in parts if (start := _start(part, known)) is not None]
    if not actor.sees_everything and actor.employee_id is not None:
        stretches = (
            _stretch("s.manager_id", actor.reach, known, actor.reach),
            _stretch("k.key", (actor.employee_id,), known, (actor.employee_id,)),
        )
        found.append(Start(None, sum(sum(one.sizes) for one in stretches), stretches))
    return sorted(found, key=lambda start: start.rows)


def evened(start: Start) -> Start:
    """The same with ids that have far more customers than the others in stretches of their own: all are read as deep
    as the largest of a stretch needs.
    """
    stretches: list[Stretch] = []
    for stretch in start.stretches:
        usual = UNEVEN * sum(stretch.sizes) / max(len(stretch.sizes), 1)
        sized = list(zip(stretch.ids, stretch.sizes, strict=True)) if len(stretch.ids) == len(stretch.sizes) else []
        large = [(one, size) for one, size in sized if size > usual]
        if stretch.subtree or not large:
            stretches.append(stretch)
            continue
        for some in (large, [(one, size) for one, size in sized if size <= usual]):
            ids, sizes = zip(*some, strict=True)
            stretches.append(replace(stretch, ids=ids, sizes=sizes))
    return replace(start, stretches=tuple(stretches))


def share_seen(actor: Actor, known: Statistics) -> float:
    """Which share of all customers the actor sees, about (A2)."""
    if actor.sees_everything:
        return 1.0
    if actor.employee_id is None or not known.customers:
        return 0.0
    seen = sum(map(known.managers.of, actor.reach)) + known.keys.of(actor.employee_id)
    return min(1.0, seen / known.customers)


def share(node: Node, known: Statistics, found: Sequence[Start] = ()) -> float:
    """Which share of all customers a condition lets through, as if conditions were independent.

    `found` are starts that are known already.
    """
    if isinstance(node, All):
        result = 1.0
        for part in node.parts:
            result *= share(part, known, found)
        return result
    if isinstance(node, Some):
        none = 1.0
        for part in node.parts:
            none *= 1.0 - share(part, known)
        return 1.0 - none
    if isinstance(node, Not):
        return 1.0 - share(node.part, known)
    if isinstance(node, OpportunityTest):
        return _OF_OPPORTUNITIES
    if isinstance(node, Purchases):
        return _share_of_buyers(node, known) if node.purchased else 1.0 - _share_of_buyers(node, known)
    start = next((one for one in found if one.part is node), None) or _start(node, known)
    if start is not None:
        return min(1.0, start.rows / max(known.customers, 1.0))
    if node.field.name == "unassigned":
        return 1.0 - min(1.0, known.keys.of(NOBODY) / max(known.customers, 1.0))
    return _SHARES.get(node.comparison, 1.0)


@dataclass(frozen=True)
class Ages:
    """Which shares of all customers may have bought in the periods asked for: the `old_enough`, among them the `young`,
    who came while a period ran, and those who came after it (`too_new`) although a newer one bought.
    """

    old_enough: float = 1.0
    young: float = 0.0
    too_new: float = 0.0

    @property
    def past(self) -> bool:
        """Whether somebody is too new for a period."""
        return self.old_enough < 1.0

    def looked_at(self, wanted: int, customers: float, share: float) -> float:
        """How many customers are looked at, the newest first, until so many are found of all who match (a share).

        Who is too new is passed; who is young has had a part of the period: as many match as if half of them had had
        all of it, and of the newest few. Of a million this guesses 13,000 to 75,000 where 7,000 to 77,000 are right
        (10 % to 0.3 % match).
        """
        young, passed = self.young * customers, self.too_new * customers
        density = share * customers / max((self.old_enough - self.young / 2) * customers, 1.0)
        matching = density * young / 2
        if wanted <= matching:
            return passed + (2 * wanted * young / density) ** 0.5
        return passed + young + (wanted - matching) / max(density, 1e-9)


def ages(parts: Sequence[Node], known: Statistics) -> Ages:
    """Which customers may have bought in the periods of some conditions, by when they came."""
    found = Ages()
    for part in parts:
        if isinstance(part, Purchases) and part.purchased and part.ordered_to is not None:
            newer = known.created_at.at_least(known.newest_buyer(part.ordered_from, part.ordered_to))
            after = known.created_at.at_least(_behind(part.ordered_to))
            since = known.created_at.at_least(_start_of(part.ordered_from)) if part.ordered_from is not None else after
            if 1.0 - newer <= found.old_enough:
                found = Ages(1.0 - newer, max(since - max(after, newer), 0.0), max(after - newer, 0.0))
    return found


def way_of_purchases(parts: Sequence[Node], known: Statistics, among: float) -> Way:
    """Where all who bought are found soonest: each of so many, among who ever bought for so much, or in the orders of
    the period.
    """
    nodes = [part for part in parts if isinstance(part, Purchases) and part.purchased]
    if not nodes or known.customers < SMALL:
        return "any"
    prospects = count_prospects(parts, known)
    orders = min(_share_of_orders(node, known) for node in nodes) * known.documents
    if among < prospects and among * ORDERS_PER_PROSPECT < orders:
        return "each"
    return "prospects" if prospects * ORDERS_PER_PROSPECT < orders else "orders"


def count_prospects(parts: Sequence[Node], known: Statistics) -> float:
    """How many customers ever bought for so much as is asked for; all, where nothing is."""
    values = [max(least_value(part), 1) for part in parts if isinstance(part, Purchases) and part.purchased]
    return min(map(known.purchased_value.at_least, values), default=1.0) * known.customers


def narrowing(lexemes: str, known: Statistics, among: float) -> tuple[str, str | None]:
    """The words of a query to ask an index for, and those to look for in what it finds, of `among` customers.

    An index reads all postings of a prefix before it knows who has the other words, too.
    """
    ordered = sorted(lexemes.split(" & "), key=known.share_of_word)
    rows, asked = among * known.share_of_word(ordered[0]), 1
    for word in ordered[1:]:
        share_of_word = known.share_of_word(word)
        if share_of_word * known.customers > READS_PER_LOOK * rows:
            break
        rows, asked = rows * share_of_word, asked + 1
    return " & ".join(ordered[:asked]), " & ".join(ordered[asked:]) or None


def are_too_common(parts: Sequence[Node], narrowest: Start, known: Statistics) -> bool:
    """Whether words are asked for that are better looked for in what the narrowest start finds than in their index.

    Left to the planner, one seller's 5,000 of a million with the commonest word took 200 ms, now 50.
    """
    queries = [lexemes_of(part) for part in parts if isinstance(part, Test) and part.comparison in WORDS]
    found = [known.share_of_words(query) * known.customers for query in queries if query]
    return narrowest.lexemes is None and any(rows > READS_PER_LOOK * narrowest.rows for rows in found)


def sight_lexemes(actor: Actor) -> str | None:
    """What the actor sees as alternatives of words (A2); None where everything is seen."""
    if actor.sees_everything:
        return None
    if actor.employee_id is None:
        return "'nobody:'"
    sight = [f"'{manager_lexeme(employee_id)}'" for employee_id in actor.reach]
    return f"({' | '.join([*sight, _quoted(viewer_lexeme(actor.employee_id))])})"


def _share_of_buyers(node: Purchases, known: Statistics) -> float:
    """Who ever bought for so much, as far as orders lie in the period: 1.8 % instead of 2.2 % at 10 million a year."""
    chosen = _OF_PRODUCTS if node.product_codes or node.product_group_codes else 1.0
    return known.purchased_value.at_least(max(least_value(node), 1)) * _share_of_orders(node, known) * chosen


def _share_of_orders(node: Purchases, known: Statistics) -> float:
    """Which share of all orders lies in the period."""
    since = known.ordered_at.at_least(_start_of(node.ordered_from)) if node.ordered_from else 1.0
    later = known.ordered_at.at_least(_behind(node.ordered_to)) if node.ordered_to else 0.0
    return max(since - later, 0.0)


def _behind(day: date) -> datetime:
    return _start_of(min(day, _LAST_DAY)) + timedelta(days=1)


def _start_of(day: date) -> datetime:
    """Near enough: zones do not matter to a guess."""
    return datetime.combine(day, time(), UTC)


def _start(part: Node, known: Statistics) -> Start | None:
    if not isinstance(part, Test):
        return None
    ids: Any = part.values
    if part.comparison in WORDS:
        lexemes = lexemes_of(part)
        return Start(part, known.customers * known.share_of_words(lexemes), lexemes=lexemes) if lexemes else None
    if part.comparison == "is" and part.field.name == "unassigned" and part.values[0]:
        return _keyed(part, (NOBODY,), known, (NOBODY,))
    if part.comparison != "one_of":
        return None
    if part.field.name == "address.province":
        keys = tuple(dict.fromkeys(province_key(str(value)) for value in ids))
        return _keyed(part, keys, known, keys)
    if part.field.name in _KEYED:
        subtree = part.field.kind == "tree"
        kind = KINDS[part.field.name]
        return _keyed(part, ids, known, tuple(known.below(ids)) if subtree else ids, subtree, kind)
    if part.field.name in ("manager_id", "relationship_id"):
        stretch = _stretch(f"s.{part.field.name}", ids, known, ids)
        return Start(part, sum(stretch.sizes), (stretch,))
    return Start(part, float(len(ids))) if part.field.name in ("id", "code") else None


def _keyed(
    part: Node,
    ids: Sequence[UUID],
    known: Statistics,
    counted: Sequence[UUID],
    subtree: bool = False,
    kind: str | None = None,
) -> Start:
    stretch = _stretch("k.key", ids, known, counted, subtree, kind)
    return Start(part, sum(stretch.sizes), (stretch,))


def _stretch(
    column: str,
    ids: Sequence[UUID],
    known: Statistics,
    counted: Sequence[UUID],
    subtree: bool = False,
    kind: str | None = None,
) -> Stretch:
    of = {"s.manager_id": known.managers, "s.relationship_id": known.relationships}.get(column, known.keys).of
    return Stretch(column, tuple(ids), subtree, tuple(map(of, counted)), kind)


def _quoted(lexeme: str) -> str:
    return f"'{lexeme}'"
