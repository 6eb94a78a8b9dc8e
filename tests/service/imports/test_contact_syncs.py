"""Contacts of a telephone: an outcome each, each once for ever."""

import asyncio
from typing import Any

import httpx
import pytest

from shared.contracts.events import ROW_CHUNK
from shared.contracts.imports import ImportRowsConfirmed, RowError
from shared.envelope import new_id
from shared.identity import IMPORT
from tests.service.imports.desk import Desk, applied
from tests.support.records import employee

PATH = "/api/v1/contact-syncs"


def contact(device_contact_id: str, name: str = "Lan", phone: str = "0901000001") -> dict[str, str]:
    """A contact as a telephone sends it."""
    return {"name": name, "phone": phone, "device_contact_id": device_contact_id}


async def sync(client: httpx.AsyncClient, *contacts: dict[str, str], **more: Any) -> dict[str, Any]:
    """Bring contacts."""
    answer = await client.post(PATH, json={"contacts": contacts, **more})
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"{PATH}/{answer.json()['id']}"
    return answer.json()


def statuses(answer: dict[str, Any]) -> list[str]:
    """What became of each contact."""
    return [item["status"] for item in answer["items"]]


async def test_contacts_become_customers_of_who_brought_them(desk: Desk) -> None:
    """M13: any active employee, name and phone, an outcome per contact."""
    client = desk.harness.client(desk.employee_id)
    started = await sync(client, contact("a"), contact("b", "Minh", "0901000002"))
    assert (started["state"], statuses(started)) == ("applying", ["pending", "pending"])
    [chunk] = await desk.harness.told(ImportRowsConfirmed)
    assert (chunk.kind, chunk.actor.id) == ("contacts", str(desk.employee_id))
    assert {row.employee_id for row in chunk.rows} == {desk.employee_id}
    assert [row.values for row in chunk.rows] == [
        {"name": "Lan", "phones": ["+84901000001"]},
        {"name": "Minh", "phones": ["+84901000002"]},
    ]
    waiting = asyncio.create_task(client.get(f"{PATH}/{started['id']}", params={"wait": 5}))
    await asyncio.sleep(0.2)
    await desk.answer(chunk)
    answer = await asyncio.wait_for(waiting, 3)
    assert (answer.json()["state"], statuses(answer.json())) == ("finished", ["created", "created"])
    assert all(item["customer_id"] for item in answer.json()["items"])


async def test_all_contacts_are_on_their_way_at_once(desk: Desk) -> None:
    """M13: a thousand go as two chunks without waiting for one another; the outcomes of both end the sync."""
    number = 2 * ROW_CHUNK
    started = await sync(desk.http, *(contact(f"d{n}", "Lan", f"09010{n:05}") for n in range(number)))
    chunks = await desk.harness.told(ImportRowsConfirmed)
    assert [len(chunk.rows) for chunk in chunks] == [ROW_CHUNK, ROW_CHUNK]
    for chunk in reversed(chunks):
        await desk.answer(chunk)
    answer = (await desk.http.get(f"{PATH}/{started['id']}")).json()
    assert (answer["state"], statuses(answer)) == ("finished", ["created"] * number)


async def test_what_is_wrong_or_known_is_said_contact_by_contact(desk: Desk) -> None:
    """M13: invalid, the second of a number, a live customer's number, refused for another reason."""
    started = await sync(
        desk.http,
        contact("a"),
        contact("b", "Lan lần hai"),
        contact("c", "", "0901000003"),
        contact("d", "Sai số", "12"),
        contact("e", "Đã có", "0901000005"),
        contact("f", "Hết lượt", "0901000006"),
        contact("a", "Trùng máy", "0901000007"),
    )
    assert statuses(started) == ["pending", "duplicate", "invalid", "invalid", "pending", "pending", "duplicate"]
    [chunk] = await desk.harness.told(ImportRowsConfirmed)
    answer = applied(chunk)
    refused = [
        row.model_copy(update={"outcome": "error", "customer_id": None, "errors": (RowError(field=None, code=code),)})
        for row, code in zip(answer.rows[1:], ("phone_taken", "rate_limited"), strict=True)
    ]
    await desk.harness.deliver(answer.model_copy(update={"rows": (answer.rows[0], *refused)}))
    ended = (await desk.http.get(f"{PATH}/{started['id']}")).json()
    assert (ended["state"], ended["total"], ended["done"], ended["failed"]) == ("finished", 7, 7, 3)
    assert statuses(ended)[4:6] == ["duplicate", "failed"]
    assert (ended["items"][4]["customer_id"], ended["items"][5]["code"]) == (None, "rate_limited")


async def test_a_contact_is_synced_once_for_ever_and_tried_again_if_it_was_not(desk: Desk) -> None:
    """M13: by (actor, device contact id), whatever it is called by now; another's contacts are theirs."""
    await sync(desk.http, contact("a"), contact("b", "Minh", "0901000002"))
    [chunk] = await desk.harness.told(ImportRowsConfirmed)
    answer = applied(chunk)
    taken = RowError(field="phones", code="phone_taken")
    lost = answer.rows[1].model_copy(update={"outcome": "error", "customer_id": None, "errors": (taken,)})
    during = await sync(desk.http, contact("a", "Lan hai lần", "0901000009"))
    assert statuses(during) == ["already_synced"]
    await desk.harness.deliver(answer.model_copy(update={"rows": (answer.rows[0], lost)}))
    again = await sync(desk.http, contact("a", "Lan mới", "0901000009"), contact("b", "Minh", "0901000008"))
    assert statuses(again) == ["already_synced", "pending"]
    other = await Desk(desk.harness).open()
    assert statuses(await sync(other.http, contact("a", "Lan", "0901000001"))) == ["pending"]


async def test_somebody_elses_contacts_need_the_permission_and_an_active_person(desk: Desk) -> None:
    """M13, A6: 403 without `customers:import`, 422 for nobody or an inactive employee."""
    lan, gone = new_id(), new_id()
    await desk.harness.deliver(employee(lan, name="Lan"), employee(gone, active=False))
    plain = desk.harness.client(desk.employee_id)
    body = {"contacts": [contact("a")]}
    assert (await plain.post(PATH, json={**body, "employee_id": str(lan)})).status_code == 403
    for somebody in (gone, new_id()):
        answer = await desk.http.post(PATH, json={**body, "employee_id": str(somebody)})
        assert answer.json()["errors"][0] == {**answer.json()["errors"][0], "code": "inactive_employee"}
    allowed = desk.harness.client(desk.employee_id, [IMPORT])
    assert (await sync(allowed, contact("a"), employee_id=str(lan)))["employee_id"] == str(lan)


@pytest.mark.parametrize("contacts", [[], [contact(str(n)) for n in range(1_001)], [{"name": "x"}]])
async def test_syncs_that_cannot_be_are_refused(desk: Desk, contacts: list[dict[str, str]]) -> None:
    """M13: one to a thousand contacts, each with its id on the device."""
    assert (await desk.http.post(PATH, json={"contacts": contacts})).status_code == 422


async def test_a_sync_is_its_makers_alone_and_no_import(desk: Desk) -> None:
    """R1: others get 404; the list of imports does not hold it."""
    started = await sync(desk.http, contact("a"))
    other = await Desk(desk.harness).open()
    assert (await other.http.get(f"{PATH}/{started['id']}")).status_code == 404
    assert (await desk.http.get(f"/api/v1/imports/{started['id']}")).status_code == 404
    assert (await desk.http.get("/api/v1/imports", params={"total": True})).json()["total"] == 0
