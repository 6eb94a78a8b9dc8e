"""One person in all four services: after the erasure no table of any of them says anything about them (C8)."""

from typing import Any
from uuid import UUID

from shared.contracts.customers import CustomerErased, CustomerEvent
from shared.contracts.directory import EmployeeChanged
from shared.contracts.work import ErasureCompleted
from shared.identity import ERASE, IMPORT, INGEST_INTERACTIONS, MANAGE_CAMPAIGNS
from tests.conftest import MakeHarness
from tests.service.customers.conftest import Team
from tests.service.imports.desk import Desk
from tests.support.harness import Harness
from tests.support.traces import traces

NEEDLES = ("Vĩnh Biệt", "vinh biet", "977123456", "vinhbiet", "Ngõ Quên", "chuyện riêng")


async def talk_about(interactions: Harness, team: Team, customer_id: str) -> None:
    """A comment, and a fact whose data name the person."""
    note = await interactions.client(team.ids["binh"]).post(
        "/api/v1/comments", json={"customer_id": customer_id, "text": "Chị Vĩnh Biệt, chuyện riêng"},
        headers={"Idempotency-Key": "comment-1"},
    )  # fmt: skip
    assert note.status_code == 201, note.text
    fact = {
        "customer_id": customer_id, "kind": "sms", "fact": "sent", "source_id": "sms-1",
        "occurred_at": "2026-01-05T08:00:00Z", "data": {"to": "0977123456", "text": "Chào chị Vĩnh Biệt"},
    }  # fmt: skip
    sent = await interactions.client("sms-gate", [INGEST_INTERACTIONS], "service").post(
        "/api/v1/interactions/facts", json={"items": [fact]}
    )
    assert sent.json()["succeeded"] == 1, sent.text


async def import_again(imports: Harness, team: Team, customer_id: str) -> None:
    """A file that changes the person, confirmed and not yet sent, and one that waits in its preview."""
    desk = Desk(imports, team.ids["binh"], (IMPORT,))
    records = [["ID khách hàng", "Tên khách hàng", "Mô tả"], [customer_id, "Đoàn Vĩnh Biệt", "chuyện riêng khác"]]
    confirmed = await desk.preview(*records, overwrite=True)
    answer = await desk.confirm(confirmed["id"])
    assert answer.status_code == 202, answer.text
    records[1][2] = "chuyện riêng nữa"
    await desk.preview(*records, overwrite=True)


async def campaign_for(campaigns: Harness, team: Team, customer_id: str) -> None:
    """An opportunity with an owner."""
    boss = campaigns.client(team.ids["binh"], [MANAGE_CAMPAIGNS])
    campaign = (await boss.post("/api/v1/campaigns", json={"name": "Tết"})).json()
    added = await boss.post(f"/api/v1/campaigns/{campaign['id']}/opportunities", json={"customer_ids": [customer_id]})
    assert added.json()["succeeded"] == 1, added.text


async def test_an_erased_person_is_in_no_table_of_any_service(team: Team, make_harness: MakeHarness) -> None:
    """C8: copies, comments, facts, files, rows, reasons, unsent events and answers; each service says it is done."""
    others = {name: await make_harness(name) for name in ("interactions", "imports", "campaigns")}
    person: dict[str, Any] = {
        "name": "Đoàn Thị Vĩnh Biệt", "phones": ["0977123456"], "emails": ["vinhbiet@example.com"],
        "address": {"line": "99 Ngõ Quên"}, "description": "chuyện riêng",
    }  # fmt: skip
    customer_id = str((await team.create(team.binh, **person))["id"])
    await team.admin.patch(f"/api/v1/employees/{team.ids['binh']}", json={"department": "Kho"})
    for harness in others.values():
        await harness.deliver(*await team.harness.told(EmployeeChanged))
        await harness.deliver(*await team.harness.told(CustomerEvent))
    await talk_about(others["interactions"], team, customer_id)
    await import_again(others["imports"], team, customer_id)
    await campaign_for(others["campaigns"], team, customer_id)
    for harness in (team.harness, *others.values()):
        assert await traces(harness, NEEDLES) != []
    erased = await team.as_("binh", ERASE).post(f"/api/v1/customers/{customer_id}/erase")
    assert erased.status_code == 202
    [event] = await team.harness.told(CustomerErased)
    for name, harness in others.items():
        await harness.deliver(event)
        assert await traces(harness, NEEDLES) == [], name
        [word] = await harness.told(ErasureCompleted)
        assert (word.customer_id, word.service) == (UUID(customer_id), name)
        await team.harness.deliver(word)
    assert await traces(team.harness, NEEDLES) == []
    record = (await team.as_("binh", ERASE).get(f"/api/v1/erasures/{customer_id}")).json()
    assert record["state"] == "complete"
