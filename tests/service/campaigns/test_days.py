"""Hour and day are the tenant's, never UTC's: working hours, days off, capacity, waiting time (K1, K4)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest

from services.campaigns.domain.staff import DAYS
from tests.conftest import MakeHarness
from tests.service.campaigns.conftest import API, Office

BEHIND, AHEAD = "Etc/GMT+12", "Pacific/Kiritimati"
HOUR_OF_CHANGE = 11
"""Before this hour (UTC) it is yesterday still twelve hours behind, from then on tomorrow already fourteen ahead."""


@dataclass
class Elsewhere:
    """An office where it is another day than in UTC, whatever the hour, and will be so for a while."""

    office: Office
    today: date
    in_utc: date


@pytest.fixture
async def elsewhere(make_harness: MakeHarness) -> Elsewhere:
    """A service of a tenant far away."""
    now = datetime.now(UTC)
    behind = now.hour < HOUR_OF_CHANGE
    office = Office(await make_harness("campaigns", time_zone=BEHIND if behind else AHEAD))
    await office.open()
    return Elsewhere(office, now.date() + timedelta(days=-1 if behind else 1), now.date())


async def test_working_hours_and_days_off_are_of_the_tenants_day(elsewhere: Elsewhere) -> None:
    """K4: who works on the tenant's weekday is free, who works on UTC's is not; a day off is the tenant's, too."""
    office, always = elsewhere.office, [["00:00", "24:00"]]
    campaign = await office.campaign()
    await office.staff(
        campaign["id"],
        {"employee_id": str(office.lan), "working_hours": {DAYS[elsewhere.in_utc.weekday()]: always}},
        {"employee_id": str(office.minh), "days_off": [str(elsewhere.today)]},
        {"employee_id": str(office.hoa), "working_hours": {DAYS[elsewhere.today.weekday()]: always}},
    )
    await office.add(campaign["id"], await office.customers(3))
    done = await office.distribute(campaign["id"])
    assert [item["employee_id"] for item in done["items"]] == [str(office.hoa)] * 3


async def test_working_hours_are_on_the_tenants_clock(elsewhere: Elsewhere) -> None:
    """K4: somebody who works at this hour there is free, somebody who works at UTC's hour is not."""
    office, now = elsewhere.office, datetime.now(UTC)
    campaign, local = await office.campaign(), now.astimezone(office.harness.settings.zone)

    def around(moment: datetime) -> dict[str, list[list[str]]]:
        """Every day from an hour before to an hour after, as far as the day goes."""
        start, end = max(moment.hour - 1, 0), min(moment.hour + 2, 24)
        return {day: [[f"{start:02}:00", f"{end:02}:00"]] for day in DAYS}

    await office.staff(
        campaign["id"],
        {"employee_id": str(office.lan), "working_hours": around(now)},
        {"employee_id": str(office.minh), "working_hours": around(local)},
    )
    await office.add(campaign["id"], await office.customers(2))
    done = await office.distribute(campaign["id"])
    assert [item["employee_id"] for item in done["items"]] == [str(office.minh)] * 2


async def test_a_capacity_is_for_the_tenants_day(elsewhere: Elsewhere) -> None:
    """K4: what was given on this day there counts, what was given on another that UTC still or already has does not."""
    office = elsewhere.office
    campaign = await office.campaign()
    await office.staff(campaign["id"], {"employee_id": str(office.lan), "daily_capacity": 1})
    await office.add(campaign["id"], await office.customers(2))
    assert (await office.distribute(campaign["id"]))["assigned"] == 1
    assert (await office.distribute(campaign["id"]))["assigned"] == 0
    await office.harness.sql("UPDATE distribution_turn SET given_on = $1", elsewhere.in_utc)
    assert (await office.distribute(campaign["id"]))["assigned"] == 1


async def test_the_waiting_time_counts_the_tenants_days(elsewhere: Elsewhere) -> None:
    """K1: with one day's waiting time who was added at the first moment of this day there waits, at the last of
    yesterday does not.
    """
    office = elsewhere.office
    campaign = await office.campaign(allow_repeat=True, waiting_days=1)
    today, yesterday = await office.customers(2)
    await office.add(campaign["id"], [today, yesterday])
    midnight = datetime.combine(elsewhere.today, datetime.min.time(), office.harness.settings.zone)
    added = "UPDATE opportunity SET created_at = $2 WHERE customer_id = $1"
    await office.harness.sql(added, today, midnight)
    await office.harness.sql(added, yesterday, midnight - timedelta(microseconds=1))
    items = (await office.post_customers(campaign["id"], [today, yesterday])).json()["items"]
    assert [item["error"] and item["error"]["code"] for item in items] == ["waiting_time", None]
    assert (await office.manager.get(f"{API}/opportunities?customer_id={today}&total=true")).json()["total"] == 1
