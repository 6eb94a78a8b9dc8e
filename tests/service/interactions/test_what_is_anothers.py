"""What hangs on another's customer is to a stranger as if it were not there, by every path and method."""

from typing import Any
from uuid import UUID, uuid4

import httpx

from shared.documents.openapi import openapi_of
from tests.service.every_path.requests import FITTING, Paths, Request
from tests.service.interactions.world import World
from tests.support.records import customer

API = "/api/v1"
ITEM_BY_ITEM = f"{API}/interactions/facts"
"""Its items fail one by one (`not_found`, see the tests of reports)."""


async def begin(world: World) -> dict[str, str]:
    """One of each item about the customer that derived requests name, by the names of the paths' parameters."""
    await world.harness.deliver(customer(UUID(FITTING["uuid"]), manager_id=world.seller_id))
    about = {"customer_id": FITTING["uuid"]}

    async def made(path: str, body: dict[str, Any]) -> str:
        answer = await world.seller.post(f"{API}/{path}", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    total = {"amount": 7, "currency": "VND"}
    schedule_id = await made("care-schedules", {**about, "title": "x"})
    return {
        **about,
        "comment_id": await made("comments", {**about, "text": "x"}),
        "task_id": await made("tasks", {"customer_ids": [FITTING["uuid"]], "title": "x", "type": "CALL"}),
        "document_id": await made(
            "documents", {**about, "kind": "order", "status": "draft", "lines": [], "total": total}
        ),
        "schedule_id": schedule_id,
        "activity_id": await made(f"care-schedules/{schedule_id}/activities", {"text": "x"}),
    }


async def send(client: httpx.AsyncClient, request: Request) -> httpx.Response:
    """A derived request, sent by somebody."""
    return await client.request(request.method, request.path, params=request.query, json=request.body)


async def test_what_is_anothers_is_unknown_by_every_path_and_stays_as_it_is(world: World):
    """R1, A2: read, changed, moved or deleted by a stranger it is the 404 of an unknown id, and no row is written."""
    ids = await begin(world)
    paths, before = Paths(openapi_of(world.harness.service)), await world.harness.fingerprint()
    requests = [one for one in paths.about(ids) if one.path != ITEM_BY_ITEM]
    unknown = await send(world.stranger, Request("GET", f"{API}/tasks/{uuid4()}"))
    for request in requests:
        answer = await send(world.stranger, request)
        assert {**answer.json(), "trace_id": ""} == {**unknown.json(), "trace_id": ""}, request
    assert {request.method for request in requests} == {"GET", "POST", "PUT", "PATCH", "DELETE"}
    assert await world.harness.fingerprint() == before
    for request in requests:
        if request.method == "GET":
            assert (await send(world.seller, request)).status_code == 200, request
