"""Current state is told again by chunks, each in a transaction of its own; every aggregate of a topic once."""

from collections import Counter

import pytest

from services.customers.domain.employee import FIRST_EMPLOYEE_ID
from shared.contracts.classification import CLASSIFICATION
from shared.contracts.customers import CUSTOMERS, CustomerErased, ErasedState
from shared.contracts.directory import DIRECTORY
from shared.contracts.documents import DOCUMENTS
from shared.contracts.events import Cause, Topic
from shared.contracts.interactions import SUMMARIES
from shared.identity import ERASE, MANAGE_DIRECTORY, SETTINGS
from tests.conftest import MakeHarness
from tests.service.customers.conftest import bootstrap
from tests.support.harness import Harness
from tests.support.records import customer, employee

API = "/api/v1"
AGGREGATES = 5
CHUNK = 2


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few aggregates a chunk."""
    monkeypatch.setattr("shared.republishing.CHUNK", CHUNK)


async def told(harness: Harness, topic: Topic) -> Counter[tuple[str, bool]]:
    """How often each key was told something, and that it is gone."""
    rows = await harness.sql("SELECT aggregateid, payload IS NULL FROM outbox WHERE topic = $1", topic.name)
    return Counter(tuple(row) for row in rows)


async def require_each_told_once(harness: Harness, topic: Topic) -> None:
    """Whoever was told before is told once, in transactions that hold a chunk at most."""
    before = await told(harness, topic)
    for raise_version in (False, True):
        await harness.forget_told()
        count = await harness.republish(topic, raise_version)
        assert await told(harness, topic) == Counter(before.keys())
        assert count == len({key for key, _ in before}) > CHUNK
        chunks = await harness.sql("SELECT count(DISTINCT aggregateid) FROM outbox GROUP BY xmin::text")
        assert max(row[0] for row in chunks) == CHUNK


@pytest.mark.parametrize("topic", [CUSTOMERS, DIRECTORY, CLASSIFICATION], ids=lambda topic: topic.name)
async def test_more_than_one_chunk_of_what_customers_owns_is_told_once_each(
    make_harness: MakeHarness, topic: Topic
) -> None:
    """C8: erased customers, too; relationships and groups one after the other."""
    harness = await make_harness("customers")
    await bootstrap(harness.database)
    admin = harness.client(FIRST_EMPLOYEE_ID, [MANAGE_DIRECTORY, SETTINGS, ERASE])
    for number in range(AGGREGATES):
        for noun in ("groups", "employees", "customers"):
            made = await admin.post(f"{API}/{noun}", json={"name": f"Số {number}"})
            assert made.status_code == 201, made.text
            if noun == "customers" and number % 2:
                assert (await admin.post(f"{made.headers['location']}/erase")).status_code == 202
    await require_each_told_once(harness, topic)


@pytest.mark.parametrize("topic", [SUMMARIES, DOCUMENTS], ids=lambda topic: topic.name)
async def test_more_than_one_chunk_of_what_interactions_owns_is_told_once_each(
    make_harness: MakeHarness, topic: Topic
) -> None:
    """C8, I12: erased customers' summaries as gone, those never published not at all; deleted documents, too."""
    harness, seller = await make_harness("interactions"), employee()
    customers = [customer(manager_id=seller.state.id) for _ in range(AGGREGATES)]
    await harness.deliver(seller)
    await harness.deliver(*customers)
    client = harness.client(seller.state.id)
    for number, one in enumerate(customers):
        total = {"amount": 7, "currency": "VND"}
        stated = {"customer_id": one.key, "kind": "quotation", "status": "draft", "lines": [], "total": total}
        made = await client.post(f"{API}/documents", json=stated)
        assert made.status_code == 201, made.text
        if number % 2:
            await client.delete(made.headers["location"])
    if topic is SUMMARIES:
        erased = CustomerErased(version=2, state=ErasedState(id=customers[0].state.id), cause=Cause(kind="user"))
        await harness.deliver(erased)
        await harness.sql("INSERT INTO summary (customer_id) VALUES (uuidv7())")
    await require_each_told_once(harness, topic)
