"""Who works when (K4)."""

from datetime import date, datetime
from typing import Any

import pytest

from services.campaigns.domain.staff import StaffMember

TUESDAY = date(2026, 11, 24)


def member(**values: Any) -> StaffMember:
    """Somebody who always works and has no limit, unless `values` say otherwise."""
    return StaffMember(**{"weight": 1, "daily_capacity": None, "working_hours": None, "days_off": [], **values})


def at(hour: int, minute: int = 0) -> datetime:
    """A time on Tuesday."""
    return datetime(TUESDAY.year, TUESDAY.month, TUESDAY.day, hour, minute)


@pytest.mark.parametrize(
    ("hours", "moment", "works"),
    [
        ({"tue": [["08:00", "17:30"]]}, at(8), True),
        ({"tue": [["08:00", "17:30"]]}, at(17, 29), True),
        ({"tue": [["08:00", "17:30"]]}, at(17, 30), False),
        ({"tue": [["08:00", "12:00"], ["13:00", "17:00"]]}, at(12, 30), False),
        ({"tue": [["20:00", "24:00"]]}, at(23, 59), True),
        ({"mon": [["08:00", "17:30"]]}, at(9), False),
        ({}, at(9), False),
        (None, at(3), True),
    ],
)
def test_working_hours_decide_who_works(hours: dict[str, Any] | None, moment: datetime, works: bool) -> None:
    """K4: a span includes its start and not its end; a day without spans is free; no hours means always."""
    assert member(working_hours=hours).works_at(moment) is works


def test_a_day_off_beats_working_hours() -> None:
    """K4: nobody works on a day off."""
    assert not member(days_off=[TUESDAY]).works_at(at(9))


def test_room_is_what_the_day_has_left() -> None:
    """K4: a capacity of three leaves one after two were given, and none after five; without one any number."""
    assert member(daily_capacity=3).room(2) == 1
    assert member(daily_capacity=3).room(5) == 0
    assert member().room(1_000) is None
