"""Documents: written by people, told by services over HTTP and the topic, and what they mean for the ledger."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from shared import telemetry
from shared.contracts.customers import CustomerErased, ErasedState
from shared.contracts.documents import DOCUMENTS, DocumentChanged, DocumentReported
from shared.contracts.events import Cause, Money
from shared.envelope import Undecodable, new_id
from shared.errors import Invalid
from shared.republishing import RAISE
from tests.service.interactions.world import CONNECTOR, World, at
from tests.support.records import customer, document_line, employee

PATH = "/api/v1/documents"
SOURCE = f"raw:{CONNECTOR}"
LINE = {
    "product_code": "XM-PCB40",
    "product_name": "Xi măng PCB40",
    "product_group_code": "XM",
    "product_group_name": "Xi măng",
    "quantity": 2.5,
    "unit_price": {"amount": 92_000, "currency": "VND"},
    "total": {"amount": 230_000, "currency": "VND"},
}


def stated(world: World, **fields: Any) -> dict[str, Any]:
    """An order as a request states it."""
    given: dict[str, Any] = {
        "customer_id": str(world.customer_id),
        "kind": "order",
        "status": "confirmed",
        "lines": [LINE],
        "total": {"amount": 230_000, "currency": "VND"},
    }
    return given | fields


def erp(world: World) -> httpx.AsyncClient:
    """A service that may write documents and sees nothing."""
    return world.harness.client(CONNECTOR, ["documents:write"], "service")


async def post(client: httpx.AsyncClient, document: dict[str, Any], status: int = 201) -> dict[str, Any]:
    """What the answer to writing a document says."""
    answer = await client.post(PATH, json=document)
    assert answer.status_code == status, answer.text
    return answer.json()


def reported(customer_id: UUID, version: int = 1, amount: int = 1_000, **values: Any) -> DocumentReported:
    """An order as a connector writes it to the topic."""
    given: dict[str, Any] = {
        "kind": "order",
        "status": "confirmed",
        "total": Money(amount=amount),
        "lines": (document_line(amount=amount),),
        "external_id": "SO-1",
        "external_version": version,
    }
    return DocumentReported(customer_id=customer_id, **(given | values))


async def told(world: World) -> list[DocumentChanged]:
    """What others have heard of documents."""
    return await world.harness.told(DocumentChanged)


@pytest.mark.parametrize(
    ("kind", "order_type", "contact"),
    [
        ("order", None, "order"),
        ("order", "sales", "order"),
        ("order", "purchase", None),
        ("quotation", None, "quotation"),
        ("contract", None, "contract"),
        ("receipt", None, "receipt"),
    ],
)
async def test_a_document_is_a_contact_at_its_creation(
    world: World, kind: str, order_type: str | None, contact: str | None
):
    """L1, L6, L7, I14: by whom and through which document; one side only, the count unmoved; buying is none."""
    document = await post(world.seller, stated(world, kind=kind, order_type=order_type, ordered_at=at(0).isoformat()))
    shown = await world.summary()
    assert (shown["interaction_count"], shown["last_two_way_contact"]) == (1, None)
    assert shown["last_contact"] == (
        contact
        and {
            "at": document["created_at"],
            "kind": contact,
            "employee_id": str(world.seller_id),
            "source_system": "rapport",
            "source_id": document["id"],
        }
    )
    [(name, contribution)] = (await world.explanation()).items()
    assert (name.partition(" ")[2], contribution) == (document["id"], 0)


async def test_cancelling_and_deleting_a_document_leave_its_contact(world: World):
    """L5: it counts at its creation, whatever becomes of it."""
    document = await post(world.seller, stated(world))
    before = await world.summary()
    cancelled = await world.seller.patch(f"{PATH}/{document['id']}", json={"status": "cancelled"})
    assert cancelled.json()["status"] == "cancelled"
    assert (await world.seller.delete(f"{PATH}/{document['id']}")).status_code == 204
    after = await world.summary()
    assert (after["last_contact"], after["version"]) == (before["last_contact"], before["version"])
    assert (await world.seller.get(f"{PATH}/{document['id']}")).status_code == 404


async def test_each_change_of_a_document_is_told_with_all_of_it(world: World):
    """P1: versions without a gap, what changed and how it was before; equal values tell nothing."""
    document = await post(world.seller, stated(world))
    path = f"{PATH}/{document['id']}"
    same = {"status": "confirmed", "lines": [LINE | {"quantity": "2.50"}], "total": document["total"], "number": None}
    unchanged = await world.seller.patch(path, json=same)
    assert (unchanged.status_code, unchanged.headers["etag"]) == (200, '"1"')
    await world.seller.patch(path, json={"status": "completed", "number": "DH-1"})
    await world.seller.delete(path)
    events = await told(world)
    assert [(event.version, event.changed, event.before) for event in events] == [
        (1, (), {}),
        (2, ("number", "status"), {"number": None, "status": "confirmed"}),
        (3, ("state",), {"state": "active"}),
    ]
    first = events[0].state
    assert (first.order_type, first.ordered_at, first.source_system) == ("sales", first.created_at, "rapport")
    assert document["lines"] == [LINE]
    assert str(first.lines[0].quantity) == "2.5"


async def test_a_service_tells_a_document_again_with_a_higher_version(world: World):
    """P1: 201 first, 200 later; an older or equal version answers the newer one that is stored."""
    service = erp(world)
    first = await post(service, stated(world, external_id="SO-1", external_version=2))
    newer = await post(service, stated(world, external_id="SO-1", external_version=5, status="completed"), 200)
    assert (newer["id"], newer["status"], newer["source_system"]) == (first["id"], "completed", CONNECTOR)
    for version in (3, 5):
        stale = stated(world, external_id="SO-1", external_version=version, status="cancelled")
        assert await post(service, stale, 200) == newer
    assert [event.version for event in await told(world)] == [1, 2]
    rows = await world.harness.sql(
        "SELECT count(*) FROM fact WHERE fact = 'created' AND row_id IN (SELECT id FROM ledger WHERE kind = 'order')"
    )
    assert rows == [(1,)]


async def test_a_deleted_document_comes_back_with_a_newer_version_of_its_source(world: World):
    """P1: what its source still has is no error of somebody's hand."""
    service = erp(world)
    document = await post(service, stated(world, external_id="SO-1", external_version=1))
    assert (await world.seller.delete(f"{PATH}/{document['id']}")).status_code == 204
    again = await post(service, stated(world, external_id="SO-1", external_version=2), 200)
    assert (again["id"], again["allowed"]) == (document["id"], ["change", "delete"])
    assert (await world.seller.get(f"{PATH}/{document['id']}")).status_code == 200


