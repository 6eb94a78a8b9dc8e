"""Flow 1: an opportunity gets an owner, and the customer's manager changes everywhere."""

import asyncio
import json
import subprocess
import sys
from typing import Any

import asyncpg
import httpx

from shared.contracts.customers import CUSTOMERS
from tests.support.system import Rapport, eventually


async def campaign(admin: httpx.AsyncClient, staff: list[str], **fields: Any) -> str:
    """A campaign with staff; answers its id."""
    made = await admin.post("/campaigns", json={"name": "Chiến dịch mùa thu", **fields})
    assert made.status_code == 201, made.text
    campaign_id = made.json()["id"]
    items = [{"employee_id": employee_id} for employee_id in staff]
    answer = await admin.put(f"/campaigns/{campaign_id}/staff", json={"items": items})
    assert answer.status_code == 200, answer.text
    return campaign_id


async def customer(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    """A new customer; answers the record with `Customer-Version` under `wait_for`."""
    answer = await client.post("/customers", json={"name": "Nguyễn Thị Thu", **fields})
    assert answer.status_code == 201, answer.text
    return {**answer.json(), "wait_for": answer.headers["customer-version"]}


async def opportunity(client: httpx.AsyncClient, campaign_id: str, record: dict[str, Any]) -> str:
    """Add a customer to a campaign; answers the opportunity's id."""
    answer = await client.post(
        f"/campaigns/{campaign_id}/opportunities",
        json={"customer_ids": [record["id"]]},
        headers={"Wait-For": record["wait_for"]},
    )
    assert answer.status_code == 200, answer.text
    [item] = answer.json()["items"]
    assert item["status"] == "created", item
    return item["id"]


async def manager(client: httpx.AsyncClient, customer_id: str) -> str | None:
    """The customer's manager as shown."""
    answer = await client.get(f"/customers/{customer_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()["manager_id"]


async def test_the_owner_becomes_manager_the_old_one_loses_sight_everywhere(rapport: Rapport) -> None:
    """K3, A2, A4, A5: by hand through the gateway; copies follow, the trail names the opportunity's event."""
    people = await rapport.employees("Lan", "Minh")
    async with rapport.client() as admin, rapport.client(people["Lan"]) as lan, rapport.client(people["Minh"]) as minh:
        record = await customer(lan)
        campaign_id = await campaign(admin, [people["Minh"]])
        opportunity_id = await opportunity(admin, campaign_id, record)
        answer = await admin.put(f"/opportunities/{opportunity_id}/owner", json={"employee_id": people["Minh"]})
        assert answer.status_code == 200, answer.text
        await eventually(lambda: _is(manager(admin, record["id"]), people["Minh"]))
        assert (await lan.get(f"/customers/{record['id']}")).status_code == 404
        assert (await minh.get(f"/customers/{record['id']}")).status_code == 200
        for path in (f"/interactions?customer_id={record['id']}", f"/interaction-summaries/{record['id']}"):
            await eventually(lambda path=path: _is(_status(lan, path), 404))
            await eventually(lambda path=path: _is(_status(minh, path), 200))
        trail = (await minh.get(f"/customers/{record['id']}/audit")).json()["items"]
        assert trail[0]["cause"]["kind"] == "campaign"
        assert trail[0]["changes"]["manager_id"]["new"] == people["Minh"]
    await _a_damaged_copy_is_rebuilt(rapport, record["id"])


async def _a_damaged_copy_is_rebuilt(rapport: Rapport, customer_id: str) -> None:
    """From the topic, while the consumers run: wrong values with a version that no event will ever have."""
    database = await asyncpg.connect(rapport.environment["DATABASE_URL_CAMPAIGNS"])
    try:
        copy = "SELECT customer::text FROM customer ORDER BY id"
        before = await database.fetch(copy)
        spoil = "UPDATE customer SET manager_id = NULL, name = 'Sai', version = 99999 WHERE id = $1::text::uuid"
        await database.execute(spoil, customer_id)
        command = [sys.executable, "-m", "services.campaigns", "rebuild", CUSTOMERS.name]
        done = await asyncio.to_thread(
            subprocess.run, command, env=rapport.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        # Once the topic is compacted, what else is kept of a customer may bear a later version: written, too.
        assert said["read"] >= len(before)
        assert said["written"] >= 1
        assert said["removed"] == 0
        assert await database.fetch(copy) == before
    finally:
        await database.close()


async def test_of_two_campaigns_the_later_assignment_names_the_manager(rapport: Rapport) -> None:
    """K3: two campaigns disagree; the one assigned later wins and the other owner looks on."""
    people = await rapport.employees("Hoa", "Tú")
    async with rapport.client() as admin:
        record = await customer(admin)
        first, second = [await campaign(admin, list(people.values())) for _ in range(2)]
        opportunities = [await opportunity(admin, one, record) for one in (first, second)]
        for opportunity_id, name in zip(opportunities, ("Hoa", "Tú"), strict=True):
            await admin.put(f"/opportunities/{opportunity_id}/owner", json={"employee_id": people[name]})
        await eventually(lambda: _is(manager(admin, record["id"]), people["Tú"]))


async def test_a_thousand_opportunities_are_dealt_out_evenly_and_every_manager_follows(rapport: Rapport) -> None:
    """K4, K3: one call deals 1,000 opportunities to four people, 250 each; every customer follows."""
    people = await rapport.employees("A", "B", "C", "D")
    async with rapport.client() as admin:
        made = await asyncio.gather(*(_many(admin, number, 125) for number in range(8)))
        records = [record for part in made for record in part]
        campaign_id = await campaign(admin, list(people.values()))
        for start in range(0, 1_000, 500):
            chunk = records[start : start + 500]
            answer = await admin.post(
                f"/campaigns/{campaign_id}/opportunities",
                json={"customer_ids": [record["id"] for record in chunk]},
                headers={"Wait-For": ",".join(record["wait_for"] for record in chunk[-40:])},
            )
            assert answer.status_code == 200, answer.text
        answer = await eventually(lambda: _added(admin, campaign_id, records))
        dealt = await admin.post(f"/campaigns/{campaign_id}/distribute", json={})
        assert dealt.status_code == 200, dealt.text
        owners = [item["employee_id"] for item in dealt.json()["items"]]
        assert sorted(owners.count(employee_id) for employee_id in people.values()) == [250] * 4
        for item in dealt.json()["items"][::97]:
            expected = item["employee_id"]
            await eventually(lambda i=item, e=expected: _is(manager(admin, i["customer_id"]), e))
        await eventually(lambda: _managed(admin, people["A"], 250))


async def _many(client: httpx.AsyncClient, number: int, count: int) -> list[dict[str, Any]]:
    return [await customer(client, name=f"Khách {number}-{index}") for index in range(count)]


async def _added(admin: httpx.AsyncClient, campaign_id: str, records: list[dict[str, Any]]) -> bool:
    """Add those that the campaigns service did not know yet, until all are in."""
    missing = []
    for start in range(0, len(records), 500):
        ids = [record["id"] for record in records[start : start + 500]]
        answer = await admin.post(f"/campaigns/{campaign_id}/opportunities", json={"customer_ids": ids})
        missing += [i for i in answer.json()["items"] if i["status"] == "failed" and i["error"]["code"] == "not_found"]
    return not missing


async def _managed(admin: httpx.AsyncClient, employee_id: str, count: int) -> bool:
    answer = await admin.get("/customers", params={"manager": employee_id, "limit": 1, "total": "true"})
    return answer.json()["total"] == count


async def _is(look: Any, wanted: Any) -> bool:
    found = await look
    assert found == wanted, f"{found} is not {wanted}"
    return True


async def _status(client: httpx.AsyncClient, path: str) -> int:
    return (await client.get(path)).status_code
