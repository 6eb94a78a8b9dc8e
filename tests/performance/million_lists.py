"""Lists over a million customers: under load beside an empty route, at rest, at a tenth of the size, deep down.

The same requests are measured at both sizes of one run, each size beside an empty route of its own time.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from statistics import median
from typing import Any
from uuid import UUID

from deploy.demo.generate import SEED
from services.customers.domain.filter_fields import FIELDS
from tests.performance.client import Connection, Load, load, request
from tests.performance.lists import CLIENTS, WARM_SECONDS, Words, timed
from tests.performance.million_stage import ListStage
from tests.performance.processes import Usage
from tests.performance.report import Bar, Figure
from tests.performance.yardsticks import empty_route

REPETITIONS = 9
PAGE = 50
LIST_SHARE = Bar("at least", 0.25, 0.4, "of the empty route")
TEXT_SHARE = Bar("at least", 0.1, 0.3, "of the empty route")
LIST_GROWTH = Bar("at most", 1.3, None, "times")
TEXT_GROWTH = Bar("at most", 2, None, "times")
DEPTH = Bar("at most", 1.2, None, "times the first")
SLOWEST = Bar("at most", 100, None, "ms")
COUNTED = Bar("at most", 1_000, None, "ms")
TEXT = "text"


@dataclass
class Loads:
    """What each kind of list reached at one size, with the empty routes before and after it."""

    done: dict[str, Load] = field(default_factory=dict)
    empty: dict[str, float] = field(default_factory=dict)
    cost: dict[str, Usage] = field(default_factory=dict)

    def share(self, kind: str) -> float:
        """Of the empty route's rate."""
        return self.done[kind].rate / self.empty[kind]


@dataclass(frozen=True)
class Asked:
    """One search at rest; `name` says what and by whom."""

    name: str
    token: str
    body: dict[str, Any]

    def wire(self, **more: Any) -> bytes:
        """The request, with what else it asks for."""
        return request("POST", "/customers/search", self.token, {"limit": PAGE, **self.body, **more})


async def under_load(stage: ListStage, words: Words, seconds: float) -> Loads:
    """Lists by manager, relationship, group subtree and text, by people of every reach, eight clients each."""
    loads, token = Loads(), stage.keys.administrator_token()
    before = (await empty_route(stage.keys.jwks_url, token, CLIENTS, seconds / 2)).rate
    for kind, wires in _requests(stage, words).items():
        asked = cycle(wires)
        await load(stage.port, asked, CLIENTS, min(WARM_SECONDS, seconds))
        used = stage.usage()
        loads.done[kind] = await load(stage.port, asked, CLIENTS, seconds)
        loads.cost[kind] = stage.usage().since(used)
        after = (await empty_route(stage.keys.jwks_url, token, CLIENTS, seconds / 2)).rate
        loads.empty[kind], before = (before + after) / 2, after
    return loads


def load_figures(small: Loads, large: Loads, sizes: tuple[int, int]) -> list[Figure]:
    """Shares of the empty route at the larger size, and how much slower that is than the smaller one."""
    figures: list[Figure] = []
    for kind, done in large.done.items():
        cost, each = large.cost[kind], 1_000 / len(done.latencies)
        note = f"CPU ms a request: service {cost.services * each:.2f}, PostgreSQL {cost.database * each:.2f}"
        measured, empty = f"{done.rate:,.0f}/s, p99 {done.quantile_ms(0.99):.0f} ms", large.empty[kind]
        bar, growth = (TEXT_SHARE, TEXT_GROWTH) if kind == TEXT else (LIST_SHARE, LIST_GROWTH)
        yardstick = f"empty route {empty:,.0f}/s"
        figures.append(Figure(f"4 list by {kind}", measured, large.share(kind), bar, yardstick, cost, [note]))
        ratio = small.share(kind) / large.share(kind)
        first = f"{small.done[kind].rate:,.0f}/s of {small.empty[kind]:,.0f}/s at {sizes[0]:,}"
        figures.append(Figure(f"4 list by {kind}, {sizes[1]:,} customers", measured, ratio, growth, first))
    return figures


async def slowest(stage: ListStage, words: Words) -> list[Figure]:
    """First pages by every kind of text, every sort and the widest filters, for every reach; totals of the same."""
    searches = [*_text_searches(stage, words), *_sorted_lists(stage), *_wide_filters(stage)]
    pages = await medians_of(stage, {one.name: one.wire() for one in searches})
    counted = await medians_of(stage, {one.name: one.wire(total=True) for one in searches if "sort" not in one.body})
    return [
        slowest_of("4 slowest search at rest", pages, SLOWEST),
        slowest_of("4 slowest total at rest", counted, COUNTED),
    ]


async def deepest(stage: ListStage) -> list[Figure]:
    """The last page of lists beside their first, asked in turns."""
    ratios: dict[str, float] = {}
    medians: dict[str, float] = {}
    for one in [*_deep_lists(stage)]:
        last = await _last_position(stage, one)
        cursor = stage.cursor({"filter": one.body["filter"], "sort": one.body.get("sort")}, last)
        found = await medians_of(stage, {"first": one.wire(), "last": one.wire(cursor=cursor)}, REPETITIONS * 4)
        ratios[one.name] = found["last"] / found["first"]
        medians[one.name] = found["first"]
    worst = max(ratios, key=lambda name: ratios[name])
    notes = ["; ".join(f"{name} {ratio:.2f} of {medians[name]:.1f} ms" for name, ratio in ratios.items())]
    return [Figure("4 deepest page", f"{worst}: {ratios[worst]:.2f}", ratios[worst], DEPTH, "first page", notes=notes)]