async def test_both_ways_tell_the_same_document(world: World):
    """P1, I13: the source's id is one over HTTP and on the topic; the highest version of a batch wins in any order."""
    other = new_id()
    await world.harness.deliver(
        reported(world.customer_id, 3, 30), reported(world.customer_id, 4, 40), reported(world.customer_id, 1, 10),
        reported(other, 1, 7, external_id="SO-2"), source=SOURCE,
    )  # fmt: skip
    await world.harness.deliver(reported(world.customer_id, 2, 20), source=SOURCE)
    stored = await post(erp(world), stated(world, external_id="SO-1", external_version=4), 200)
    assert stored["total"]["amount"] == 40
    assert [(e.state.external_id, e.version, e.state.total.amount) for e in await told(world)] == [
        ("SO-1", 1, 40),
        ("SO-2", 1, 7),
    ]
    assert (await world.summary())["last_contact"]["source_id"] == stored["id"]


async def test_a_document_begun_twice_at_once_is_one(world: World):
    """P1: of several first tellings one begins it, the others find it."""
    answers = await asyncio.gather(
        *(erp(world).post(PATH, json=stated(world, external_id="SO-1", external_version=n)) for n in range(1, 7)),
        world.harness.deliver(reported(world.customer_id, 9, 90), source=SOURCE),
    )
    statuses = sorted(answer.status_code for answer in answers if answer is not None)
    assert statuses in ([200] * 6, [200] * 5 + [201])
    assert await world.harness.sql("SELECT count(*), max(external_version) FROM document") == [(1, 9)]
    versions = [event.version for event in await told(world)]
    assert versions == list(range(1, len(versions) + 1))


