"""A person is erased: when the broker has cleaned up as it does within 30 days, no topic and no table knows them."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.local.settings import PROJECT
from shared.contracts.catalogue import SERVICES, TOPICS
from shared.contracts.customers import CUSTOMERS
from shared.contracts.imports import IMPORT_RESULTS, IMPORTS
from shared.contracts.interactions import INGEST
from shared.database import driver_url
from shared.identity import INGEST_INTERACTIONS
from shared.kafka import COMPACTED, DAY_MS, DEAD_LETTER_DAYS
from tests.end_to_end.test_a_file_becomes_customers import accept_mapping, reaches, upload
from tests.end_to_end.test_interactions_move_count_and_last_contact import cloud_event, fact, report
from tests.support.system import Rapport, eventually

NEEDLES = ("Quách Vĩnh Biệt", "vinh biet", "978123457", "quachvinhbiet", "17 Ngõ Lãng Quên", "chuyện thầm kín")
PERSON = {
    "name": "Quách Vĩnh Biệt",
    "phones": ["0978 123 457"],
    "emails": ["quachvinhbiet@example.com"],
    "address": {"line": "17 Ngõ Lãng Quên"},
    "description": "chuyện thầm kín",
}
LETTERS = INGEST.dead_letters("interactions")
AT_ONCE_MS = "1"
CLEANED_SECONDS = 400
"""A broker that was not started here looks for what is due every five minutes."""
POLL_MS = 300

Clean = dict[str, str]


async def found_on(rapport: Rapport, topic: str) -> set[str]:
    """Which pieces of the person stand in any record of a topic: keys, headers, bodies."""
    found: set[str] = set()
    consumer = AIOKafkaConsumer(bootstrap_servers=rapport.bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        known = next((one.partitions for one in TOPICS if one.name == topic), 1)
        partitions = [TopicPartition(topic, number) for number in range(known)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(one) < ends[one] for one in partitions]):
            for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                for record in records:
                    pieces = (record.key, record.value, *(value for _, value in record.headers))
                    text = " ".join(_readable(piece or b"") for piece in pieces).lower()
                    found |= {needle for needle in NEEDLES if needle.lower() in text}
    finally:
        await consumer.stop()
    return found


def _readable(piece: bytes) -> str:
    """Bytes as text; what JSON has escaped as it is meant."""
    text = piece.decode(errors="replace")
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        return text


async def found_in(rapport: Rapport, service: str) -> list[tuple[str, str]]:
    """In which tables of a service a piece of the person stands, whatever the column's type."""
    connection = await asyncpg.connect(driver_url(rapport.environment[f"DATABASE_OWNER_URL_{service.upper()}"]))
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found = []
        for (table,) in tables:
            for needle in NEEDLES:
                sought = (needle.lower(), needle.encode().hex())
                sql = f'SELECT EXISTS (SELECT FROM "{table}" t WHERE lower(t::text) LIKE ANY ($1::text[]))'
                if await connection.fetchval(sql, [f"%{one}%" for one in sought]):
                    found.append((table, needle))
    finally:
        await connection.close()
    return found


async def live(rapport: Rapport, admin: httpx.AsyncClient) -> str:
    """The person with all that Rapport may know of somebody; answers their id."""
    made = await admin.post("/customers", json=PERSON)
    assert made.status_code == 201, made.text
    customer_id = made.json()["id"]
    connector = rapport.client("sms-gate", [INGEST_INTERACTIONS], "service")
    async with connector:
        await eventually(lambda: _is_known(admin, customer_id))
        sent = fact(customer_id, "sms", "sms-9", "sent", data={"to": "0978123457", "text": "Chào Quách Vĩnh Biệt"})
        answer = await connector.post("/interactions/facts", json={"items": [sent]})
        assert answer.json()["succeeded"] == 1, answer.text
    told = fact(customer_id, "zns", "zns-9", "sent", data={"text": "Chào Quách Vĩnh Biệt, chuyện thầm kín"})
    bad = told | {"fact": "no such fact"}
    await report(
        rapport, *((customer_id, json.dumps(one, ensure_ascii=False).encode(), cloud_event()) for one in (told, bad))
    )
    note = {"customer_id": customer_id, "text": "Quách Vĩnh Biệt kể chuyện thầm kín"}
    assert (await admin.post("/comments", json=note)).status_code == 201
    campaign = (await admin.post("/campaigns", json={"name": "Mùa thu"})).json()["id"]
    seen = {"Wait-For": made.headers["customer-version"]}
    chosen = {"customer_ids": [customer_id]}
    added = await admin.post(f"/campaigns/{campaign}/opportunities", json=chosen, headers=seen)
    assert added.json()["succeeded"] == 1, added.text
    lines = f"Mã khách hàng;Mô tả\r\n{made.json()['code']};chuyện thầm kín, 17 Ngõ Lãng Quên\r\n"
    import_id = await upload(admin, "sua.csv", lines.encode(), "text/csv")
    await accept_mapping(admin, import_id)
    await reaches(admin, import_id, "ready")
    await admin.put(f"/imports/{import_id}/options", json={"overwrite": True}, headers=seen)
    await reaches(admin, import_id, "ready")
    await admin.post(f"/imports/{import_id}/confirm", json={"skip_errors": True})
    await reaches(admin, import_id, "finished")
    return customer_id


