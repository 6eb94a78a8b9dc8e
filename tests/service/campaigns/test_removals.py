"""What a large campaign leaves when it ends is removed step by step, and again where the work of it failed (K3)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from services.campaigns.commands.batches import BATCH
from services.campaigns.domain.opportunity import Opportunity
from services.campaigns.jobs import purge_of_campaigns
from services.campaigns.worker import work_next
from shared.contracts.campaigns import CampaignChanged, OpportunityOwnerAssigned, OpportunityRemoved
from tests.service.campaigns.conftest import API, Office
from tests.support.records import employee

COUNT = 3 * 750


@pytest.fixture(autouse=True)
def _one_batch_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.campaigns.commands.campaigns.BATCHES_REMOVED_AT_ONCE", 1)


async def _work(office: Office) -> None:
    while await work_next(office.harness.database):
        pass


async def _large_campaign(office: Office) -> tuple[str, list[str]]:
    """The path of a campaign and its opportunities: more than the request that ends it removes."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], office.lan, office.minh)
    ids = [one for _ in range(3) for one in await office.add(campaign["id"], await office.customers(750))]
    return f"{API}/campaigns/{campaign['id']}", ids


async def _end(office: Office, path: str) -> str:
    """End a large campaign; where its removal can be followed."""
    answer = await office.manager.delete(path)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"{API}/campaign-removals/{answer.json()['id']}"
    return answer.headers["location"]


async def _removal(office: Office, address: str) -> dict[str, Any]:
    answer = await office.manager.get(address)
    assert answer.status_code == 200, answer.text
    return answer.json()


@asynccontextmanager
async def _a_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """No opportunity can be removed meanwhile."""

    def fail(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as faulty:
        faulty.setattr(Opportunity, "remove", fail)
        yield


async def _require_each_removed_once(office: Office) -> None:
    told = [event.state.id for event in await office.told(OpportunityRemoved)]
    assert len(told) == COUNT, "an opportunity was told twice, or never"
    assert len(set(told)) == COUNT
    assert await office.harness.sql("SELECT state, version, count(*) FROM opportunity GROUP BY 1, 2") == [
        ("removed", 2, COUNT)
    ]
    ended = [event for event in await office.told(CampaignChanged) if event.state.state == "deleted"]
    assert len(ended) == 1, "the end of the campaign was told again"


async def test_a_large_campaign_ends_at_once_and_its_opportunities_are_removed_step_by_step(office: Office) -> None:
    """K3, K1: whoever asked may be gone by then; who left owns nothing of it, and gives nothing of it to others."""
    path, ids = await _large_campaign(office)
    await office.give(ids[-1], office.lan)
    address = await _end(office, path)
    assert (await office.manager.get(path)).status_code == 404
    assert (await office.client(office.lan).get(f"{API}/opportunities/{ids[-1]}")).status_code == 404
    assert len(await office.told(OpportunityRemoved)) == BATCH
    running = await _removal(office, address)
    assert (running["state"], running["done"], running["total"]) == ("running", 0, COUNT - BATCH)
    await office.harness.deliver(*(employee(one, version=2, active=False) for one in (office.manager_id, office.lan)))
    assert len(await office.told(OpportunityOwnerAssigned)) == 1
    await _work(office)
    told = await office.told(OpportunityRemoved)
    assert len({event.state.id for event in told}) == len(told) == COUNT
    [(state, done, total)] = await office.harness.sql("SELECT state, done, total FROM long_work")
    assert (state, done, total) == ("finished", COUNT - BATCH, COUNT - BATCH)


async def test_a_removal_is_followed_by_the_campaigns_managers(office: Office) -> None:
    """R1: for others there is no such work, nor the campaign."""
    path, _ = await _large_campaign(office)
    address = await _end(office, path)
    assert (await office.client(office.lan).get(address)).status_code == 404
    assert (await office.client(office.lan).delete(path)).status_code == 404
    assert (await office.manager.get(address.replace("campaign-removals", "distributions"))).status_code == 404


async def test_deleted_again_while_it_is_removed_a_campaign_answers_the_same_work(office: Office) -> None:
    """K3: also two at once, and by the version that was read before; behind the end it is gone."""
    path, _ = await _large_campaign(office)
    at_once = await asyncio.gather(*(office.manager.delete(path) for _ in range(3)))
    again = await office.manager.delete(path, headers={"If-Match": '"2"'})
    answers: list[httpx.Response] = [*at_once, again]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.headers["location"] for answer in answers}) == 1, "a second removal was begun"
    await work_next(office.harness.database)
    assert (await _removal(office, await _end(office, path)))["done"] == BATCH
    await _work(office)
    assert (await office.manager.delete(path)).status_code == 404
    assert (await _removal(office, again.headers["location"]))["state"] == "finished"
    await _require_each_removed_once(office)


async def test_a_removal_that_failed_is_begun_again_by_deleting_the_campaign_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """K3: what failed stays as it ended; the new work removes what is left, and nothing is told twice."""
    path, _ = await _large_campaign(office)
    first = await _end(office, path)
    await work_next(office.harness.database)
    async with _a_fault_of_ours(monkeypatch):
        await _work(office)
    failed = await _removal(office, first)
    assert (failed["state"], failed["done"], failed["error"]) == ("failed", BATCH, {"code": "internal_error"})

    second = await _end(office, path)
    assert second != first
    begun = await _removal(office, second)
    assert (begun["state"], begun["total"]) == ("running", COUNT - 2 * BATCH)
    await _work(office)
    assert (await _removal(office, second))["state"] == "finished"
    assert await _removal(office, first) == failed
    assert (await office.manager.delete(path)).status_code == 404
    await _require_each_removed_once(office)


async def test_a_removal_that_failed_is_begun_again_by_the_job_until_nothing_is_left(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """K3: nobody may be left who could delete the campaign again; what runs or has finished is left alone."""
    path, _ = await _large_campaign(office)
    await _end(office, path)
    assert await _begun_by_the_job(office) == 0
    for _ in range(2):
        async with _a_fault_of_ours(monkeypatch):
            await _work(office)
        assert await _begun_by_the_job(office) == 1
        assert await _begun_by_the_job(office) == 0
    await _work(office)
    assert await _begun_by_the_job(office) == 0
    works = await office.harness.sql("SELECT state, actor ->> 'kind' FROM long_work ORDER BY created_at")
    assert works == [("failed", "system"), ("failed", "system"), ("finished", "system")]
    await _require_each_removed_once(office)


async def _begun_by_the_job(office: Office) -> int:
    outcome = await purge_of_campaigns(office.harness.database, office.harness.settings, datetime.now(UTC).date())
    return outcome["removals_begun_again"]
