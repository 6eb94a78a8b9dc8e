"""How to reach the broker: security settings, producers that lose nothing, topics as described.

No client here creates a topic by accident or acknowledges before all replicas have a record.
"""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.helpers import create_ssl_context

from shared.contracts.catalogue import published_by, read_by
from shared.contracts.events import MAX_RECORD_BYTES, Topic
from shared.settings import Settings

DAY_MS = 86_400_000
DEAD_LETTER_DAYS = 14
MAX_DEAD_LETTER_BYTES = 2_000_000
"""More than a broker takes on other topics by default (1 MiB): a letter is a record and its error."""
REQUEST_HEADROOM_BYTES = 100_000
LINGER_MS = 2
STOP_SECONDS = 10
ANSWER_SECONDS = 10
BROKER_WAIT_SECONDS = 60

COMPACTED = {
    "cleanup.policy": "compact",
    "min.compaction.lag.ms": str(7 * DAY_MS),
    "max.compaction.lag.ms": str(14 * DAY_MS),
    "segment.ms": str(DAY_MS),
    "delete.retention.ms": str(30 * DAY_MS),
}


def connection(settings: Settings) -> dict[str, Any]:
    """What every client needs to connect: address, TLS, SASL."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": settings.kafka_security.upper(),
        "client_id": f"rapport-{settings.service}",
    }
    if "ssl" in settings.kafka_security:
        options["ssl_context"] = tls_context(settings)
    if "sasl" in settings.kafka_security:
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_username
        options["sasl_plain_password"] = settings.kafka_password.get_secret_value() if settings.kafka_password else None
    return options


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Trust for the broker's certificate: the given authority, or the machine's."""
    return create_ssl_context(cafile=str(settings.kafka_tls_ca) if settings.kafka_tls_ca else None)


def producer(settings: Settings, max_bytes: int = MAX_RECORD_BYTES + REQUEST_HEADROOM_BYTES) -> AIOKafkaProducer:
    """A producer that is idempotent, waits for all replicas and takes records of up to `max_bytes`."""
    return AIOKafkaProducer(
        **connection(settings),
        acks="all",
        enable_idempotence=True,
        linger_ms=LINGER_MS,
        max_batch_size=262_144,
        max_request_size=max_bytes,
        request_timeout_ms=int(settings.relay_request_timeout_seconds * 1000),
    )


async def stop_bounded(client: Any, seconds: float = STOP_SECONDS) -> None:
    """Stop a client; aiokafka's `stop` can hang when the broker is away, so the wait is bounded."""
    try:
        await asyncio.wait_for(client.stop(), seconds)
    except (TimeoutError, KafkaError, ConnectionError):
        return


async def answers(settings: Settings, topic: Topic) -> bool:
    """Whether the broker answers a newcomer's question about a topic."""
    consumer = AIOKafkaConsumer(**connection(settings))
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await consumer.start()
            await consumer.end_offsets(partitions)
    except (KafkaError, OSError, TimeoutError):
        return False
    else:
        return True
    finally:
        await stop_bounded(consumer)


async def create_topics(settings: Settings, service: str) -> list[str]:
    """Create the topics a service owns and its dead-letter topics, as described; answers the new ones.

    An existing topic is left as it is: its partitions never change (the key's order hangs on them).
    """
    wanted = [_new_topic(topic, settings) for topic in _owned(service)]
    wanted += [dead_letter_topic(settings, topic, service) for topic in read_by(service)]
    admin = AIOKafkaAdminClient(**connection(settings))
    await _start_when_broker_answers(admin)
    try:
        answer = await admin.create_topics(wanted)
    finally:
        await admin.close()
    created: list[str] = []
    for name, code, *_ in answer.topic_errors:  # pyright: ignore[reportAttributeAccessIssue]  # aiokafka types no answers
        if code == 0:
            created.append(name)
        elif for_code(code) is not TopicAlreadyExistsError:
            raise for_code(code)(name)
    return created


def dead_letter_topic(settings: Settings, topic: Topic, service: str) -> NewTopic:
    """The topic that takes what `service` cannot process of `topic`."""
    return NewTopic(
        topic.dead_letters(service),
        num_partitions=1,
        replication_factor=settings.kafka_replication_factor,
        topic_configs={
            "cleanup.policy": "delete",
            "retention.ms": str(DEAD_LETTER_DAYS * DAY_MS),
            "max.message.bytes": str(MAX_DEAD_LETTER_BYTES),
        },
    )


def _owned(service: str) -> Iterable[Topic]:
    """A service's own topics; the ingest topic, written by strangers, belongs to its reader."""
    return [*published_by(service), *(topic for topic in read_by(service) if "connectors" in topic.producers)]


def _new_topic(topic: Topic, settings: Settings) -> NewTopic:
    configs = (
        dict(COMPACTED)
        if topic.cleanup == "compact"
        else {"cleanup.policy": "delete", "retention.ms": str((topic.retention_days or 7) * DAY_MS)}
    )
    if settings.kafka_replication_factor > 1:
        configs["min.insync.replicas"] = str(settings.kafka_min_insync_replicas)
    return NewTopic(topic.name, topic.partitions, settings.kafka_replication_factor, topic_configs=configs)


async def _start_when_broker_answers(admin: AIOKafkaAdminClient) -> None:
    deadline = asyncio.get_running_loop().time() + BROKER_WAIT_SECONDS
    while True:
        try:
            return await admin.start()
        except (KafkaError, OSError):
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.5)