@pytest.mark.parametrize("values", [{"customer_id": new_id()}, {"kind": "quotation"}, {"order_type": "purchase"}])
async def test_whose_a_document_is_and_its_kind_never_change(world: World, values: dict[str, Any]):
    """P1, L5: a source that says so is refused, with where."""
    await world.harness.deliver(reported(world.customer_id), source=SOURCE)
    with pytest.raises(Invalid) as refused:
        await world.harness.deliver(
            reported(**({"customer_id": world.customer_id, "version": 2} | values)), source=SOURCE
        )
    assert refused.value.errors[0].pointer == f"/{next(iter(values))}"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"external_id": None}, "/external_id: a service gives it"),
        ({"external_version": None}, "/external_version: a service gives it"),
        ({"total": Money(amount=-1)}, "/total/amount"),
        ({"lines": (document_line("x" * 101),)}, "/lines/0/product_code"),
        ({"lines": (document_line(quantity="-1"),)}, "/lines/0/quantity"),
        ({"lines": (document_line(quantity="1e-7"),)}, "/lines/0/quantity"),
        ({"lines": (document_line(total=Money(amount=1, currency="USD")),)}, "/lines/0/total/currency"),
        ({"lines": tuple(document_line(product_name="x" * 300) for _ in range(1_000))}, "/lines: more than"),
        ({"ordered_at": at(0).replace(tzinfo=None)}, "/ordered_at"),
    ],
)
async def test_a_document_that_cannot_be_is_a_dead_letter_with_words(world: World, values: dict[str, Any], words: str):
    """P1: nothing else of its batch is touched."""
    with pytest.raises(Undecodable, match=words):
        await world.harness.deliver(reported(world.customer_id, **values), source=SOURCE)


async def test_documents_of_erased_customers_are_dropped_and_of_unknown_ones_kept(world: World):
    """I12, C8: unknown ones are heard of later; what was stored stays, with the customer's id only."""
    await world.harness.deliver(reported(world.customer_id), source=SOURCE)
    erased = CustomerErased(version=3, state=ErasedState(id=world.customer_id), cause=Cause(kind="user"))
    await world.harness.deliver(erased)
    before = telemetry.FACTS_DROPPED.labels("interactions")._value.get()
    await world.harness.deliver(reported(world.customer_id, 2), reported(new_id(), external_id="SO-2"), source=SOURCE)
    assert telemetry.FACTS_DROPPED.labels("interactions")._value.get() == before + 1
    rows = await world.harness.sql("SELECT external_id, external_version FROM document ORDER BY 1")
    assert rows == [("SO-1", 1), ("SO-2", 1)]
    assert (await erp(world).post(PATH, json=stated(world, external_id="SO-3", external_version=1))).status_code == 404
    assert await world.harness.sql("SELECT count(*) FROM fact WHERE customer_id = $1", world.customer_id) == [(0,)]


async def test_who_may_write_documents(world: World):
    """R1, A3: strangers meet the same 404, viewers 403, services need `documents:write`, their own id and version."""
    viewer = new_id()
    await world.harness.deliver(employee(viewer))
    await world.harness.deliver(
        customer(world.customer_id, version=2, manager_id=world.seller_id, viewer_ids=(viewer,))
    )
    document = await post(world.seller, stated(world))
    path, looking = f"{PATH}/{document['id']}", world.harness.client(viewer)
    assert (await looking.get(path)).json()["allowed"] == []
    for client, status in ((world.stranger, 404), (looking, 403), (world.connector, 403)):
        for refused in (
            await client.post(PATH, json=stated(world, external_id="1", external_version=1)),
            await client.patch(path, json={"status": "cancelled"}),
            await client.delete(path),
        ):
            assert refused.status_code == status, refused.text
    refused = await erp(world).post(PATH, json=stated(world))
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/external_id", "/external_version"]
    ourselves = world.harness.client("rapport/x", ["documents:write"], "service")
    assert (await ourselves.post(PATH, json=stated(world, external_id="1", external_version=1))).status_code == 403
    assert (await erp(world).patch(path, json={"status": "completed"})).status_code == 200
    assert (await world.stranger.get(PATH, params={"customer_id": str(world.customer_id)})).status_code == 404


