"""Opportunities are handed out fairly, by turns, and wait when nobody is free (K4)."""

from collections import Counter

from shared.contracts.campaigns import OpportunityOwnerAssigned
from tests.service.campaigns.conftest import Office


async def test_a_thousand_opportunities_are_shared_out_evenly_in_one_call(office: Office) -> None:
    """K4: three people get a third each of 1,000 opportunities, each told with one event and one version."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], office.lan, office.minh, office.hoa)
    ids = await office.add(campaign["id"], await office.customers(1_000))

    done = await office.distribute(campaign["id"])

    assert (done["assigned"], done["queued"]) == (1_000, 0)
    counts = Counter(item["employee_id"] for item in done["items"])
    assert sorted(counts.values()) == [333, 333, 334]
    assert {item["opportunity_id"] for item in done["items"]} == set(ids)
    events = await office.told(OpportunityOwnerAssigned)
    assert [event.version for event in events] == [2] * 1_000
    assert all(event.changed == ("owner_id", "owner_assigned_at") for event in events)
