"""Row 2: the list of fifty under load, beside an empty route; the slowest text search at rest."""

import random
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from statistics import median
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import asyncpg

from deploy.demo.generate import SEED
from tests.performance.client import Connection, load, request
from tests.performance.report import Bar, Figure
from tests.performance.stage import Stage
from tests.performance.yardsticks import empty_route

CLIENTS = 8
SECONDS = 10.0
WARM_SECONDS = 2.0
SEARCHES = 20
RARE_CUSTOMERS = 10
ABSENT_WORD = "zzyzx"
COMMON_WORDS = 12

LIST_SHARE = Bar("at least", 0.25, 0.4, "of the empty route")
LIST_RATE = Bar("at least", 0, 1_000, "requests/s")
SLOWEST_SEARCH = Bar("at most", 50, None, "ms")

# Names and address words only: no codes, phones or sight, which nobody types as a word.
_WORDS = """
SELECT word, ndoc FROM ts_stat('SELECT words FROM customer_search')
WHERE word ~ '^[a-z]{2,}$' ORDER BY ndoc DESC, word
"""
_TOGETHER = "SELECT count(*) FROM customer_search WHERE words @@ $1::tsquery"


class Words(NamedTuple):
    """What is searched for, by how frequent it is."""

    common: str
    two_common: str
    seldom_together: str
    rare: str
    absent: str = ABSENT_WORD


async def filtered_lists(stage: Stage, seconds: float = SECONDS) -> list[Figure]:
    """A list filtered by a common word and a manager, 8 clients, against an empty route of this run."""
    words = await find_words(stage.connections["customers"])
    asked = cycle(_list_requests(stage, words))
    token = stage.keys.administrator_token()
    empty = await empty_route(stage.keys.jwks_url, token, CLIENTS, seconds / 2)
    await load(stage.port("customers"), asked, CLIENTS, WARM_SECONDS)
    before = stage.usage()
    done = await load(stage.port("customers"), asked, CLIENTS, seconds)
    cost = stage.usage().since(before)
    again = await empty_route(stage.keys.jwks_url, token, CLIENTS, seconds / 2)
    empty_rate = (empty.rate + again.rate) / 2
    measured = f"{done.rate:,.0f}/s, p99 {done.quantile_ms(0.99):.0f} ms"
    yardstick = f"empty route {empty_rate:,.0f}/s"
    a_request = 1_000 / len(done.latencies)
    note = f"CPU ms a request: service {cost.services * a_request:.2f}, PostgreSQL {cost.database * a_request:.2f}"
    return [
        Figure("2 list of 50", measured, done.rate / empty_rate, LIST_SHARE, yardstick, cost, [note]),
        Figure("2 list of 50, rate", measured, done.rate, LIST_RATE, yardstick),
    ]


async def text_searches(stage: Stage) -> list[Figure]:
    """Every kind of words for every reach, at rest: the median of twenty each, the slowest judged."""
    words = await find_words(stage.connections["customers"])
    port = stage.port("customers")
    connection = await Connection.open(port)
    medians: dict[str, float] = {}
    try:
        for who, token in _searchers(stage).items():
            for kind, text in words._asdict().items():
                wire = request("GET", f"/customers?{urlencode({'q': text, 'limit': 50})}", token)
                medians[f"{kind} for {who}"] = median([await timed(connection, wire) for _ in range(SEARCHES)])
    finally:
        connection.close()
    slowest = max(medians, key=lambda name: medians[name])
    notes = [f"words {words}", "; ".join(f"{name} {value:.1f} ms" for name, value in medians.items())]
    measured = f"{medians[slowest]:.1f} ms: {slowest}"
    yardstick = f"fastest {min(medians.values()):.1f} ms"
    return [Figure("2 slowest text search", measured, medians[slowest], SLOWEST_SEARCH, yardstick, notes=notes)]


async def find_words(connection: asyncpg.Connection) -> Words:
    """The commonest word, pairs of common words often and seldom together, and a word that few have."""
    found = await connection.fetch(_WORDS)
    common = [row["word"] for row in found[:COMMON_WORDS]]
    pairs = [f"{common[0]} {other}" for other in common[1:]] + [f"{common[1]} {other}" for other in common[2:]]
    counted: list[tuple[int, str]] = []
    for pair in pairs:
        counted.append((await connection.fetchval(_TOGETHER, pair.replace(" ", " & ")) or 0, pair))
    together = sorted(pair for pair in counted if pair[0])
    rare = min(found, key=lambda row: abs(row["ndoc"] - RARE_CUSTOMERS))
    return Words(common[0], together[-1][1], together[0][1], rare["word"])


def _searchers(stage: Stage) -> dict[str, str]:
    keys, superior_id = stage.keys, stage.superior_id
    return {
        "one seller": keys.token(str(stage.seller_ids[0])),
        "a superior of 40": keys.token(str(superior_id)),
        "everything": keys.administrator_token(),
    }


def _list_requests(stage: Stage, words: Words) -> Sequence[bytes]:
    """Each seller's customers with a common word: asked by themselves, their superior and one who sees all."""
    random_order = random.Random(SEED)
    askers = _askers(stage)
    wires = [
        request("GET", f"/customers?{urlencode({'q': words.common, 'manager': str(seller_id), 'limit': 50})}", token)
        for seller_id, token in askers
    ]
    random_order.shuffle(wires)
    return wires


def _askers(stage: Stage) -> Iterator[tuple[UUID, str]]:
    superior = stage.keys.token(str(stage.superior_id))
    administrator = stage.keys.administrator_token()
    for seller_id in stage.seller_ids[:40]:
        yield seller_id, stage.keys.token(str(seller_id))
        yield seller_id, superior
        yield seller_id, administrator


async def timed(connection: Connection, wire: bytes) -> float:
    """The milliseconds of one request."""
    started = time.perf_counter()
    answer = await connection.ask(wire)
    assert answer.status == 200, answer
    return (time.perf_counter() - started) * 1_000
