"""Kafka as a part: its records outlive a crash, and topics are made on purpose only."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import OffsetOutOfRangeError

from deploy.local import kafka
from deploy.local.kafka import KafkaServer
from shared import prompt_fetching

READ_TIMEOUT_MS = 10_000
BROKER_HOLDS_BACK_MS = 30_000
BEYOND_THE_END = 1_000
SECONDS_IN_HAND = 0.3
"""Longer than aiokafka waits for records to be taken."""
DASH_FIRST = UUID(int=62 << 122)
"""In base64 it begins with a dash, like an option."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A running broker, of a cluster whose id begins with a dash as one in 64 does."""
    server = KafkaServer(tmp_path_factory.mktemp("kafka"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka, "uuid", SimpleNamespace(uuid4=lambda: DASH_FIRST))
        server.start()
    yield server
    server.stop()


async def make_topic_of_two(server: KafkaServer, name: str) -> None:
    """A topic with two partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=server.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(name, 2, 1)])
    await admin.close()


async def send(server: KafkaServer, value: bytes) -> None:
    """Send one record and wait until the broker has it."""
    async with AIOKafkaProducer(bootstrap_servers=server.bootstrap_servers, acks="all") as producer:
        await producer.send_and_wait("kept", value, key=b"key")


async def read(server: KafkaServer, group: str) -> list[bytes]:
    """All records of the topic, as a new group reads them."""
    consumer = AIOKafkaConsumer(
        "kept", bootstrap_servers=server.bootstrap_servers, group_id=group, auto_offset_reset="earliest"
    )
    async with consumer:
        batches = await consumer.getmany(timeout_ms=READ_TIMEOUT_MS)
    return [record.value for records in batches.values() for record in records if record.value is not None]


async def test_what_was_acknowledged_survives_kill_9_and_a_clean_stop(server: KafkaServer) -> None:
    """The same address, the same records, and consumers that need not wait for their first."""
    address = server.bootstrap_servers
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic("kept", 1, 1)])
    await admin.close()
    await send(server, b"before")
    server.kill()
    assert not server.running
    server.start()
    await send(server, b"between")
    server.stop()
    assert not server.running
    server.start()
    assert server.bootstrap_servers == address
    assert await read(server, "readers") == [b"before", b"between"]


async def test_a_topic_is_not_made_by_mentioning_it(server: KafkaServer) -> None:
    """A misspelt name would swallow records for ever."""
    consumer = AIOKafkaConsumer(bootstrap_servers=server.bootstrap_servers)
    async with consumer:
        await consumer._client.force_metadata_update()
        assert "misspelt" not in await consumer.topics()
        consumer.subscribe(["misspelt"])
        await consumer.getmany(timeout_ms=200)
        assert "misspelt" not in await consumer.topics()


async def test_what_follows_a_record_in_hand_does_not_wait_for_other_partitions(server: KafkaServer) -> None:
    """A consumer that takes one record at a time once asked for the others without its partition, and heard late."""
    prompt_fetching.install()
    await make_topic_of_two(server, "followed")
    consumer = AIOKafkaConsumer(
        "followed",
        bootstrap_servers=server.bootstrap_servers,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=BROKER_HOLDS_BACK_MS,
    )
    async with AIOKafkaProducer(bootstrap_servers=server.bootstrap_servers) as producer, consumer:
        await producer.send_and_wait("followed", b"first", partition=0)
        assert await consumer.getmany(timeout_ms=READ_TIMEOUT_MS, max_records=1)
        await asyncio.sleep(SECONDS_IN_HAND)
        await producer.send_and_wait("followed", b"second", partition=0)
        assert await consumer.getmany(timeout_ms=READ_TIMEOUT_MS, max_records=1)


async def test_partitions_are_taken_by_turns(server: KafkaServer) -> None:
    """Of several imports, one's chunks once lay behind all of another's."""
    prompt_fetching.install()
    await make_topic_of_two(server, "shared-out")
    async with AIOKafkaProducer(bootstrap_servers=server.bootstrap_servers) as producer:
        for place in range(6):
            await producer.send_and_wait("shared-out", b"%d" % place, partition=place // 3)
    taken: list[int] = []
    async with AIOKafkaConsumer(
        "shared-out", bootstrap_servers=server.bootstrap_servers, auto_offset_reset="earliest"
    ) as consumer:
        while len(taken) < 6:
            found = await consumer.getmany(timeout_ms=READ_TIMEOUT_MS, max_records=1)
            assert found, f"after {taken} there was nothing"
            taken += [partition.partition for partition in found]
    assert taken in ([0, 1, 0, 1, 0, 1], [1, 0, 1, 0, 1, 0])


async def test_few_records_are_taken_of_different_partitions(server: KafkaServer) -> None:
    """Two chunks that are worked on together are two imports' where two wait; of one alone, both are its own."""
    prompt_fetching.install()
    await make_topic_of_two(server, "one-of-each")
    async with AIOKafkaProducer(bootstrap_servers=server.bootstrap_servers) as producer:
        for partition in (0, 0, 0, 1):
            await producer.send_and_wait("one-of-each", b"record", partition=partition)
    taken: list[list[int]] = []
    async with AIOKafkaConsumer(
        "one-of-each", bootstrap_servers=server.bootstrap_servers, auto_offset_reset="earliest"
    ) as consumer:
        while sum(map(len, taken)) < 4:
            found = await consumer.getmany(timeout_ms=READ_TIMEOUT_MS, max_records=2)
            assert found, f"after {taken} there was nothing"
            taken.append(sorted(record.partition for records in found.values() for record in records))
    assert taken == [[0, 1], [0, 0]]


async def test_a_partition_that_cannot_be_read_costs_no_record_of_another(
    server: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken before is handed over; the fault is told with the next call."""
    prompt_fetching.install()
    monkeypatch.setattr("aiokafka.consumer.fetcher.random.shuffle", list.sort)  # the readable one comes first
    await make_topic_of_two(server, "half-readable")
    good, bad = (TopicPartition("half-readable", number) for number in range(2))
    async with AIOKafkaProducer(bootstrap_servers=server.bootstrap_servers) as producer:
        await producer.send_and_wait(good.topic, b"record", partition=good.partition)
    async with AIOKafkaConsumer(bootstrap_servers=server.bootstrap_servers, auto_offset_reset="none") as consumer:
        consumer.assign([good, bad])
        consumer.seek(good, 0)
        consumer.seek(bad, BEYOND_THE_END)
        await asyncio.sleep(SECONDS_IN_HAND)
        found = await consumer.getmany(timeout_ms=READ_TIMEOUT_MS, max_records=2)
        assert [record.value for records in found.values() for record in records] == [b"record"]
        with pytest.raises(OffsetOutOfRangeError):
            await consumer.getmany(timeout_ms=READ_TIMEOUT_MS, max_records=2)
