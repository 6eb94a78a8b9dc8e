"""Purchases of at least so much within a year, over a million orders: the first page at rest.

Amounts are chosen by how many customers reach them, from half of all buyers to nobody, in several periods.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from tests.performance.million_lists import Asked, medians_of, slowest_of
from tests.performance.million_stage import ListStage
from tests.performance.report import Bar, Figure

MANY_SHARE = 0.01
SHARES = (0.1, 0.03, 0.018, 0.01, 0.003, 0.001, 0.000_01, 0.0)
YEAR_DAYS = 365
MANY = Bar("at most", 60, None, "ms")
FEW = Bar("at most", 300, None, "ms")

_AMOUNT = """
SELECT total FROM (
    SELECT sum(value) AS total FROM document
    WHERE purchased AND ordered_at >= $1::date::timestamptz AND ordered_at < $2::date::timestamptz + interval '1 day'
    GROUP BY customer_id
) each ORDER BY total DESC OFFSET $3 LIMIT 1
"""


@dataclass(frozen=True)
class _Case:
    share: float
    asked: Asked


async def purchases(stage: ListStage) -> list[Figure]:
    """First pages of everybody, a superior and a seller; slowest where many match, and where few do."""
    cases = [case for period in _years() for case in await _cases(stage, *period)]
    medians = await medians_of(stage, {case.asked.name: case.asked.wire() for case in cases})
    many = {case.asked.name: medians[case.asked.name] for case in cases if case.share >= MANY_SHARE}
    few = {case.asked.name: medians[case.asked.name] for case in cases if case.share < MANY_SHARE}
    return [
        slowest_of("4 purchases of a year, 1 % match", many, MANY),
        slowest_of("4 purchases of a year, few match", few, FEW),
    ]


def _years() -> Sequence[tuple[str, date, date]]:
    today = date.today()
    return [
        ("this year", today - timedelta(days=YEAR_DAYS - 1), today),
        ("the year before", today - timedelta(days=2 * YEAR_DAYS - 1), today - timedelta(days=YEAR_DAYS)),
    ]


async def _cases(stage: ListStage, period: str, first: date, last: date) -> list[_Case]:
    tokens = {
        "everything": stage.keys.administrator_token(),
        "a superior of 40": stage.keys.token(str(stage.company.superior_id)),
        "a seller": stage.keys.token(str(stage.company.sellers[0])),
    }
    cases: list[_Case] = []
    for share in SHARES:
        place = max(int(share * stage.customers) - 1, 0)
        amount = await stage.connection.fetchval(_AMOUNT, first, last, place)
        if not share:
            amount = 2 * (amount or 0) + 1
        for who, token in tokens.items():
            body = {"filter": _bought(first, last, int(amount or 0))}
            cases.append(_Case(share, Asked(f"{share:.3%} in {period} for {who}", token, body)))
    return cases


def _bought(first: date, last: date, amount: int) -> dict[str, Any]:
    return {
        "purchases": {
            "ordered_from": first.isoformat(),
            "ordered_to": last.isoformat(),
            "total_value": {"gte": amount},
        }
    }
