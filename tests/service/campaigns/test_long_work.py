"""What is too long for a request is done step by step, followed by its own address (K2, K4, R2)."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.campaigns.jobs import purge_of_campaigns
from services.campaigns.worker import work_next
from shared.contracts.campaigns import OpportunityCreated, OpportunityOwnerAssigned
from shared.contracts.events import ActorReference
from shared.contracts.work import SelectionChunkResolved, SelectionResolved
from shared.envelope import new_id
from tests.conftest import MakeHarness
from tests.service.campaigns.conftest import API, Office
from tests.support.records import employee


async def _work(office: Office) -> None:
    while await work_next(office.harness.database):
        pass


async def _select(office: Office, maker: UUID, *chunks: Sequence[UUID], **values: Any) -> UUID:
    selection_id, now = values.pop("selection_id", None) or new_id(), datetime.now(UTC)
    resolved = {
        "chunks": len(chunks),
        "total": sum(map(len, chunks)),
        "left_out": 0,
        "actor": ActorReference(kind="user", id=str(maker)),
        "resolved_at": now,
        "expires_at": now + timedelta(days=7),
        **values,
    }
    await office.harness.deliver(
        SelectionResolved(selection_id=selection_id, **resolved),
        *(
            SelectionChunkResolved(selection_id=selection_id, chunk=number, customer_ids=tuple(ids))
            for number, ids in enumerate(chunks)
        ),
    )
    return selection_id


async def test_more_than_a_thousand_are_handed_out_as_long_work(office: Office) -> None:
    """K4: 202 with an address that tells how far it is and who got what; as fair as in one call."""
    campaign = await office.campaign()
    await office.staff(campaign["id"], office.lan, office.minh, office.hoa)
    for _ in range(2):
        await office.add(campaign["id"], await office.customers(700))

    answer = await office.manager.post(f"{API}/campaigns/{campaign['id']}/distribute", json={})
    assert answer.status_code == 202, answer.text
    path = answer.headers["location"]
    assert path == f"{API}/distributions/{answer.json()['id']}"
    assert (answer.json()["state"], answer.json()["total"]) == ("running", 1_400)
    await _work(office)

    done = (await office.manager.get(path)).json()
    assert (done["state"], done["done"], done["failed"], done["error"]) == ("finished", 1_400, 0, None)
    counts = Counter(event.state.owner_id for event in await office.told(OpportunityOwnerAssigned))
    assert sorted(counts.values()) == [466, 467, 467]
    items = (await office.manager.get(f"{path}/items?limit=200")).json()
    more = (await office.manager.get(f"{path}/items?limit=200&cursor={items['next_cursor']}")).json()
    assert items["items"][0].keys() == {"opportunity_id", "customer_id", "employee_id", "reason"}
    assert len({item["opportunity_id"] for item in items["items"] + more["items"]}) == 400
    assert (await office.client(office.lan).get(path)).status_code == 404


async def test_a_simulation_equals_the_long_run_behind_it(office: Office) -> None:
    """K4: nothing changed in between, so everybody gets what was shown, across batches, weights and capacities."""
    campaign = await office.campaign()
    await office.manager.put(f"{API}/campaigns/{campaign['id']}/distribution", json={"method": "weighted"})
    await office.staff(
        campaign["id"],
        {"employee_id": str(office.lan), "weight": 3},
        {"employee_id": str(office.minh), "weight": 2, "daily_capacity": 301},
        {"employee_id": str(office.hoa), "weight": 1, "daily_capacity": 700},
    )
    for _ in range(3):
        await office.add(campaign["id"], await office.customers(750))
    path = f"{API}/campaigns/{campaign['id']}/distribute"
    shown = (await office.manager.post(f"{path}/simulation", json={})).json()
    assert (shown["assigned"], shown["queued"]) == (2_250, 0)
    address = (await office.manager.post(path, json={})).headers["location"]
    await _work(office)
    done: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        page = (await office.manager.get(f"{address}/items?limit=200{cursor and f'&cursor={cursor}'}")).json()
        done, cursor = done + page["items"], page["next_cursor"]
    assert done == shown["items"]
    counts = Counter(item["employee_id"] for item in done)
    assert counts[str(office.minh)] == 301


async def test_a_selection_is_added_with_an_outcome_for_each_customer(office: Office) -> None:
    """K2: chunks come in any order; rights to each customer are checked when it is added."""
    campaign = await office.campaign(relevant_ids=[str(office.lan)])
    own, foreign = await office.customers(3, manager_id=office.lan), await office.customers(1)
    selection_id = await _select(office, office.lan, own[:2], [*own[2:], *foreign])

    path, body = f"{API}/campaigns/{campaign['id']}/opportunities", {"selection_id": str(selection_id)}
    answer = await office.client(office.lan).post(path, json=body)
    assert answer.status_code == 202, answer.text
    await _work(office)

    lan = office.client(office.lan)
    done = (await lan.get(answer.headers["location"])).json()
    assert (done["state"], done["total"], done["done"], done["failed"]) == ("finished", 4, 3, 1)
    items = (await lan.get(f"{answer.headers['location']}/items")).json()["items"]
    assert [item["index"] for item in items] == [0, 1, 2, 3]
    assert [item["customer_id"] for item in items] == [str(one) for one in [*own, *foreign]]
    assert items[3]["error"] == {"code": "not_found"}
    told = await office.harness.told_with_headers(OpportunityCreated)
    assert len(told) == 3
    assert {headers["ce_actorid"] for headers, _ in told} == {str(office.lan)}


async def test_a_selection_that_is_still_on_its_way_is_waited_for(office: Office) -> None:
    """K2: a request may name a selection a moment before this service has heard of it."""
    campaign = await office.campaign()
    [one] = await office.customers(1)
    selection_id = new_id()
    body = {"selection_id": str(selection_id)}
    asked = asyncio.create_task(office.manager.post(f"{API}/campaigns/{campaign['id']}/opportunities", json=body))
    await asyncio.sleep(0.1)
    assert not asked.done()
    await _select(office, office.manager_id, [one], selection_id=selection_id)
    assert (await asked).status_code == 202


async def test_only_ones_own_complete_and_current_selection_can_be_used(make_harness: MakeHarness) -> None:
    """K2: somebody else's, an expired, an incomplete and an unknown one are all `selection_unknown`."""
    office = Office(await make_harness("campaigns", wait_for_seconds=0.1))
    await office.open()
    campaign = await office.campaign()
    [one] = await office.customers(1)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    for selection_id in (
        await _select(office, office.lan, [one]),
        await _select(office, office.manager_id, [one], expires_at=yesterday),
        await _select(office, office.manager_id, [one], chunks=2),
        new_id(),
    ):
        body = {"selection_id": str(selection_id)}
        answer = await office.manager.post(f"{API}/campaigns/{campaign['id']}/opportunities", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "selection_unknown")


