"""Whoever reads the topics of customers later, at once or after compaction, ends with the copy of who read along."""

from collections.abc import Sequence

import pytest

from shared.contracts.classification import CLASSIFICATION, relationship_id
from shared.contracts.customers import CUSTOMERS
from shared.contracts.directory import DIRECTORY
from shared.contracts.events import Event
from shared.identity import DELETE, ERASE
from tests.conftest import MakeHarness
from tests.service.customers.conftest import Team
from tests.support.harness import Harness

API = "/api/v1"
COPIES = {
    "interactions": ("customer", "employee"),
    "imports": ("customer", "employee", "customer_record", "classification"),
    "campaigns": ("customer", "employee", "customer_profile", "classification"),
}
MEANING = {"customer_profile": "t.customer_id, t.group_ids, t.source_ids, t.relationship_id"}
"""Its version says which change it last learned something from: there are fewer after compaction."""
READ = {
    "interactions": (CUSTOMERS, DIRECTORY),
    "imports": (CUSTOMERS, CLASSIFICATION, DIRECTORY),
    "campaigns": (CUSTOMERS, CLASSIFICATION, DIRECTORY),
}


async def history(team: Team) -> list[Event]:
    """A life in the office: values, transfers, viewers, deletion, restoring, an erasure, people who leave."""
    admin, binh = team.admin, team.as_("binh", DELETE, ERASE)
    group = (await admin.post(f"{API}/groups", json={"name": "Sỉ"})).json()
    child = (await admin.post(f"{API}/groups", json={"name": "Lẻ", "parent_id": group["id"]})).json()
    source = (await admin.post(f"{API}/sources", json={"name": "Web"})).json()
    await admin.patch(f"{API}/groups/{child['id']}", json={"parent_id": None})
    await admin.delete(f"{API}/groups/{group['id']}")
    made = [
        str((await team.create(team.binh, name=f"Khách {n}", phones=[f"090000000{n}"], group_ids=[child["id"]]))["id"])
        for n in range(6)
    ]
    for number, customer_id in enumerate(made):
        await binh.patch(f"{API}/customers/{customer_id}", json={"name": f"Mới {number}", "source_ids": [source["id"]]})
    await binh.put(f"{API}/customers/{made[0]}/viewers", json={"employee_ids": [str(team.ids["dung"])]})
    await binh.delete(f"{API}/customers/{made[1]}")
    await binh.delete(f"{API}/customers/{made[2]}")
    await binh.post(f"{API}/customers/{made[2]}/restore", json={})
    erased = await binh.post(f"{API}/customers/{made[3]}/erase")
    assert erased.status_code == 202, erased.text
    await binh.put(f"{API}/customers/{made[4]}/manager", json={"employee_id": str(team.ids["chi"])})
    await admin.post(f"{API}/employees/{team.ids['chi']}/deactivate", json={"transfer_to": str(team.ids["dung"])})
    await admin.patch(f"{API}/relationships/{relationship_id('hot')}", json={"forget_after_days": 9})
    return [event for _, event in await team.harness.told_with_headers() if event is not None]


async def copies(harness: Harness, tables: Sequence[str]) -> dict[str, list[str]]:
    """What is in the tables, erased customers apart: of these only who was there at the time knows that they were."""
    found: dict[str, list[str]] = {}
    for table in tables:
        gone = " WHERE state <> 'erased'" if table == "customer" else ""
        row = MEANING.get(table, "t")
        found[table] = [row[0] for row in await harness.sql(f"SELECT ({row})::text FROM {table} t{gone} ORDER BY 1")]
    return found


def compacted(events: Sequence[Event]) -> list[Event]:
    """What compaction leaves: the last record of every key, erased ones as nothing behind their tombstone."""
    last: dict[tuple[str, str], Event] = {(event.topic.name, event.key): event for event in events}
    return [event for event in last.values() if event.ce_type != "crm.customer.erased.v1"]


@pytest.mark.parametrize("service", COPIES)
async def test_copies_built_from_the_start_equal_those_of_who_read_along(
    team: Team, make_harness: MakeHarness, service: str
) -> None:
    """C8, R1: one by one as it happened, all at once topic after topic, twice over, or what compaction has left."""
    for name in ("binh", "chi", "dung"):
        await team.admin.patch(f"{API}/employees/{team.ids[name]}", json={"department": "Bán hàng"})
    events = await history(team)
    along, later, twice, left = [await make_harness(service) for _ in range(4)]
    read = [event for event in events if event.topic in READ[service]]
    for event in read:
        await along.deliver(event)
    for topic in reversed(READ[service]):
        of_topic = [event for event in read if event.topic is topic]
        await later.deliver(*of_topic)
        await twice.deliver(*of_topic, *of_topic)
        await twice.deliver(*of_topic)
        await left.deliver(*(event for event in compacted(read) if event.topic is topic))
    expected = await copies(along, COPIES[service])
    assert all(expected.values()), expected
    for name, harness in (("later", later), ("twice", twice), ("left", left)):
        assert await copies(harness, COPIES[service]) == expected, name
