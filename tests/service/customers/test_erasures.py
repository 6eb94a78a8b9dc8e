"""Erasing a customer: nothing personal stays in any table of this service, everybody is told, ids are remembered."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.customers.api.exports import FileGone
from services.customers.settings import CustomersSettings
from services.customers.worker import export_next
from shared.contracts.customers import CUSTOMERS, CustomerErased, CustomerEvent
from shared.contracts.events import ActorReference
from shared.contracts.imports import ConfirmedRow, ImportRowsApplied, ImportRowsConfirmed
from shared.contracts.work import ErasureCompleted
from shared.database import run
from shared.identity import DELETE, DOWNLOAD, ERASE, IMPORT, VIEW_ALL
from shared.republishing import RAISE
from tests.service.customers.conftest import Team
from tests.support.harness import Harness
from tests.support.records import BEGINNING
from tests.support.traces import traces

PERSON: dict[str, Any] = {
    "name": "Đoàn Thị Vĩnh Biệt", "phones": ["0977123456"], "emails": ["vinhbiet@example.com"],
    "address": {"line": "99 Ngõ Quên"}, "description": "chuyện riêng",
}  # fmt: skip
NEEDLES = ("Vĩnh Biệt", "vinh biet", "977123456", "vinhbiet", "Ngõ Quên", "chuyện riêng")


async def told_erased(harness: Harness) -> list[tuple[str, int | None]]:
    """What the outbox says of erasures: `(key, version)`, a tombstone without version."""
    async with harness.database.reading() as session:
        rows = await run(
            session, "SELECT aggregateid, type, payload FROM outbox WHERE topic = 'crm.customers' ORDER BY id"
        )
    return [
        (row.aggregateid, CustomerErased.parse(row.payload).version if row.payload is not None else None)
        for row in rows
        if row.type in ("crm.customer.erased.v1", "tombstone")
    ]


async def erase(team: Team, customer_id: object) -> Any:
    """Erase with the right to do so."""
    return await team.as_("binh", ERASE).post(f"/api/v1/customers/{customer_id}/erase")


async def test_nothing_personal_stays_in_any_table(team: Team) -> None:
    """C8: record, registers, search, trail, import rows, answers, unsent events, files; who and when stay."""
    seller = team.as_("binh", DOWNLOAD, IMPORT)
    made = await seller.post("/api/v1/customers", json=PERSON, headers={"Idempotency-Key": "one"})
    customer_id = made.json()["id"]
    await seller.patch(f"/api/v1/customers/{customer_id}", json={"name": "Đoàn Vĩnh Biệt"})
    actor = ActorReference(kind="user", id=str(team.ids["binh"]), permissions=(IMPORT,))
    old = {"description": "khác"}
    values = {"description": "vinhbiet"}
    rows = [
        ConfirmedRow(row=2, action="update", customer_id=UUID(customer_id), code=None, values=values, old=old),
        ConfirmedRow(row=3, action="update", customer_id=UUID(customer_id), code=None, values={"occupation": "x"}),
    ]
    await team.harness.deliver(
        ImportRowsConfirmed(
            import_id=uuid4(), kind="customers", chunk=0, chunks=1, actor=actor, confirmed_at=BEGINNING,
            file_name="a.csv", options={}, rows=tuple(rows),
        )
    )  # fmt: skip
    assert (
        await team.dung.post("/api/v1/customers", json={"name": "Khác", "phones": ["0977123456"]})
    ).status_code == 409
    about = {"field": "text", "op": "contains", "value": "0977123456"}
    view = {"name": "Của tôi", "filter": {"and": [about, {"field": "unassigned", "op": "eq", "value": False}]}}
    saved = await seller.post("/api/v1/views", json=view)
    assert saved.status_code == 201, saved.text
    export = await seller.post("/api/v1/exports", json={"filter": {"and": []}})
    settings = team.harness.settings
    assert isinstance(settings, CustomersSettings)
    assert await export_next(team.harness.database, settings)
    await team.harness.sql(
        "INSERT INTO outbox_sent (id, event_id, topic, aggregatetype, aggregateid, type, payload, headers, created_at)"
        " SELECT 1000000 + id, event_id, topic, aggregatetype, aggregateid, type, payload, headers, created_at"
        " FROM outbox WHERE topic = 'crm.import-results'"
    )
    assert {table for table, _, _ in await traces(team.harness, NEEDLES)} >= {
        "customer", "customer_search", "customer_phone", "audit", "outbox", "outbox_sent", "idempotency", "import_row",
        "revealed_phone", "saved_view",
    }  # fmt: skip
    answer = await erase(team, customer_id)
    assert (answer.status_code, answer.headers["location"]) == (202, f"/api/v1/erasures/{customer_id}")
    assert await traces(team.harness, NEEDLES) == []
    assert await team.harness.sql("SELECT 1 FROM export_part") == []
    assert (await seller.get(export.headers["location"])).json()["error"] == {"code": "erased"}
    [applied] = await team.harness.told(ImportRowsApplied)
    assert [(row.row, row.outcome, str(row.customer_id)) for row in applied.rows] == [
        (2, "conflict", customer_id), (3, "updated", customer_id),
    ]  # fmt: skip
    trail = await team.harness.sql(
        "SELECT actor_id, outcome, changes FROM audit WHERE customer_id = $1 ORDER BY id", UUID(customer_id)
    )
    assert trail[0].actor_id == trail[-1].actor_id == str(team.ids["binh"])
    assert trail[-1].outcome == "erased"
    assert await team.harness.told(CustomerEvent) == [], "unsent states of the person are gone"


async def test_what_was_asked_about_a_person_is_forgotten_also_by_what_they_were_called_before(team: Team) -> None:
    """C8: questions in views, and kept answers that repeat them, by name, number or address, now or in the past."""
    customer = await team.create(team.binh, **PERSON)
    path = f"/api/v1/customers/{customer['id']}"
    renamed = {"name": "Trần Mai Sau", "phones": ["0988777666"], "emails": ["sau@example.com"]}
    assert (await team.binh.patch(path, json=renamed)).status_code == 200
    asked = [
        ("name", "doan thi vinh biet"), ("name", "TRAN MAI SAU"), ("phones", "0977 123 456"),
        ("phones", "098.877.7666"), ("emails", "vinhbiet@example.com"), ("emails", "sau@example.com"),
    ]  # fmt: skip
    for number, (field, value) in enumerate(asked):
        view = {"name": f"Của {number}", "filter": {"field": field, "op": "eq", "value": value}}
        made = await team.dung.post("/api/v1/views", json=view, headers={"Idempotency-Key": str(number)})
        assert made.status_code == 201, made.text
    for number, phone in enumerate(("0977 123 456", "0988777666", "0911222333")):
        answer = await team.dung.post(
            "/api/v1/customers/check", json={"phones": [phone]}, headers={"Idempotency-Key": str(number)}
        )
        assert answer.status_code == 200, answer.text
    assert (await erase(team, customer["id"])).status_code == 202
    views = (await team.dung.get("/api/v1/views")).json()["items"]
    assert [view["filter"] for view in views] == [None] * len(asked)
    said = ("vinh biet", "mai sau", "0977 123 456", "098.877", "0988777666", "vinhbiet", "sau@example")
    assert await traces(team.harness, said) == []
    assert len(await team.harness.sql("SELECT 1 FROM idempotency")) == 1, "of somebody else's number"


async def test_everybody_is_told_and_the_id_is_nobodys_for_ever(team: Team) -> None:
    """C8, C1: `erased` with the next version, then a tombstone; 404 afterwards; the code is never given again."""
    customer = await team.create(team.binh, code="RIENG", **PERSON)
    answer = await erase(team, customer["id"])
    assert answer.json() == {"customer_id": customer["id"], "state": "running", "confirmed": ["customers"]}
    assert await told_erased(team.harness) == [(customer["id"], 2), (customer["id"], None)]
    path = f"/api/v1/customers/{customer['id']}"
    everything = team.as_("binh", ERASE, DELETE, VIEW_ALL)
    gone = [
        await everything.get(path), await everything.patch(path, json={"name": "x"}), await everything.delete(path),
        await everything.post(f"{path}/restore"), await everything.post(f"{path}/erase"),
        await everything.get(f"{path}/audit"),
    ]  # fmt: skip
    assert {one.status_code for one in gone} == {404}
    taken = await team.binh.post("/api/v1/customers", json={"name": "Mới", "code": "RIENG"})
    assert (taken.status_code, taken.json()["code"]) == (409, "code_taken")
    assert (
        await team.dung.post("/api/v1/customers", json={"name": "Mới", "phones": ["0977123456"]})
    ).status_code == 201


async def test_it_is_complete_when_every_other_service_has_confirmed(team: Team) -> None:
    """C8: running until interactions, imports and campaigns have said so; told to who may erase."""
    customer = await team.create(team.binh)
    await erase(team, customer["id"])
    path, eraser = f"/api/v1/erasures/{customer['id']}", team.as_("dung", ERASE)
    for service in ("campaigns", "interactions", "imports"):
        assert (await eraser.get(path)).json()["state"] == "running"
        word = ErasureCompleted(
            customer_id=UUID(str(customer["id"])), service=service, erased_version=2, completed_at=BEGINNING
        )
        await team.harness.deliver(word)
        await team.harness.deliver(word)
    done = (await eraser.get(path)).json()
    assert (done["state"], done["confirmed"]) == ("complete", ["customers", "campaigns", "imports", "interactions"])
    assert (await team.dung.get(path)).status_code == 403
    assert (await eraser.get(f"/api/v1/erasures/{uuid4()}")).status_code == 404


async def test_only_who_sees_the_customer_and_may_erase_does(team: Team) -> None:
    """R1: invisible is 404 whatever the right, visible without it 403; deleted ones can be erased; versions count."""
    customer = await team.create(team.binh)
    path = f"/api/v1/customers/{customer['id']}/erase"
    assert (await team.as_("dung", ERASE).post(path)).status_code == 404
    assert (await team.binh.post(path)).status_code == 403
    stale = await team.as_("binh", ERASE).post(path, headers={"If-Match": '"9"'})
    assert stale.status_code == 412
    assert (await team.as_("binh", DELETE).delete(f"/api/v1/customers/{customer['id']}")).status_code == 204
    two = await asyncio.gather(erase(team, customer["id"]), erase(team, customer["id"]))
    assert sorted(answer.status_code for answer in two) == [202, 404]


async def test_a_republish_says_it_again(team: Team) -> None:
    """C8: copies that are built anew learn of erasures, too; with raised versions if asked."""
    customer = await team.create(team.binh)
    await erase(team, customer["id"])
    await team.harness.forget_told()
    for raised, version in ((False, 2), (True, 2 + RAISE)):
        assert await team.harness.republish(CUSTOMERS, raised) == 1
        assert await told_erased(team.harness) == [(customer["id"], version), (customer["id"], None)]
        [(headers, _), _] = await team.harness.told_with_headers()
        assert headers["ce_replayed"] == "true"
        await team.harness.forget_told()


async def test_a_file_that_is_being_made_is_made_anew_without_the_person(team: Team) -> None:
    """C8, M14: an erasure takes the file away from the process that is at it."""
    from services.customers.commands.exports import LeaseLost, claim_export, finish_export, store_part

    person = await team.create(team.binh, **PERSON)
    await team.create(team.binh, name="Ở lại")
    client = team.as_("binh", DOWNLOAD)
    export = await client.post("/api/v1/exports", json={"filter": {"and": []}, "columns": ["name"], "format": "csv"})
    database, settings = team.harness.database, team.harness.settings
    assert isinstance(settings, CustomersSettings)
    async with database.transaction() as session:
        claim = await claim_export(session, 60)
        assert claim is not None
        await store_part(session, claim, 0, PERSON["name"].encode(), 60)
    await erase(team, person["id"])
    for late in (lambda s: store_part(s, claim, 1, b"x", 60), lambda s: finish_export(s, claim, 2)):
        try:
            async with database.transaction() as session:
                await late(session)
        except LeaseLost:
            continue
        raise AssertionError("the file was stored")
    assert await export_next(database, settings)
    content = (await client.get(f"{export.headers['location']}/file")).text
    assert "Vĩnh Biệt" not in content
    assert "Ở lại" in content


async def test_a_file_that_goes_while_it_is_sent_is_not_taken_for_whole(team: Team) -> None:
    """C8, M14: the length is said before, and the connection breaks off where an erasure took the rest away."""
    person = await team.create(team.binh, **PERSON)
    maker = team.as_("binh", DOWNLOAD)
    export = await maker.post("/api/v1/exports", json={"filter": {"and": []}, "columns": ["name"], "format": "csv"})
    database, settings, path = team.harness.database, team.harness.settings, f"{export.headers['location']}/file"
    assert isinstance(settings, CustomersSettings)
    assert await export_next(database, settings)
    await team.harness.sql("INSERT INTO export_part SELECT export_id, part + 1, content FROM export_part")
    whole = await maker.get(path)
    assert int(whole.headers["content-length"]) == len(whole.content)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def erase_behind_the_first_part(message: Any) -> None:
            await send(message)
            if message.get("body") and (await team.harness.sql("SELECT 1 FROM export_part")):
                await erase(team, person["id"])

        await team.harness.app(scope, receive, erase_behind_the_first_part)

    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=maker.base_url, headers=maker.headers)
    async with client:
        with pytest.raises(FileGone):
            await client.get(path)