async def test_ids_or_a_selection_but_not_both(office: Office) -> None:
    """A request that names neither or both is 422."""
    campaign = await office.campaign()
    for body in ({}, {"customer_ids": [str(new_id())], "selection_id": str(new_id())}):
        answer = await office.manager.post(f"{API}/campaigns/{campaign['id']}/opportunities", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_work_ends_when_its_asker_may_no_longer_do_it(office: Office) -> None:
    """R2: the doer checks the current directory; what the asker lost meanwhile ends the work with its code."""
    campaign = await office.campaign(relevant_ids=[str(office.lan)])
    [one] = await office.customers(1, manager_id=office.lan)
    selection_id = await _select(office, office.lan, [one])
    path, body = f"{API}/campaigns/{campaign['id']}/opportunities", {"selection_id": str(selection_id)}
    answer = await office.client(office.lan).post(path, json=body)
    await office.harness.deliver(employee(office.lan, version=2, active=False))
    await _work(office)
    done = (await office.manager.get(answer.headers["location"])).json()
    assert (done["state"], done["error"]) == ("failed", {"code": "inactive_employee"})
    assert await office.told(OpportunityCreated) == []


async def test_work_that_fails_by_our_own_fault_is_given_up_and_holds_nothing_up(office: Office) -> None:
    """Work that can never succeed ends as `internal_error`; the work behind it is done."""
    campaign = await office.campaign()
    [one] = await office.customers(1, manager_id=office.manager_id)
    path = f"{API}/campaigns/{campaign['id']}/opportunities"
    addresses: list[str] = []
    for _ in range(2):
        body = {"selection_id": str(await _select(office, office.manager_id, [one]))}
        addresses.append((await office.manager.post(path, json=body)).headers["location"])
    await office.harness.sql(
        "UPDATE long_work SET selection_id = NULL WHERE id = (SELECT id FROM long_work ORDER BY created_at LIMIT 1)"
    )
    await _work(office)
    states = [(await office.manager.get(address)).json() for address in addresses]
    assert [(work["state"], work["error"]) for work in states] == [
        ("failed", {"code": "internal_error"}),
        ("finished", None),
    ]


async def test_expired_selections_are_forgotten(office: Office) -> None:
    """A selection lives seven days, its customers no longer than it."""
    [one] = await office.customers(1)
    await _select(office, office.lan, [one], expires_at=datetime.now(UTC) - timedelta(seconds=1))
    await _select(office, office.lan, [one])
    await office.harness.sql("UPDATE selection_chunk SET received_at = received_at - interval '8 days'")
    outcome = await purge_of_campaigns(office.harness.database, office.harness.settings, datetime.now(UTC).date())
    assert outcome["selections"] == 1
    assert await office.harness.sql("SELECT count(*) FROM selection_chunk") == [(1,)]
