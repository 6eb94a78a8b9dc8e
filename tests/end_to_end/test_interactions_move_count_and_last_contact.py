"""Flow 2: interactions come over HTTP and over the ingest topic; count and last contact follow."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from shared.contracts.interactions import INGEST
from shared.identity import INGEST_INTERACTIONS
from tests.support.system import Rapport, eventually

NOON = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)


def fact(customer_id: str, kind: str, source_id: str, what: str, minutes: int = 0, **more: Any) -> dict[str, Any]:
    """One fact, `minutes` after a moment two days ago."""
    at = (NOON + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    return {"customer_id": customer_id, "kind": kind, "source_id": source_id, "fact": what, "occurred_at": at, **more}


async def report(rapport: Rapport, *records: tuple[str, bytes, dict[str, str]]) -> None:
    """Write to the ingest topic as a stranger would: (key, body, headers)."""
    producer = AIOKafkaProducer(bootstrap_servers=rapport.bootstrap_servers)
    await producer.start()
    try:
        for key, body, headers in records:
            pairs = [(name, value.encode()) for name, value in headers.items()]
            await producer.send_and_wait(INGEST.name, key=key.encode(), value=body, headers=pairs)
    finally:
        await producer.stop()


def cloud_event(source: str = "demo", **headers: str) -> dict[str, str]:
    """The headers that the ingest topic requires."""
    return {
        "ce_specversion": "1.0",
        "ce_id": str(uuid4()),
        "ce_source": source,
        "ce_type": "crm.interaction_fact.reported.v1",
        **headers,
    }


async def shows(client: httpx.AsyncClient, customer_id: str, count: int, minutes: int | None) -> bool:
    """Whether the customer shows this count, and a last contact `minutes` after noon."""
    record = (await client.get(f"/customers/{customer_id}")).json()
    at = record["last_contact"] and datetime.fromisoformat(record["last_contact"]["at"])
    wanted = None if minutes is None else NOON + timedelta(minutes=minutes)
    assert (record["interaction_count"], at) == (count, wanted)
    return True


async def test_facts_over_http_and_kafka_count_once_and_date_the_last_contact(rapport: Rapport) -> None:
    """I1, I2, I3, I5, I6, I7, I9, I10, I12, I13, L1, L2: mixed, late, repeated, by two ways; explained in full."""
    connector = rapport.client("mail-connector", [INGEST_INTERACTIONS], "service")
    async with rapport.client() as admin, connector:
        mai = (await admin.post("/customers", json={"name": "Phạm Thị Mai"})).json()["id"]
        await eventually(lambda: _summaries_known(admin, [mai]))
        facts = [
            fact(mai, "email", "m1/mai@vidu.vn", "read", 5),
            fact(mai, "email", "m1/mai@vidu.vn", "sent", 1),
            fact(mai, "email_click", "m1/mai@vidu.vn", "clicked", 7, link="https://vidu.vn/a"),
            fact(mai, "sms", "s1", "sent", 9),
            fact(mai, "zns", "z1", "sent", 2),
            fact(mai, "zns", "z1", "deleted", 11),
        ]
        posted = await connector.post("/interactions/facts", json={"items": facts})
        assert (posted.status_code, posted.json()["failed"]) == (200, 0), posted.text
        repeated = await connector.post("/interactions/facts", json={"items": facts})
        assert {item["status"] for item in repeated.json()["items"]} == {"unchanged"}
        call = fact(mai, "call", "c1", "answered", 30)
        await report(
            rapport,
            (mai, json.dumps(call).encode(), cloud_event()),
            (mai, json.dumps(call).encode(), cloud_event()),
            (mai, json.dumps(fact(mai, "call", "c0", "unanswered", 3)).encode(), cloud_event()),
        )
        await eventually(lambda: shows(admin, mai, 5, 30))
        summary = (await admin.get(f"/interaction-summaries/{mai}")).json()
        assert summary["interaction_count"] == 5
        explained = (await admin.get(f"/interaction-summaries/{mai}/explanation")).json()["items"]
        assert sum(item["contribution"] for item in explained) == 5
        assert {item["rule"] for item in explained if item["contribution"]} == {"I1", "I2", "I3", "I5", "I7"}


async def test_facts_of_a_customer_that_comes_later_are_not_lost(rapport: Rapport) -> None:
    """I12: a fact of an unknown customer is accepted on the topic and shows nowhere until they exist."""
    unknown = str(uuid4())
    await report(rapport, (unknown, json.dumps(fact(unknown, "sms", "s9", "sent")).encode(), cloud_event()))
    async with rapport.client() as admin:
        assert (await admin.get(f"/customers/{unknown}")).status_code == 404
        assert (await admin.get(f"/interaction-summaries/{unknown}")).status_code == 404


async def test_poison_goes_to_the_dead_letters_and_its_neighbours_pass(rapport: Rapport) -> None:
    """A record that is no JSON, of an unknown type, of a foreign source, with bad headers: dead letters with errors."""
    async with rapport.client() as admin:
        customer_id = (await admin.post("/customers", json={"name": "Hàng Xóm"})).json()["id"]
        marker = uuid4().hex
        good = fact(customer_id, "sms", marker, "sent", 15)
        body = json.dumps(good).encode()
        await report(
            rapport,
            (customer_id, b"{not json " + marker.encode(), cloud_event()),
            (customer_id, json.dumps(good | {"kind": "pigeon"}).encode(), cloud_event()),
            (customer_id, body, cloud_event(ce_type="crm.unknown.v1")),
            (customer_id, body, cloud_event(source="stranger")),
            (str(uuid4()), body, cloud_event()),
            (customer_id, body, {"ce_id": marker}),
            (customer_id, body, cloud_event()),
        )
        await eventually(lambda: shows(admin, customer_id, 2, 15))
        errors = await eventually(lambda: dead_letters(rapport, marker))
        assert len(errors) == 6
        assert all(errors)


async def dead_letters(rapport: Rapport, marker: str) -> list[str]:
    """The errors of dead letters that hold a marker; empty until there are six."""
    consumer = AIOKafkaConsumer(bootstrap_servers=rapport.bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partition = TopicPartition(INGEST.dead_letters("interactions"), 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        records = (await consumer.getmany(timeout_ms=1_000)).get(partition, [])
    finally:
        await consumer.stop()
    mine = [record for record in records if marker.encode() in (record.value or b"")]
    errors = [dict(record.headers)["dlq_error"].decode() for record in mine]
    return errors if len(errors) >= 6 else []


async def test_a_thousand_facts_at_once_and_from_eight_sides_count_exactly(rapport: Rapport) -> None:
    """I10: concurrent batches and single facts over few customers; the sum is exact."""
    connector = rapport.client("load", [INGEST_INTERACTIONS], "service")
    async with rapport.client() as admin, connector:
        made = [await admin.post("/customers", json={"name": f"Đông {n}"}) for n in range(5)]
        ids = [answer.json()["id"] for answer in made]
        facts = [fact(ids[n % 5], "sms", f"load-{n}", "sent", n % 40) for n in range(1_000)]

        async def send(side: int) -> None:
            for start in range(0, 1_000, 250):
                part = facts[start : start + 250]
                items = part if side % 2 else part[::-1]
                answer = await connector.post("/interactions/facts", json={"items": items})
                assert (answer.status_code, answer.json()["failed"]) == (200, 0), answer.text

        await eventually(lambda: _summaries_known(admin, ids))
        await asyncio.gather(*(send(side) for side in range(8)))
        for customer_id in ids:
            await eventually(lambda i=customer_id: _counts(admin, i, 201))


async def _summaries_known(client: httpx.AsyncClient, ids: list[str]) -> bool:
    return all([(await client.get(f"/interaction-summaries/{i}")).status_code == 200 for i in ids])


async def _counts(client: httpx.AsyncClient, customer_id: str, count: int) -> bool:
    record = (await client.get(f"/customers/{customer_id}")).json()
    assert record["interaction_count"] == count, record["interaction_count"]
    return True
