"""Rows about a million customers: lists, searches, deep pages, totals, purchases, in one run with a tenth of them."""

from pathlib import Path

from tests.performance.lists import find_words
from tests.performance.million_lists import deepest, load_figures, slowest, under_load
from tests.performance.million_purchases import purchases
from tests.performance.million_stage import list_stage
from tests.performance.report import Figure

MILLION, QUICK_MILLION = 1_000_000, 20_000
SECONDS, QUICK_SECONDS = 5.0, 0.5


async def million_customers(directory: Path, quick: bool) -> list[Figure]:
    """Fill a tenth, measure lists, fill the rest, measure everything."""
    total, seconds = (QUICK_MILLION, QUICK_SECONDS) if quick else (MILLION, SECONDS)
    async with list_stage(directory) as stage:
        await stage.grow(total // 10, total)
        small = await under_load(stage, await find_words(stage.connection), seconds)
        await stage.grow(total, total)
        words = await find_words(stage.connection)  # counting the words of a million takes most of a minute
        large = await under_load(stage, words, seconds)
        figures = load_figures(small, large, (total // 10, total))
        return [*figures, *await slowest(stage, words), *await deepest(stage), *await purchases(stage)]
