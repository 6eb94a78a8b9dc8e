"""What `make demo` promises to show, shown by a running system."""

import asyncio

import pytest

from deploy.demo.api import Place
from deploy.demo.story import tell
from tests.support.system import Rapport

SHOWN = (
    "Preview: 1 error, 3 update",
    "Confirmed: 4 updated",
    "1 kept, 3 undone; row 5 keeps occupation (changed_since)",
    "groups filter with all below them",
    "1 of them Closed (25%)",
    "Exactly as simulated",
    "round_robin, turn 1 among 4 people",
    "The count is 37",
    "last two-way contact",
    "2 unread; badge 2",
    "badge 0",
    "is Don't Forget, remembering Awaiting Reply",
)


async def test_the_story_is_told_to_its_end(rapport: Rapport, capsys: pytest.CaptureFixture[str]) -> None:
    """G1, G3, G5, I11, L6, U2, K4, M10: classification, why 37, two clocks, Don't Forget, New Updated, undo, shares."""
    place = Place(rapport.gateway.url, rapport.bootstrap_servers, rapport.keys, rapport.environment)
    await asyncio.to_thread(tell, place)
    told = capsys.readouterr().out
    assert [line for line in SHOWN if line not in told] == [], told
