"""An order that a connector tells on the ingest topic shows as the customer's revenue and last contact."""

import json
from typing import Any

import httpx

from tests.end_to_end.test_interactions_move_count_and_last_contact import cloud_event, report
from tests.support.system import Rapport, eventually

DOCUMENT = "crm.document.reported.v1"


def order(customer_id: str, version: int, status: str, amount: int) -> bytes:
    """An order as a connector's record has it."""
    total = {"amount": amount, "currency": "VND"}
    line = {"product_code": "XM", "product_name": "Xi măng", "quantity": 2, "unit_price": total, "total": total}
    body: dict[str, Any] = {
        "customer_id": customer_id,
        "kind": "order",
        "status": status,
        "total": total,
        "lines": [line],
        "external_id": f"SO-{customer_id}",
        "external_version": version,
    }
    return json.dumps(body).encode()


async def shows(client: httpx.AsyncClient, customer_id: str, revenue: int, orders: int, contact: str) -> bool:
    """Whether the customer shows these lifetime values and this kind of last contact."""
    record = (await client.get(f"/customers/{customer_id}")).json()
    shown = (record["total_revenue"]["amount"], record["order_count"], (record["last_contact"] or {}).get("kind"))
    assert shown == (revenue, orders, contact)
    return True


async def test_orders_told_on_the_topic_in_any_order_become_revenue(rapport: Rapport) -> None:
    """P1, P3, L1, L5: through Kafka twice; an older version behind a newer one changes nothing."""
    async with rapport.client() as admin:
        customer_id = (await admin.post("/customers", json={"name": "Công ty Xây dựng An Phú"})).json()["id"]
        told = [(2, "confirmed", 5_000), (1, "draft", 900), (3, "completed", 7_000), (2, "confirmed", 5_000)]
        records = [order(customer_id, *one) for one in told]
        await report(rapport, *((customer_id, body, cloud_event(ce_type=DOCUMENT)) for body in records))
        await eventually(lambda: shows(admin, customer_id, 7_000, 1, "order"))
        [document] = (await admin.get("/documents", params={"customer_id": customer_id})).json()["items"]
        answer = await admin.patch(f"/documents/{document['id']}", json={"status": "cancelled"})
        assert answer.status_code == 200, answer.text
        await eventually(lambda: shows(admin, customer_id, 0, 0, "order"))
