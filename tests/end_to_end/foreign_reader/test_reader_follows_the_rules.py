"""The reader in Java against records as they come from us, and as they come in a long life."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.contracts.customers import (
    CustomerCreated,
    CustomerDeleted,
    CustomerErased,
    CustomerEvent,
    CustomerUpdated,
    ErasedState,
)
from shared.contracts.events import Event
from shared.envelope import COMPACTION_TICK, Origin, encode_headers, new_id
from tests.end_to_end.foreign_reader.running import read_customers
from tests.support.records import BY_SYSTEM, customer_state
from tests.support.servers import TestServers

PARTITIONS = 3


class Topic:
    """A topic of its own, written as the relay writes, or by anybody."""

    def __init__(self, name: str, producer: AIOKafkaProducer) -> None:
        self.name, self._producer = name, producer

    async def tell(self, event: Event, *, replayed: bool = False, body: bytes | None = None, **headers: str) -> None:
        """An event of ours; `headers` and `body` replace what we would have written."""
        said = encode_headers(event, str(new_id()), "customers", datetime.now(UTC), Origin(replayed=replayed))
        await self.write(event.key, body or event.model_dump_json().encode(), **(said | headers))

    async def write(self, key: str, body: bytes | None, **headers: str) -> None:
        """A record of any kind."""
        pairs = [(name, value.encode()) for name, value in headers.items()]
        await self._producer.send_and_wait(self.name, body, key.encode(), headers=pairs)


@pytest.fixture
async def topic(servers: TestServers) -> AsyncIterator[Topic]:
    """A compacted topic with a few partitions."""
    name = f"customers-{new_id()}"
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs={"cleanup.policy": "compact"})])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=servers.bootstrap_servers, acks="all") as producer:
        yield Topic(name, producer)


def created(customer_id: UUID, name: str) -> CustomerCreated:
    """The first event of a customer."""
    return CustomerCreated(version=1, state=customer_state(customer_id, name=name), cause=BY_SYSTEM)


def updated(customer_id: UUID, version: int, name: str, kind: type[CustomerEvent] = CustomerUpdated) -> CustomerEvent:
    """A later event of a customer."""
    state = customer_state(customer_id, name=name, state="deleted" if kind is CustomerDeleted else "active")
    return kind(version=version, state=state, cause=BY_SYSTEM)


async def test_a_stranger_ends_with_the_last_state_of_every_live_customer(servers: TestServers, topic: Topic) -> None:
    """From the documents alone: versions, repairs, deletion, erasure, tombstones, what comes later than the reader."""
    lan, minh, hoa, gone, erased, repaired = (new_id() for _ in range(6))
    await topic.write(COMPACTION_TICK, None)
    for customer_id, name in ((lan, "Lan"), (minh, "Minh"), (hoa, "Hòa"), (gone, "Đã xóa"), (erased, "Bí mật")):
        await topic.tell(created(customer_id, name))
    await topic.tell(updated(lan, 2, "Nguyễn Thị Lan"))
    await topic.tell(updated(lan, 5, "Nguyễn Thị Hoàng Lan"))
    await topic.tell(updated(lan, 4, "Một bản cũ"), replayed=True)
    await topic.tell(updated(repaired, 3, "Một lỗi"))
    await topic.tell(updated(repaired, 3, "Đã sửa"), replayed=True)
    await topic.tell(updated(gone, 2, "Đã xóa", CustomerDeleted))
    await topic.tell(CustomerErased(version=9, state=ErasedState(id=erased), cause=BY_SYSTEM))
    await topic.write(str(erased), None, ce_id="1", ce_source="/rapport/customers")
    await topic.write(str(erased), None)
    await topic.write(str(new_id()), None)
    later = json.loads(updated(minh, 2, "Trần Minh").model_dump_json())
    later["state"]["mood"], later["weather"] = "vui", {"sky": "xanh"}
    await topic.tell(updated(minh, 2, "Trần Minh"), body=json.dumps(later).encode())
    await topic.tell(updated(hoa, 7, "Một loại mới"), ce_type="crm.customer.praised.v1")
    await topic.tell(updated(hoa, 8, "Không phải JSON"), body=b"{")
    found = await read_customers(servers.bootstrap_servers, topic.name)
    assert {UUID(key): (one["version"], one["state"]["name"]) for key, one in found.items()} == {
        lan: (5, "Nguyễn Thị Hoàng Lan"),
        minh: (2, "Trần Minh"),
        hoa: (1, "Hòa"),
        repaired: (3, "Đã sửa"),
    }
    assert found[str(minh)]["state"]["mood"] == "vui"


async def test_compaction_may_leave_the_last_record_alone(servers: TestServers, topic: Topic) -> None:
    """A customer whose first records are gone is whole by any later one, whatever its type."""
    customer_id = new_id()
    await topic.tell(updated(customer_id, 12, "Phạm Văn Đức"))
    found = await read_customers(servers.bootstrap_servers, topic.name)
    assert found[str(customer_id)]["state"]["code"] == customer_state(customer_id).code
