"""Frozen lists: what was chosen then, published in chunks that campaigns can use, for a week."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from services.campaigns.worker import work_next as campaigns_work
from services.customers.commands.long_work import MAX_LISTED
from services.customers.worker import work_next
from shared.contracts.work import SelectionChunkResolved, SelectionResolved
from tests.conftest import MakeHarness
from tests.service.customers.conftest import Team
from tests.support.records import customer, employee

SELECTIONS = "/api/v1/selections"


async def ids_of(team: Team, name: str, count: int, **fields: object) -> list[str]:
    """Ids of new customers of somebody, sorted."""
    return sorted([str((await team.create(getattr(team, name), **fields))["id"]) for _ in range(count)])


async def test_a_filter_is_frozen_and_published_in_chunks(team: Team, monkeypatch: Any) -> None:
    """P4, R2: chunks, then the word that it is complete, with the maker and a snapshot of their permissions."""
    monkeypatch.setattr("services.customers.commands.long_work.CHUNK", 2)
    ids = await ids_of(team, "binh", 5)
    await ids_of(team, "dung", 2)
    await team.harness.forget_told()
    maker = team.as_("an", "campaigns:manage")
    answer = await maker.post(SELECTIONS, json={"filter": {"and": []}})
    assert (answer.status_code, answer.json()["state"], answer.json()["total"]) == (202, "running", 5)
    await ids_of(team, "binh", 1)
    while await work_next(team.harness.database):
        pass
    record = (await maker.get(answer.headers["location"])).json()
    assert (record["state"], record["done"], record["left_out"]) == ("finished", 5, 0)
    chunks = await team.harness.told(SelectionChunkResolved)
    assert [chunk.chunk for chunk in chunks] == [0, 1, 2]
    assert [str(customer_id) for chunk in chunks for customer_id in chunk.customer_ids] == ids
    [complete] = await team.harness.told(SelectionResolved)
    assert (complete.chunks, complete.total, str(complete.selection_id)) == (3, 5, record["id"])
    assert (complete.actor.id, complete.actor.permissions) == (str(team.ids["an"]), ("campaigns:manage",))
    assert (complete.expires_at - complete.resolved_at).days in (6, 7)
    assert (await team.binh.get(answer.headers["location"])).status_code == 404


async def test_ids_that_the_maker_does_not_see_are_left_out(team: Team) -> None:
    """R1, A2: any active employee selects what they see; the rest is a number, and small lists are there at once."""
    mine, foreign = await ids_of(team, "binh", 2), await ids_of(team, "dung", 1)
    body = {"customer_ids": [*mine, *foreign, mine[0], str(uuid4())]}
    answer = await team.binh.post(SELECTIONS, json=body)
    record = answer.json()
    assert (record["state"], record["total"], record["left_out"]) == ("finished", 2, 2)
    none = (await team.chi.post(SELECTIONS, json={"customer_ids": foreign})).json()
    assert (none["state"], none["total"], none["left_out"]) == ("finished", 0, 1)
    [_, empty] = await team.harness.told(SelectionResolved)
    assert (empty.chunks, empty.total) == (0, 0)


async def test_an_expired_selection_is_gone(team: Team) -> None:
    """A selection lives 7 days; afterwards it reads as unknown and the purge forgets it."""
    answer = await team.binh.post(SELECTIONS, json={"customer_ids": await ids_of(team, "binh", 1)})
    await team.harness.sql("UPDATE long_work SET expires_at = clock_timestamp()")
    assert (await team.binh.get(answer.headers["location"])).status_code == 404
    purge = team.harness.service.jobs["purge"]
    await purge(team.harness.database, team.harness.settings, datetime.now(UTC).date())
    assert await team.harness.sql("SELECT 1 FROM long_work") == []


async def test_a_selection_without_or_with_too_many_customers_is_refused(team: Team) -> None:
    """R1: at most 100,000; a body that chooses nothing is 422."""
    assert (await team.binh.post(SELECTIONS, json={})).status_code == 422
    assert (await team.binh.post(SELECTIONS, json={"customer_ids": []})).status_code == 422
    many = [*await ids_of(team, "binh", 1), *(str(uuid4()) for _ in range(MAX_LISTED - 1))]
    answer = await team.binh.post(SELECTIONS, json={"customer_ids": many})
    assert (answer.status_code, answer.json()["total"], answer.json()["left_out"]) == (202, 1, MAX_LISTED - 1)
    answer = await team.binh.post(SELECTIONS, json={"customer_ids": [*many, str(uuid4())]})
    assert (answer.status_code, answer.json()["code"]) == (422, "selection_too_large")


async def test_campaigns_use_what_customers_publish(team: Team, make_harness: MakeHarness) -> None:
    """K2, R2: the list goes over as events and becomes opportunities there, for its maker alone."""
    campaigns = await make_harness("campaigns")
    for name in ("an", "dung"):
        await campaigns.deliver(employee(team.ids[name]))
    ids = await ids_of(team, "binh", 3)
    await campaigns.deliver(*(customer(UUID(one), manager_id=team.ids["an"]) for one in ids))
    selection = (await team.an.post(SELECTIONS, json={"filter": {"and": []}})).json()
    events = [*await team.harness.told(SelectionChunkResolved), *await team.harness.told(SelectionResolved)]
    await campaigns.deliver(*reversed(events))
    boss = campaigns.client(team.ids["an"], ["campaigns:manage"])
    stranger = campaigns.client(team.ids["dung"], ["campaigns:manage"])
    made = await boss.post("/api/v1/campaigns", json={"name": "Tết", "relevant_ids": [str(team.ids["dung"])]})
    add = f"/api/v1/campaigns/{made.json()['id']}/opportunities"
    assert (await boss.post(add, json={"selection_id": selection["id"]})).status_code == 202
    foreign = await stranger.post(add, json={"selection_id": selection["id"]})
    assert (foreign.status_code, foreign.json()["code"]) == (422, "selection_unknown")
    while await campaigns_work(campaigns.database):
        pass
    found = await campaigns.sql("SELECT customer_id FROM opportunity ORDER BY customer_id")
    assert [str(row[0]) for row in found] == ids
