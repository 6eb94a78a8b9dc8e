"""A damaged copy is made anew from its topic, for every copy of every service; nothing else moves."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import shared.contracts
from services.customers.domain.employee import FIRST_EMPLOYEE_ID
from shared.contracts.campaigns import CAMPAIGNS, OPPORTUNITIES
from shared.contracts.catalogue import SERVICES
from shared.contracts.classification import CLASSIFICATION
from shared.contracts.customers import CUSTOMERS, CustomerErased, ErasedState
from shared.contracts.directory import DIRECTORY
from shared.contracts.documents import DOCUMENTS
from shared.contracts.events import Event, Topic, event_type
from shared.contracts.interactions import SUMMARIES
from shared.database import Database
from shared.envelope import new_id
from shared.messaging import Subscription
from shared.rebuilding import Rebuild, RebuildRefused, Rebuilt, rebuild_topic
from tests.conftest import MakeHarness
from tests.service.customers.conftest import bootstrap
from tests.support.feeds import FakeTopic
from tests.support.harness import Harness
from tests.support.records import BY_SYSTEM, customer, document, document_line, employee

EXAMPLES = Path(shared.contracts.__file__).parent / "examples"

WRONG = {
    "customer": "name = 'Sai', viewer_ids = '{}', version = version + 1000",
    "customer_record": "record = '{}', version = version + 1000",
    "customer_profile": "group_ids = ARRAY[gen_random_uuid()], version = version + 1000",
    "employee": "name = 'Sai', superior_id = gen_random_uuid(), version = version + 1000",
    "classification": "name = 'Sai', version = version + 1000",
    "campaign": "state = '{}', version = version + 1000",
    "opportunity": "state = 'removed', version = version + 1000",
    "customer_contact": "interaction_count = 99, last_contact = NULL, version = version + 1000",
    "document": "total = 7, version = version + 1000",
    "document_line": "quantity = 99",
    "product": "name = 'Sai'",
    "product_group": "name = 'Sai'",
}
"""What is damaged in one row of each table, with a version that no event will ever have."""

_KEY = "SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]"
_COLUMNS = (
    "SELECT string_agg(attname, ', ') FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0"
    " AND NOT attisdropped AND attgenerated = ''"
)


def example(ce_type: str, topic: Topic, number: int, **values: Any) -> Event:
    """The contract's example with a key of its own."""
    body = json.loads((EXAMPLES / f"{ce_type}.json").read_text())["body"]
    body["state"]["id"] = str(new_id())
    body["state"] |= {"code": f"M{number}", "name": f"Tên {number}"} if "code" in body["state"] else {}
    body["state"] |= values
    found = event_type(topic.name, ce_type)
    assert found is not None
    return found.parse(json.dumps(body).encode())


async def customers_told(_: Harness) -> list[Event]:
    return [customer(name=f"Khách {n}", version=n, group_ids=(new_id(),), viewer_ids=(new_id(),)) for n in range(1, 6)]


async def employees_told(_: Harness) -> list[Event]:
    return [employee(name=f"Nhân viên {n}", version=n) for n in range(1, 6)]


async def items_told(_: Harness) -> list[Event]:
    kinds = ("group", "source", "sector", "group")
    return [example(f"crm.{kind}.changed.v1", CLASSIFICATION, n) for n, kind in enumerate(kinds)]


async def campaigns_told(_: Harness) -> list[Event]:
    return [example("crm.campaign.changed.v1", CAMPAIGNS, n) for n in range(4)]


async def opportunities_told(_: Harness) -> list[Event]:
    kinds = ("created", "owner_assigned", "status_changed", "removed")
    return [
        example(f"crm.opportunity.{kind}.v1", OPPORTUNITIES, n, customer_id=str(new_id()))
        for n, kind in enumerate(kinds)
    ]


async def some_customers(harness: Harness) -> list[str]:
    """Customers of the service's own."""
    await bootstrap(harness.database)
    admin = harness.client(FIRST_EMPLOYEE_ID)
    made = [await admin.post("/api/v1/customers", json={"name": f"Khách {n}"}) for n in range(4)]
    return [answer.json()["id"] for answer in made]


async def summaries_told(harness: Harness) -> list[Event]:
    *known, _ = await some_customers(harness)
    return [example("crm.interaction_summary.changed.v1", SUMMARIES, 0, customer_id=one) for one in known]


