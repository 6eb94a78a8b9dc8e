"""Whoever reads what interactions tell later, at once or after compaction, ends with the numbers of who read along."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.contracts.documents import DOCUMENTS, DocumentChanged
from shared.contracts.events import Event
from shared.contracts.interactions import SUMMARIES, InteractionSummaryChanged
from shared.envelope import new_id
from tests.conftest import MakeHarness
from tests.service.customers.test_copies_built_anew import compacted
from tests.service.interactions.world import CONNECTOR, World
from tests.support.harness import Harness
from tests.support.records import customer

EXPECTED_ROWS = {"customer_contact": 3, "document": 12, "document_line": 12}
"""Of three customers with four orders each; a deleted one has no lines."""

LINE = {"product_code": "XM-PCB40", "product_name": "Xi măng PCB40", "quantity": 2}


def order(customer_id: UUID, *amounts: int, **more: Any) -> dict[str, Any]:
    """A sales order with a line for each amount."""
    lines = [LINE | {"unit_price": {"amount": one // 2}, "total": {"amount": one}} for one in amounts]
    given = {"customer_id": str(customer_id), "kind": "order", "order_type": "sales", "status": "confirmed"}
    return given | {"lines": lines, "total": {"amount": sum(amounts)}} | more


async def history(world: World, customer_ids: Sequence[UUID]) -> list[Event]:
    """Facts late, repeated and taken back; orders that grow, shrink, are cancelled, returned and deleted."""
    await world.harness.deliver(*(customer(one, manager_id=world.seller_id) for one in customer_ids))
    for number, one in enumerate(customer_ids):
        about = {"customer_id": str(one)}
        await world.report(world.fact("email", "opened", 9, f"{number}") | about)
        await world.report(
            world.fact("email", "sent", 3, f"{number}") | about,
            world.fact("call", "started", 20, f"{number}", direction="outbound") | about,
            world.fact("call", "answered", 21, f"{number}", direction="outbound") | about,
        )
        await world.report(world.fact("email", "opened", 5, f"{number}") | about)
        kept, cancelled, gone = [await write(world, order(one, amount, 40)) for amount in (1_000, 200, 60)]
        await write(world, order(one, 400, return_of=kept))
        await change(world, kept, lines=order(one, 700)["lines"], total={"amount": 700})
        await change(world, cancelled, status="cancelled")
        assert (await world.seller.delete(f"/api/v1/documents/{gone}")).status_code == 204
    told = await world.harness.told()
    return [event for event in told if isinstance(event, InteractionSummaryChanged | DocumentChanged)]


async def write(world: World, document: dict[str, Any]) -> str:
    """A document's id."""
    answer = await world.seller.post("/api/v1/documents", json=document)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def change(world: World, document_id: str, **values: Any) -> None:
    """Patch a document."""
    answer = await world.seller.patch(f"/api/v1/documents/{document_id}", json=values)
    assert answer.status_code == 200, answer.text


async def numbers(harness: Harness) -> dict[str, list[str]]:
    """What `customers` has of interactions and orders."""
    rows = {
        "customer_contact": "(t.customer_id, t.interaction_count, t.last_contact, t.last_two_way_contact,"
        " t.version, t.total_revenue, t.order_count, t.purchased_value)",
        "document": "t",
        "document_line": "t",
    }
    return {
        table: [found[0] for found in await harness.sql(f"SELECT ({row})::text FROM {table} t ORDER BY 1")]
        for table, row in rows.items()
    }


async def test_numbers_built_from_the_start_equal_those_of_who_read_along(make_harness: MakeHarness) -> None:
    """I10, P1, P3: one by one as it happened, all at once topic after topic, twice over, or what compaction left."""
    world = World(await make_harness("interactions", ingest_sources=CONNECTOR))
    await world.begin()
    customer_ids = [new_id() for _ in range(3)]
    events = await history(world, customer_ids)
    along, later, twice, left = [await make_harness("customers") for _ in range(4)]
    for harness in (along, later, twice, left):
        for one in customer_ids:  # what `customers` has of somebody nobody has spoken to yet
            await harness.sql("INSERT INTO customer_contact (customer_id, as_of) VALUES ($1, now())", one)
    for event in events:
        await along.deliver(event)
    for topic in (DOCUMENTS, SUMMARIES):
        of_topic = [event for event in events if event.topic is topic]
        await later.deliver(*of_topic)
        await twice.deliver(*of_topic, *of_topic)
        await twice.deliver(*of_topic)
        await left.deliver(*(event for event in compacted(events) if event.topic is topic))
    expected = await numbers(along)
    assert {table: len(rows) for table, rows in expected.items()} == EXPECTED_ROWS, expected
    for name, harness in (("later", later), ("twice", twice), ("left", left)):
        assert await numbers(harness) == expected, name