async def medians_of(stage: ListStage, wires: dict[str, bytes], repetitions: int = REPETITIONS) -> dict[str, float]:
    """The median milliseconds of each request; they take turns, so that a busy moment hits all alike."""
    connection = await Connection.open(stage.port)
    taken: dict[str, list[float]] = {name: [] for name in wires}
    try:
        for wire in wires.values():
            await timed(connection, wire)  # statements are planned, pages are read
        for _ in range(repetitions):
            for name, wire in wires.items():
                taken[name].append(await timed(connection, wire))
    finally:
        connection.close()
    return {name: median(found) for name, found in taken.items()}


def slowest_of(name: str, medians: dict[str, float], bar: Bar) -> Figure:
    ordered = sorted(medians, key=lambda one: -medians[one])
    worst = ordered[0]
    notes = ["; ".join(f"{one} {medians[one]:.1f} ms" for one in ordered)]
    measured = f"{medians[worst]:.1f} ms: {worst}"
    return Figure(name, measured, medians[worst], bar, f"fastest {min(medians.values()):.1f} ms", notes=notes)


def _askers(stage: ListStage) -> dict[str, str]:
    keys, company = stage.keys, stage.company
    return {
        "a seller": keys.token(str(company.sellers[0])),
        "a superior of 40": keys.token(str(company.superior_id)),
        "everything": keys.administrator_token(),
    }


def _filter(name: str, value: Any, comparison: str = "eq") -> dict[str, Any]:
    return {"field": name, "op": comparison, "value": value}


def _requests(stage: ListStage, words: Words) -> dict[str, Sequence[bytes]]:
    """The requests of each kind, in an order that mixes people and values."""
    filters: dict[str, list[dict[str, Any]]] = {
        "manager": [_filter("manager_id", str(one)) for one in stage.company.sellers[:40]],
        "relationship": [_filter("relationship_id", str(one)) for one in stage.company.relationships],
        "group subtree": [_filter("group_ids", str(one)) for one in stage.company.groups[:25]],
        TEXT: [_filter("text", text, "contains") for text in words],
    }
    tokens = list(_askers(stage).values())
    mixed = random.Random(SEED)
    found: dict[str, Sequence[bytes]] = {}
    for kind, nodes in filters.items():
        asked = [Asked(kind, token, {"filter": node}).wire() for node in nodes for token in tokens]
        mixed.shuffle(asked)
        found[kind] = asked
    return found


def _text_searches(stage: ListStage, words: Words) -> Sequence[Asked]:
    return [
        Asked(f"{kind} for {who}", token, {"filter": _filter("text", text, "contains")})
        for who, token in _askers(stage).items()
        for kind, text in words._asdict().items()
    ]


def _sorted_lists(stage: ListStage) -> Sequence[Asked]:
    return [
        Asked(f"{sign}{known.name} for {who}", token, {"filter": None, "sort": [f"{sign}{known.name}"]})
        for who, token in _askers(stage).items()
        for known in FIELDS
        if known.sortable
        for sign in ("", "-")
    ]


def _wide_filters(stage: ListStage) -> Iterator[Asked]:
    """What no index of its own answers, and what spreads over many stretches of one."""
    company = stage.company
    root, team = str(company.groups[0]), [str(one) for one in company.sellers[:40]]
    nodes = {
        "province": _filter("address.province", "Hà Nội"),
        "seldom province": _filter("address.province", "Lai Châu"),
        "days left": _filter("days_left", 3, "lte"),
        "a team": _filter("manager_id", team, "in"),
        "a team, one that nobody is": {"and": [_filter("manager_id", team, "in"), _filter("gender", "other")]},
        "a subtree, one that nobody is": {"and": [_filter("group_ids", root), _filter("gender", "other")]},
        "all groups": _filter("group_ids", [str(one) for one in company.groups], "in"),
        "everybody": None,
    }
    for what, node in nodes.items():
        for who, token in _askers(stage).items():
            yield Asked(f"{what} for {who}", token, {"filter": node})


def _deep_lists(stage: ListStage) -> Iterator[Asked]:
    company = stage.company
    nodes: dict[str, Any] = {
        "everybody": None,
        "relationship": _filter("relationship_id", str(company.relationships[0])),
        "group subtree": _filter("group_ids", str(company.groups[0])),
        "manager": _filter("manager_id", str(company.sellers[0])),
    }
    for what, node in nodes.items():
        for who, token in islice(_askers(stage).items(), 0 if what != "manager" else 1, None):
            yield Asked(f"{what} for {who}", token, {"filter": node})


async def _last_position(stage: ListStage, asked: Asked) -> list[Any]:
    """Where the page behind begins of which nothing follows: the list is asked the other way round."""
    connection = await Connection.open(stage.port)
    try:
        answer = await connection.ask(asked.wire(sort=["created_at"], limit=PAGE + 1))
    finally:
        connection.close()
    row = answer.json()["items"][-1]
    created_at: UUID = row["created_at"]
    return [0, str(created_at), row["id"]]