async def documents_told(harness: Harness) -> Sequence[Event]:
    known = await some_customers(harness)
    return [
        document(one, amount=100 * n, lines=(document_line(f"P{n}-A", amount=100 * n),))  # pyright: ignore[reportArgumentType]  # pydantic reads the id
        for n, one in enumerate(known, start=1)
    ]


COPIES: list[tuple[str, Topic, Callable[[Harness], Any]]] = [
    ("customers", CAMPAIGNS, campaigns_told),
    ("customers", OPPORTUNITIES, opportunities_told),
    ("customers", SUMMARIES, summaries_told),
    ("customers", DOCUMENTS, documents_told),
    ("interactions", CUSTOMERS, customers_told),
    ("interactions", DIRECTORY, employees_told),
    ("imports", CUSTOMERS, customers_told),
    ("imports", DIRECTORY, employees_told),
    ("imports", CLASSIFICATION, items_told),
    ("campaigns", CUSTOMERS, customers_told),
    ("campaigns", DIRECTORY, employees_told),
    ("campaigns", CLASSIFICATION, items_told),
]


def subscription_to(harness: Harness, topic: Topic) -> Subscription:
    """The service's subscription."""
    return next(one for one in harness.service.subscriptions if one.topic is topic)


def tables_of(harness: Harness, topic: Topic) -> Sequence[str]:
    """The tables of a copy."""
    copy = subscription_to(harness, topic).copy
    assert copy is not None
    return [table.name for table in copy.tables]


async def rebuild(harness: Harness, feed: FakeTopic) -> Rebuilt:
    """Rebuild as the command does, from a topic in memory."""
    database = Database(harness.settings, pool_size=1)
    try:
        return await Rebuild(database, harness.settings, subscription_to(harness, feed.topic), feed).run()
    finally:
        await database.close()


async def rows(harness: Harness, tables: Sequence[str]) -> dict[str, list[str]]:
    """What is in tables."""
    return {
        table: [row[0] for row in await harness.sql(f"SELECT t::text FROM {table} t ORDER BY 1")] for table in tables
    }


