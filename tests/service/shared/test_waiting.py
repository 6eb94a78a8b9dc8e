"""`Wait-For`: a service waits until its copy has what the caller wrote elsewhere, and tells nothing by waiting."""

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.conftest import MakeHarness
from tests.service.shared.office import without_trace
from tests.support.harness import Harness
from tests.support.records import customer, employee

WAIT_SECONDS = 0.6
MOST_WAITING = 3
PATH = "/api/v1/opportunities"

LAN = UUID("01900000-0000-7000-8000-00000000000a")
MINH = UUID("01900000-0000-7000-8000-00000000000b")
ID = UUID("01900000-0000-7000-8000-00000000000c")


@pytest.fixture
async def campaigns(make_harness: MakeHarness) -> Harness:
    """A service with copies, two employees and one database connection: who waits may not hold it."""
    harness = await make_harness(
        "campaigns", wait_for_seconds=WAIT_SECONDS, wait_for_max_waiting=MOST_WAITING, database_pool_size=1
    )
    await harness.deliver(employee(LAN), employee(MINH))
    return harness


async def test_what_is_there_already_is_answered_at_once(campaigns: Harness) -> None:
    """Also a lower version than the copy has, and several customers in one header."""
    ids = [uuid4(), uuid4()]
    await campaigns.deliver(*(customer(i, version=3, manager_id=LAN) for i in ids))
    answer, seconds = await timed(campaigns, LAN, f"{ids[0]}:3, {ids[1]}:2")
    assert answer.status_code == 200
    assert seconds < WAIT_SECONDS / 2


async def test_the_request_goes_on_as_soon_as_the_copy_has_the_version(campaigns: Harness) -> None:
    """Neither before nor long after."""
    customer_id = uuid4()
    await campaigns.deliver(customer(customer_id, version=1, manager_id=LAN))
    waiting = asyncio.create_task(timed(campaigns, LAN, f"{customer_id}:2"))
    await asyncio.sleep(WAIT_SECONDS / 3)
    await campaigns.deliver(customer(customer_id, version=2, manager_id=LAN))
    answer, seconds = await waiting
    assert answer.status_code == 200
    assert WAIT_SECONDS / 3 <= seconds < WAIT_SECONDS


async def test_behind_unknown_invisible_and_deleted_are_the_same_404_after_the_same_wait(campaigns: Harness) -> None:
    """A2: neither the words nor the time tell whether there is such a customer."""
    behind, invisible, deleted = uuid4(), uuid4(), uuid4()
    await campaigns.deliver(
        customer(behind, version=1, manager_id=LAN),
        customer(invisible, version=9, manager_id=MINH),
        customer(deleted, version=9, manager_id=LAN, state="deleted"),
    )
    found = [await timed(campaigns, LAN, f"{i}:2") for i in (behind, uuid4(), invisible, deleted)]
    assert {answer.status_code for answer, _ in found} == {404}
    assert all(without_trace(answer) == without_trace(found[0][0]) for answer, _ in found)
    assert all(WAIT_SECONDS <= seconds < WAIT_SECONDS + 0.5 for _, seconds in found)


async def test_too_many_waits_of_one_actor_are_refused_and_hinder_nobody_else(campaigns: Harness) -> None:
    """Beyond the limit 429 at once; others are served although one connection is all there is."""
    unknown = f"{uuid4()}:1"
    waits = [asyncio.create_task(timed(campaigns, LAN, unknown)) for _ in range(MOST_WAITING)]
    await asyncio.sleep(WAIT_SECONDS / 4)
    refused, seconds = await timed(campaigns, LAN, unknown)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) > 0
    assert seconds < WAIT_SECONDS / 2
    assert (await campaigns.client(MINH).get(PATH)).status_code == 200
    assert {(await wait)[0].status_code for wait in waits} == {404}
    again, _ = await timed(campaigns, LAN, unknown)
    assert again.status_code == 404, "the places are free again"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "x",
        f"{ID}",
        f"{ID}:",
        f"{ID}:-1",
        f"{ID}:1.5",
        f"{ID}:{10**30}",
        f"{ID}:1;{ID}:1",
        f"{'-' * 36}:1",
        ",".join(f"{ID}:1" for _ in range(51)),
    ],
)
async def test_a_header_that_says_nothing_is_refused_at_once(campaigns: Harness, header: str) -> None:
    """`<customer id>:<version>`, at most 50."""
    answer, seconds = await timed(campaigns, LAN, header)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "header:Wait-For")
    assert seconds < WAIT_SECONDS


async def timed(harness: Harness, employee_id: UUID, header: str, **more: Any) -> tuple[httpx.Response, float]:
    """A request that waits; the answer and how long it took in seconds."""
    started = time.monotonic()
    answer = await harness.client(employee_id).get(PATH, headers={"Wait-For": header}, **more)
    return answer, time.monotonic() - started