async def test_a_return_names_an_order_of_the_same_customer(world: World):
    """P1: anything else it could name is refused."""
    order = await post(world.seller, stated(world))
    quotation = await post(world.seller, stated(world, kind="quotation"))
    for wrong in (quotation["id"], str(new_id())):
        refused = await world.seller.post(PATH, json=stated(world, return_of=wrong))
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/return_of")
    assert (await post(world.seller, stated(world, return_of=order["id"])))["return_of"] == order["id"]


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        ("draft", "confirmed", 200),
        ("confirmed", "draft", 200),
        ("confirmed", "completed", 200),
        ("completed", "cancelled", 200),
        ("completed", "draft", 409),
        ("cancelled", "confirmed", 409),
    ],
)
async def test_statuses_follow_each_other(world: World, before: str, after: str, status: int):
    """P1: what is cancelled stays so, and what is completed is not begun again."""
    document = await post(world.seller, stated(world, status=before))
    answer = await world.seller.patch(f"{PATH}/{document['id']}", json={"status": after})
    assert answer.status_code == status
    assert status == 200 or answer.json()["code"] == "wrong_state"


async def test_a_stale_version_is_refused(world: World):
    """Of two writers one wins."""
    document = await post(world.seller, stated(world))
    path, stale = f"{PATH}/{document['id']}", {"If-Match": '"1"'}
    assert (await world.seller.patch(path, json={"number": "1"}, headers=stale)).status_code == 200
    for answer in (
        await world.seller.patch(path, json={"status": "cancelled"}, headers=stale),
        await world.seller.delete(path, headers=stale),
    ):
        assert (answer.status_code, answer.json()["code"]) == (412, "version_conflict")


async def test_lists_are_of_one_customer_by_kind_and_status(world: World):
    """R1, P5: newest first or oldest, page by page; deleted ones are left out."""
    for n, kind in enumerate(["order", "quotation", "order", "receipt"]):
        await post(world.seller, stated(world, kind=kind, number=str(n), status="draft" if n == 2 else "confirmed"))
    gone = await post(world.seller, stated(world, number="gone"))
    await world.seller.delete(f"{PATH}/{gone['id']}")

    async def numbers(**query: Any) -> list[str]:
        seen: list[str] = []
        cursor: str | None = None
        while True:
            parameters = {"customer_id": str(world.customer_id), "limit": 2} | query
            page = (await world.seller.get(PATH, params=parameters | ({"cursor": cursor} if cursor else {}))).json()
            seen += [item["number"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return seen

    assert await numbers() == ["3", "2", "1", "0"]
    assert await numbers(sort="created_at") == ["0", "1", "2", "3"]
    assert await numbers(kind=["order", "receipt"]) == ["3", "2", "0"]
    assert await numbers(kind="order", status="draft") == ["2"]
    whole = await world.seller.get(PATH, params={"customer_id": str(world.customer_id), "total": True, "limit": 1})
    assert whole.json()["total"] == 4
    assert datetime.fromisoformat(whole.json()["items"][0]["created_at"])


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "invoice"},
        {"status": "paid"},
        {"order_type": "rent"},
        {"total": {"amount": -1}},
        {"total": {"amount": 2**53 + 1}},
        {"total": {"amount": 1.5}},
        {"total": {"amount": 1, "currency": "vnd"}},
        {"lines": [LINE | {"quantity": -1}]},
        {"lines": [LINE | {"quantity": 0.0000001}]},
        {"lines": [LINE | {"product_code": ""}]},
        {"lines": [LINE | {"unit_price": {"amount": 1, "currency": "USD"}}]},
        {"lines": [LINE] * 1_001},
        {"number": "x" * 301},
        {"ordered_at": "9999-12-31T23:59:59-12:00"},
        {"source_system": "erp"},
    ],
)
async def test_a_request_that_cannot_be_is_refused(world: World, fields: dict[str, Any]):
    """Each field at and past its limits; nothing is stored."""
    assert (await world.seller.post(PATH, json=stated(world, **fields))).status_code == 422
    assert await told(world) == []


async def test_documents_are_told_again_to_repair_copies(world: World):
    """Deleted ones too; versions unchanged unless raised."""
    first, second = await post(world.seller, stated(world)), await post(world.seller, stated(world))
    await world.seller.delete(f"{PATH}/{second['id']}")
    await world.harness.forget_told()
    for raised in (False, True):
        assert await world.harness.republish(DOCUMENTS, raised) == 2
    events = await told(world)
    assert [(str(event.state.id), event.version) for event in events] == [
        (first["id"], 1),
        (second["id"], 2),
        (first["id"], 1 + RAISE),
        (second["id"], 2 + RAISE),
    ]