@asynccontextmanager
async def cleaned_at_once(rapport: Rapport) -> AsyncIterator[Callable[[], list[str]]]:
    """While the block runs the broker does at once what it does after days: compact, and delete what is old."""
    admin = AIOKafkaAdminClient(bootstrap_servers=rapport.bootstrap_servers)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith("crm.") or name.endswith(".dlq")]
        usual = {name: _usual(name) for name in names}
        at_once = {
            "segment.ms": AT_ONCE_MS,
            "min.compaction.lag.ms": "0",
            "max.compaction.lag.ms": AT_ONCE_MS,
            "min.cleanable.dirty.ratio": "0.0",
            "delete.retention.ms": "0",
        }
        hurried = {
            name: {**configs, **at_once}
            if configs["cleanup.policy"] == "compact"
            else {**configs, "retention.ms": AT_ONCE_MS}
            for name, configs in usual.items()
        }
        await _configure(admin, hurried)
        try:
            yield lambda: names
        finally:
            await _configure(admin, usual)
    finally:
        await admin.close()


def _usual(name: str) -> Clean:
    topic = next((topic for topic in TOPICS if topic.name == name), None)
    if topic is not None and topic.cleanup == "compact":
        return COMPACTED
    days = DEAD_LETTER_DAYS if topic is None else topic.retention_days or 7
    return {"cleanup.policy": "delete", "retention.ms": str(days * DAY_MS)}


async def _configure(admin: AIOKafkaAdminClient, configs: dict[str, Clean]) -> None:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, values) for name, values in configs.items()]
    for answer in await admin.alter_configs(resources):
        codes = {one[0] for one in answer.resources}  # pyright: ignore[reportAttributeAccessIssue]  # aiokafka types no answers
        assert codes == {0}, answer


async def run_compact(rapport: Rapport) -> None:
    """The job that closes what nobody writes to, of every service."""
    for service in SERVICES:
        command = [sys.executable, "-m", f"services.{service}", "job", "compact"]
        process = await asyncio.create_subprocess_exec(*command, env=rapport.environment, cwd=PROJECT)
        assert await process.wait() == 0, service


async def _is_known(admin: httpx.AsyncClient, customer_id: str) -> bool:
    paths = (f"/interaction-summaries/{customer_id}", f"/customers/{customer_id}")
    return all([(await admin.get(path)).status_code == 200 for path in paths])


async def _is_complete(admin: httpx.AsyncClient, customer_id: str) -> bool:
    record = (await admin.get(f"/erasures/{customer_id}")).json()
    assert record["state"] == "complete", record
    return True


async def _is_clean(rapport: Rapport, topics: list[str]) -> bool:
    left = {topic: found for topic in topics if (found := await found_on(rapport, topic))}
    assert not left, left
    return True


async def test_no_topic_and_no_table_knows_an_erased_person(rapport: Rapport) -> None:
    """C8: compacted topics once compacted, others after their time, dead letters too; all four databases at once."""
    async with rapport.client() as admin:
        customer_id = await live(rapport, admin)
        carriers = (CUSTOMERS.name, IMPORTS.name, IMPORT_RESULTS.name, INGEST.name, LETTERS)
        for topic in (CUSTOMERS.name, IMPORTS.name, INGEST.name):
            await eventually(lambda topic=topic: found_on(rapport, topic))
        await eventually(lambda: found_on(rapport, LETTERS))
        others = [topic.name for topic in TOPICS if topic.name not in carriers]
        await _is_clean(rapport, others)
        for service in SERVICES:
            assert await found_in(rapport, service), service
        assert (await admin.post(f"/customers/{customer_id}/erase")).status_code == 202
        await eventually(lambda: _is_complete(admin, customer_id))
        for service in SERVICES:
            assert await found_in(rapport, service) == [], service
        assert await found_on(rapport, CUSTOMERS.name), "compacted before it was asked for: this proves nothing"
        async with cleaned_at_once(rapport) as topics:
            await run_compact(rapport)
            await eventually(lambda: _is_clean(rapport, topics()), seconds=CLEANED_SECONDS)