async def damage(harness: Harness, table: str) -> None:
    """A row with wrong values, a row that is missing, a row that nobody told of."""
    [(key,)] = await harness.sql(f"{_KEY} WHERE indrelid = to_regclass($1) AND indisprimary", table)
    keys = [row[0] for row in await harness.sql(f"SELECT {key} FROM {table} ORDER BY 1")]
    assert len(keys) > 2, table
    await harness.sql(f"UPDATE {table} SET {WRONG[table]} WHERE {key} = $1", keys[0])
    if table == "customer_contact":
        return  # its rows are the service's own
    await harness.sql(f"DELETE FROM {table} WHERE {key} = $1", keys[1])
    [(columns,)] = await harness.sql(_COLUMNS, table)
    await harness.sql(
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM (SELECT (jsonb_populate_record("
        f"t, jsonb_build_object('{key}', gen_random_uuid()))).* FROM {table} t WHERE {key} = $1) AS stranger",
        keys[2],
    )


def test_every_copy_of_every_service_is_rebuilt_here() -> None:
    """No state topic is read without a copy that can be made anew."""
    read = {
        (name, one.topic.name)
        for name in SERVICES
        for one in import_module(f"services.{name}.app").SERVICE.subscriptions
        if one.topic.holds_state
    }
    assert {(name, topic.name) for name, topic, _ in COPIES} == read


@pytest.mark.parametrize(("service", "topic", "tell"), COPIES, ids=lambda part: getattr(part, "name", None))
async def test_a_damaged_copy_is_put_right_and_nothing_else_moves(
    make_harness: MakeHarness, service: str, topic: Topic, tell: Callable[[Harness], Any]
) -> None:
    """Wrong values with too high versions, missing and foreign rows; no event, no ledger row, no run of a rule."""
    harness = await make_harness(service)
    events = await tell(harness)
    await harness.deliver(*events)
    copied = [*tables_of(harness, topic), *(["customer_contact"] if topic is DOCUMENTS else [])]
    before, others = await rows(harness, copied), await harness.fingerprint()
    for table in tables_of(harness, topic):
        await damage(harness, table)
    if topic is DOCUMENTS:
        await harness.sql("UPDATE customer_contact SET total_revenue = 1, order_count = 77")
    assert await rows(harness, copied) != before
    rebuilt = await rebuild(harness, FakeTopic(topic, *events))
    assert await rows(harness, copied) == before
    assert rebuilt.read == len(events)
    assert (rebuilt.written > 0, rebuilt.removed > 0) == (True, topic is not SUMMARIES)
    after = await harness.fingerprint()
    assert {name: after[name] for name in after.keys() - copied} == {n: others[n] for n in others.keys() - copied}
    again = await rebuild(harness, FakeTopic(topic, *events))
    assert (again.written, again.removed) == (0, 0)


async def test_a_copy_ends_where_its_consumers_are(make_harness: MakeHarness) -> None:
    """What is still to come to them keeps its effects: here the row that counts a creation (I1)."""
    harness = await make_harness("interactions")
    known, late = customer(), customer()
    await harness.deliver(known)
    feed = FakeTopic(CUSTOMERS, known)
    feed.write(late)
    rebuilt = await rebuild(harness, feed)
    assert (rebuilt.read, rebuilt.written, rebuilt.removed, rebuilt.left) == (1, 0, 0, 1)
    await harness.deliver(late)
    assert await harness.sql("SELECT FROM ledger WHERE customer_id = $1", late.state.id)


async def test_what_consumers_have_done_is_not_taken_back(make_harness: MakeHarness) -> None:
    """Half of a halved batch is applied with no word of it: keys of the next batch are left as they are."""
    harness = await make_harness("interactions")
    known = customer(name="Cũ")
    feed = FakeTopic(CUSTOMERS, known)
    newer = customer(known.state.id, name="Mới", version=2)
    fresh = customer()
    feed.write(newer, fresh)
    await harness.deliver(known, newer, fresh)
    rebuilt = await rebuild(harness, feed)
    assert (rebuilt.written, rebuilt.removed, rebuilt.left) == (0, 0, 2)
    assert [row.version for row in await harness.sql("SELECT version FROM customer ORDER BY version")] == [1, 2]


async def test_what_consumers_do_while_the_topic_is_read_is_read_too(make_harness: MakeHarness) -> None:
    """The copy is held before it is compared: a change that came after the beginning is neither lost nor removed."""
    harness = await make_harness("interactions")
    known, meanwhile = customer(), customer(name="Giữa chừng")
    await harness.deliver(known)

    class Busy(FakeTopic):
        async def read(self, start: Any, stop: Any) -> AsyncIterator[Any]:
            async for records in super().read(start, stop):
                yield records
                if not self.partitions_hold(meanwhile.key):
                    self.write(meanwhile)
                    self.read_along()
                    await harness.deliver(meanwhile)

        def partitions_hold(self, key: str) -> bool:
            return any(record.key == key.encode() for records in self.partitions for record in records)

    rebuilt = await rebuild(harness, Busy(CUSTOMERS, known))
    assert (rebuilt.read, rebuilt.written, rebuilt.removed, rebuilt.left) == (2, 0, 0, 0)
    assert len(await harness.sql("SELECT FROM customer")) == 2


async def test_discussions_follow_a_copy_of_customers_that_was_made_anew(make_harness: MakeHarness) -> None:
    """A2, U2: who gained sight finds what they have not read, who lost it and whose customer is gone find nothing."""
    harness = await make_harness("interactions")
    author, before, now = employee(), employee(), employee()
    await harness.deliver(author, before, now)
    seen_by: dict[str, Any] = {"manager_id": author.state.id, "viewer_ids": (before.state.id,)}
    changed, foreign = customer(**seen_by), customer(**seen_by)
    await harness.deliver(changed, foreign)
    for one in (changed, foreign):
        said = {"customer_id": one.key, "text": "x"}
        assert (await harness.client(author.state.id).post("/api/v1/comments", json=said)).status_code == 201

    async def badges() -> list[int]:
        answers = [await harness.client(one.state.id).get("/api/v1/unread-comments?limit=0") for one in (before, now)]
        return [answer.json()["badge"] for answer in answers]

    assert await badges() == [2, 0]
    newer = customer(changed.state.id, version=2, manager_id=author.state.id, viewer_ids=(now.state.id,))
    await harness.forget_told()
    rebuilt = await rebuild(harness, FakeTopic(CUSTOMERS, newer))
    assert (rebuilt.written, rebuilt.removed) == (1, 1)
    assert await badges() == [0, 1]
    assert await harness.told() == []
    await harness.deliver(foreign)
    assert await badges() == [1, 1]


async def test_whom_only_a_rebuild_brought_into_the_copy_counts_from_then_on(
    make_harness: MakeHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1, I12: by chunks, each once, with what was reported of them before; a second rebuild finds nothing to do."""
    monkeypatch.setattr("services.interactions.commands.customers.FOLLOWED_TOGETHER", 2)
    harness = await make_harness("interactions")
    known, lost = customer(), [customer() for _ in range(4)]
    await harness.deliver(known)
    await harness.forget_told()
    feed = FakeTopic(CUSTOMERS, known, *lost)
    for _ in range(2):
        await rebuild(harness, feed)
        told = [event for event in await harness.told() if event.topic is SUMMARIES]
        assert sorted(event.key for event in told) == sorted(event.key for event in lost)
        assert {(event.version, event.state.interaction_count) for event in told} == {(1, 1)}


@pytest.mark.parametrize("service", ["interactions", "imports", "campaigns"])
async def test_erased_customers_stay_erased(make_harness: MakeHarness, service: str) -> None:
    """C8: by their last event, and also when compaction has left nothing of them; no copy has their values again."""
    harness = await make_harness(service)
    first, second, living = customer(), customer(), customer()
    erased = [CustomerErased(version=2, state=ErasedState(id=one.state.id), cause=BY_SYSTEM) for one in (first, second)]
    await harness.deliver(first, second, living, *erased)
    feed = FakeTopic(CUSTOMERS, first, living, erased[0])
    feed.put(str(first.state.id), None)
    feed.put(str(second.state.id), None)
    feed.read_along()
    tables = tables_of(harness, CUSTOMERS)
    before = await rows(harness, tables)
    await harness.forget_told()
    await rebuild(harness, feed)
    assert await rows(harness, tables) == before
    assert await harness.told() == []


async def test_a_removed_opportunity_of_an_erased_customer_goes(make_harness: MakeHarness) -> None:
    """C8: a tombstone behind the last event leaves no row."""
    harness = await make_harness("customers")
    gone, kept, *_ = await opportunities_told(harness)
    await harness.deliver(gone, kept)
    feed = FakeTopic(OPPORTUNITIES, gone, kept)
    feed.put(gone.key, None)
    feed.read_along()
    rebuilt = await rebuild(harness, feed)
    assert (rebuilt.removed, len(await harness.sql("SELECT FROM opportunity"))) == (1, 1)


async def test_records_that_can_never_be_applied_are_passed_over(make_harness: MakeHarness) -> None:
    """What is no event became a dead letter long ago; its neighbours are read."""
    harness = await make_harness("campaigns")
    events = await customers_told(harness)
    feed = FakeTopic(CUSTOMERS, *events)
    feed.put("x", b"{}", (("ce_id", b"1"),))
    feed.read_along()
    rebuilt = await rebuild(harness, feed)
    assert (rebuilt.read, len(await harness.sql("SELECT FROM customer"))) == (6, 5)


async def test_a_side_effect_that_slipped_into_a_copy_fails(make_harness: MakeHarness) -> None:
    """Nothing but the copy's tables is there while it is read, and no outbox at the end either."""
    from dataclasses import replace

    harness = await make_harness("interactions")
    feed = FakeTopic(CUSTOMERS, customer())
    usual = subscription_to(harness, CUSTOMERS)
    assert usual.copy is not None
    tainted = replace(usual, copy=replace(usual.copy, apply=usual.handle))
    database = Database(harness.settings, pool_size=1)
    rebuilt = await Rebuild(database, harness.settings, tainted, feed).run()
    await database.close()
    assert rebuilt.written == 0, "the batch could not be applied, as its ledger was not there"
    assert await harness.told() == []


async def test_a_topic_that_was_never_read_is_refused(make_harness: MakeHarness) -> None:
    """Else its copy would be emptied, or its effects lost."""
    harness = await make_harness("imports")
    feed = FakeTopic(CUSTOMERS, customer())
    feed.reached = {}
    with pytest.raises(RebuildRefused, match="never read here"):
        await rebuild(harness, feed)


async def test_a_topic_without_a_copy_is_refused_with_those_that_have_one(make_harness: MakeHarness) -> None:
    """One line that an operator can act upon."""
    harness = await make_harness("imports")
    with pytest.raises(RebuildRefused, match=r"no copy of crm\.campaigns.*crm\.classification, crm\.customers"):
        await rebuild_topic(harness.service, harness.settings, "crm.campaigns")
