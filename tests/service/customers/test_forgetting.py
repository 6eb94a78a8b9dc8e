"""Don't Forget: who is forgotten, who comes back and when, also beside writers and behind a lagging consumer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from services.customers.commands import forgetting
from services.customers.commands.forgetting import ContactsLag, forget
from services.customers.commands.storing import COLUMNS
from services.customers.domain.relationships import DONT_FORGET
from services.customers.worker import work_next
from shared.contracts.classification import relationship_id
from shared.contracts.customers import CustomerRelationshipChanged, CustomerRestored
from shared.contracts.events import Cause
from shared.contracts.interactions import SUMMARIES, Contact, InteractionSummaryChanged, SummaryState
from shared.database import Database, Session, run
from shared.identity import DELETE, SETTINGS
from tests.service.customers.conftest import Team

NEW, HOT = relationship_id("new"), relationship_id("hot")
HEARD = """
INSERT INTO consumer_progress (topic, partition, next_offset, end_offset, progressed_at)
SELECT $1, number, 10, $2, clock_timestamp() - make_interval(secs => $3)
FROM generate_series(0, $4 - 1) AS number
ON CONFLICT (topic, partition) DO UPDATE SET end_offset = excluded.end_offset, progressed_at = excluded.progressed_at
"""


@pytest.fixture
async def crew(team: Team, monkeypatch: pytest.MonkeyPatch) -> Team:
    """The team, its consumer up to date; a sweep that waits does so for a moment only."""
    monkeypatch.setattr(forgetting, "WAIT_SECONDS", 3)
    monkeypatch.setattr(forgetting, "POLL_SECONDS", 1)
    await heard(team)
    return team


async def heard(
    team: Team, end_offset: int = 10, age_seconds: float = 0, partitions: int = SUMMARIES.partitions
) -> None:
    """What the consumer of summaries has left about itself."""
    await team.harness.sql(HEARD, SUMMARIES.name, end_offset, float(age_seconds), partitions)


async def sweep(team: Team, days: int = 0) -> dict[str, Any]:
    """The job, as on the day in `days` days."""
    [row] = await team.harness.sql("SELECT day_of(clock_timestamp())")
    return dict(await forget(team.harness.database, team.harness.settings, row[0] + timedelta(days=days)))


def contact(
    customer: dict[str, Any], at: datetime | None, version: int = 2, count: int = 1
) -> InteractionSummaryChanged:
    """A summary that says when the last contact was."""
    last = Contact(at=at, kind="call", employee_id=None, source_system="pbx", source_id="1") if at else None
    state = SummaryState(
        customer_id=UUID(str(customer["id"])),
        interaction_count=count,
        last_contact=last,
        last_two_way_contact=None,
        as_of=datetime.now(UTC),
        ruleset=1,
    )
    return InteractionSummaryChanged(version=version, state=state, cause=Cause(kind="system"))


async def where(team: Team, *customers: dict[str, Any]) -> list[tuple[UUID, UUID | None]]:
    """Relationship and remembered one of customers."""
    found = await team.harness.sql(
        "SELECT c.relationship_id, c.remembered_relationship_id FROM unnest($1::uuid[]) WITH ORDINALITY AS w(id, place)"
        " JOIN customer c ON c.id = w.id ORDER BY place",
        [UUID(str(customer["id"])) for customer in customers],
    )
    return [(row[0], row[1]) for row in found]


async def test_who_was_not_contacted_for_thirty_days_is_forgotten_once(crew: Team) -> None:
    """G5: on day 29 not yet, on day 30 yes; a second sweep changes nothing; cause sweep, audited."""
    customer = await crew.create(crew.binh, relationship_id=str(HOT))
    assert customer["days_left"] == 30
    assert await sweep(crew, 29) == {"forgotten": 0, "returned": 0}
    assert await sweep(crew, 30) == {"forgotten": 1, "returned": 0}
    assert await sweep(crew, 31) == {"forgotten": 0, "returned": 0}
    assert await where(crew, customer) == [(DONT_FORGET, HOT)]
    [event] = await crew.harness.told(CustomerRelationshipChanged)
    assert (event.version, event.cause.kind, set(event.changed)) == (
        2,
        "sweep",
        {"relationship_id", "remembered_relationship_id"},
    )
    assert (event.state.relationship_id, event.state.remembered_relationship_id) == (DONT_FORGET, HOT)
    assert event.before == {"relationship_id": str(HOT), "remembered_relationship_id": None}
    record = (await crew.binh.get(f"/api/v1/customers/{customer['id']}")).json()
    assert (record["version"], record["days_left"]) == (2, None)
    trail = (await crew.binh.get(f"/api/v1/customers/{customer['id']}/audit")).json()["items"]
    assert trail[0]["cause"]["kind"] == "sweep"
    assert trail[0]["changes"]["relationship_id"] == {"old": str(HOT), "new": str(DONT_FORGET)}


async def test_the_swept_event_carries_the_whole_state(crew: Team) -> None:
    """A sweep tells what the record's own methods would tell: every public field as it is stored."""
    body = {
        "phones": ["0901234567"],
        "emails": ["a@example.vn"],
        "address": {"province": "Huế"},
        "birth_date": "1990-02-03",
        "viewer_ids": [str(crew.ids["chi"])],
    }
    customer = await crew.create(crew.binh, **body)
    await sweep(crew, 30)
    [event] = await crew.harness.told(CustomerRelationshipChanged)
    state = event.state.model_dump(mode="json")
    record = (await crew.binh.get(f"/api/v1/customers/{customer['id']}")).json()
    assert {name: value for name, value in state.items() if record[name] != value} == {}


async def test_the_next_contact_brings_back_what_was_remembered_also_a_late_one(crew: Team) -> None:
    """G5: a contact of today, and one of ten days ago that arrives now; one too old does not."""
    today = datetime.now(UTC)
    now, late, old = [await crew.create(crew.binh, relationship_id=str(HOT)) for _ in range(3)]
    await _started(crew, 40)
    assert (await sweep(crew))["forgotten"] == 3
    await crew.harness.forget_told()
    await crew.harness.deliver(
        contact(now, today),
        contact(late, today - timedelta(days=10)),
        contact(old, today - timedelta(days=30, hours=1)),
    )
    assert await where(crew, now, late, old) == [(HOT, None), (HOT, None), (DONT_FORGET, HOT)]
    told = await crew.harness.told(CustomerRelationshipChanged)
    assert {event.state.id for event in told} == {UUID(str(now["id"])), UUID(str(late["id"]))}
    assert {event.cause.kind for event in told} == {"sweep"}
    assert await sweep(crew) == {"forgotten": 0, "returned": 0}


async def test_a_summary_without_a_new_contact_changes_no_relationship(crew: Team) -> None:
    """G5, L7: a count that moves is no contact."""
    customer = await crew.create(crew.binh)
    await sweep(crew, 30)
    await crew.harness.deliver(contact(customer, None, count=5))
    assert await where(crew, customer) == [(DONT_FORGET, NEW)]


async def test_a_relationship_that_was_disabled_meanwhile_is_still_returned_to(crew: Team) -> None:
    """G5, G2: nobody chose it newly."""
    relationship = (await crew.admin.post("/api/v1/relationships", json={"name": "Riêng"})).json()
    customer = await crew.create(crew.binh, relationship_id=relationship["id"])
    await _started(crew, 30)
    await sweep(crew)
    assert (await crew.admin.delete(f"/api/v1/relationships/{relationship['id']}")).status_code == 204
    await crew.harness.deliver(contact(customer, datetime.now(UTC)))
    assert await where(crew, customer) == [(UUID(relationship["id"]), None)]


async def test_more_days_allowed_bring_customers_back_and_fewer_forget_sooner(crew: Team) -> None:
    """G5: a function of state: the days in force now decide, null never forgets."""
    customer = await crew.create(crew.binh, relationship_id=str(HOT))
    await _started(crew, 35)
    assert (await sweep(crew))["forgotten"] == 1
    path = f"/api/v1/relationships/{HOT}"
    await crew.admin.patch(path, json={"forget_after_days": 35})
    assert await where(crew, customer) == [(DONT_FORGET, HOT)]
    await crew.admin.patch(path, json={"forget_after_days": 36})
    assert await where(crew, customer) == [(HOT, None)]
    await crew.admin.patch(path, json={"forget_after_days": 3})
    assert await sweep(crew) == {"forgotten": 1, "returned": 0}
    await crew.admin.patch(path, json={"forget_after_days": None})
    assert await where(crew, customer) == [(HOT, None)]
    assert await sweep(crew, 3650) == {"forgotten": 0, "returned": 0}


async def test_more_days_bring_back_also_those_whom_one_request_cannot_carry(
    crew: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G5: as soon as the condition no longer holds: the worker goes on right behind the request, in batches."""
    monkeypatch.setattr(forgetting, "RETURN_AT_ONCE", 2)
    monkeypatch.setattr(forgetting, "BATCH", 2)
    many = [await crew.create(crew.binh, relationship_id=str(HOT)) for _ in range(7)]
    await _started(crew, 35)
    assert (await sweep(crew))["forgotten"] == 7
    await crew.admin.patch(f"/api/v1/relationships/{HOT}", json={"forget_after_days": 60})
    assert sum([(await where(crew, one)) == [(HOT, None)] for one in many]) == 2
    while await work_next(crew.harness.database):
        pass
    assert [await where(crew, one) for one in many] == [[(HOT, None)]] * 7
    assert await crew.harness.sql("SELECT state, done FROM long_work") == [("finished", 5)]
    causes = {event.cause.kind for event in await crew.harness.told(CustomerRelationshipChanged)}
    assert causes == {"sweep"}


async def test_more_days_bring_back_also_who_is_held_at_that_moment(crew: Team) -> None:
    """G5: the request passes over a customer whom somebody is writing; the worker comes back for them, and waits."""
    held, free = [await crew.create(crew.binh, relationship_id=str(HOT)) for _ in range(2)]
    await _started(crew, 35)
    assert (await sweep(crew))["forgotten"] == 2
    async with crew.harness.database.transaction() as session:
        await run(session, "UPDATE customer SET description = 'x' WHERE id = $1", UUID(str(held["id"])))
        answer = await asyncio.wait_for(
            crew.admin.patch(f"/api/v1/relationships/{HOT}", json={"forget_after_days": 60}), 5
        )
        assert answer.status_code == 200, answer.text
        returning = asyncio.create_task(work_next(crew.harness.database))
        await asyncio.sleep(0.3)
        assert not returning.done()
    assert await returning
    assert await where(crew, held, free) == [(HOT, None)] * 2
    assert await crew.harness.sql("SELECT state, done FROM long_work") == [("finished", 1)]


class _Interrupted:
    """A database where something happens once, between a sweep's batches or within the first that moves somebody."""

    def __init__(self, database: Database, within: bool, happen: Callable[[], Awaitable[Any]]) -> None:
        self.database, self.within, self.happen = database, within, happen
        self.reading = database.reading
        self.happening: asyncio.Task[Any] | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        async with self.database.transaction() as session:
            yield session
            moved = await run(session, "SELECT count(*) FROM customer WHERE relationship_id = $1", DONT_FORGET)
            begin = moved.scalar_one() > 0 and self.happening is None
            if begin and self.within:
                self.happening = asyncio.ensure_future(self.happen())
                await asyncio.sleep(0.3)
                assert not self.happening.done()
        if begin and not self.within:
            self.happening = asyncio.ensure_future(self.happen())
            await self.happening


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("days", [60, None])
async def test_days_changed_during_a_sweep_hold_from_then_on(crew: Team, within: bool, days: int | None) -> None:
    """G5: changed between two batches or within one: who was moved returns, and nobody else is moved."""
    await crew.create(crew.binh, relationship_id=str(HOT))
    await _copies(crew, forgetting.BATCH + 100)
    await _started(crew, 35)

    async def change() -> None:
        answer = await crew.admin.patch(f"/api/v1/relationships/{HOT}", json={"forget_after_days": days})
        assert answer.status_code == 200, answer.text

    database = _Interrupted(crew.harness.database, within, change)
    [row] = await crew.harness.sql("SELECT day_of(clock_timestamp())")
    await forget(cast("Database", database), crew.harness.settings, row[0])
    assert database.happening is not None
    await database.happening
    while await work_next(crew.harness.database):
        pass
    assert await crew.harness.sql("SELECT DISTINCT relationship_id FROM customer") == [(HOT,)]


async def test_days_changed_in_the_database_are_followed_by_the_next_sweep(crew: Team) -> None:
    """G5: what one request could not carry at once, the sweep does."""
    customer = await crew.create(crew.binh, relationship_id=str(HOT))
    await sweep(crew, 30)
    await crew.harness.sql("UPDATE relationship SET forget_after_days = 31 WHERE id = $1", HOT)
    assert await sweep(crew, 30) == {"forgotten": 0, "returned": 1}
    assert await where(crew, customer) == [(HOT, None)]


async def test_another_chosen_by_hand_ends_it_and_restarts_the_clock(crew: Team) -> None:
    """G5: by hand wins; nobody chooses Don't Forget by hand (G4)."""
    customer = await crew.create(crew.binh, relationship_id=str(HOT))
    await _started(crew, 100)
    await sweep(crew)
    path = f"/api/v1/customers/{customer['id']}"
    refused = await crew.binh.patch(path, json={"relationship_id": str(DONT_FORGET)})
    assert refused.status_code == 200  # it is what it is already
    chosen = (await crew.binh.patch(path, json={"relationship_id": str(NEW)})).json()
    assert (chosen["relationship_id"], chosen["remembered_relationship_id"], chosen["days_left"]) == (
        str(NEW),
        None,
        30,
    )
    assert await sweep(crew, 29) == {"forgotten": 0, "returned": 0}
    refused = await crew.binh.patch(path, json={"relationship_id": str(DONT_FORGET)})
    assert (refused.status_code, refused.json()["code"]) == (422, "automatic_relationship")


async def test_restoring_starts_the_clock_again_and_deleted_ones_are_left_alone(crew: Team) -> None:
    """G5, C4: a deleted customer is not swept; restored, it is forgotten no more."""
    keeper = crew.as_("binh", DELETE)
    forgotten, other = await crew.create(crew.binh, relationship_id=str(HOT)), await crew.create(crew.binh)
    await _started(crew, 50)
    await keeper.delete(f"/api/v1/customers/{other['id']}")
    assert (await sweep(crew))["forgotten"] == 1
    await keeper.delete(f"/api/v1/customers/{forgotten['id']}")
    assert await where(crew, forgotten, other) == [(DONT_FORGET, HOT), (NEW, None)]
    for one in (forgotten, other):
        assert (await keeper.post(f"/api/v1/customers/{one['id']}/restore")).json()["days_left"] == 30
    assert await where(crew, forgotten, other) == [(HOT, None), (NEW, None)]
    first = (await crew.harness.told(CustomerRestored))[0]
    assert set(first.changed) >= {"state", "relationship_id", "remembered_relationship_id"}
    assert await sweep(crew) == {"forgotten": 0, "returned": 0}


async def test_a_day_is_the_tenants(crew: Team) -> None:
    """G5: 17:00 UTC is the next day in Ho Chi Minh City; midnight decides, not thirty times 24 hours."""
    [today] = (await crew.harness.sql("SELECT day_of(clock_timestamp())"))[0]
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC) - timedelta(days=29, hours=7)
    before, after = await crew.create(crew.binh), await crew.create(crew.binh)
    for customer, at in ((before, midnight - timedelta(microseconds=1)), (after, midnight)):
        await crew.harness.sql("UPDATE customer SET clock_started_at = $2 WHERE id = $1", UUID(str(customer["id"])), at)
    assert (await sweep(crew))["forgotten"] == 1
    assert await where(crew, before, after) == [(DONT_FORGET, NEW), (NEW, None)]
    shown = (await crew.binh.get(f"/api/v1/customers/{after['id']}")).json()
    assert shown["days_left"] == 1  # tomorrow


@pytest.mark.parametrize(
    ("end_offset", "age_seconds", "partitions"),
    [(11, 0, 12), (10, 61, 12), (10, 0, 11)],
    ids=["behind", "silent", "deaf"],
)
async def test_nobody_is_forgotten_while_contacts_lag(
    team: Team, monkeypatch: pytest.MonkeyPatch, end_offset: int, age_seconds: float, partitions: int
) -> None:
    """G5: records not read, no sign of life for a minute, a partition never heard of: it waits, then gives up."""
    monkeypatch.setattr(forgetting, "WAIT_SECONDS", 1)
    customer = await team.create(team.binh)
    await heard(team, end_offset, age_seconds, partitions)
    with pytest.raises(ContactsLag):
        await sweep(team, 30)
    assert await where(team, customer) == [(NEW, None)]
    await team.harness.sql("DELETE FROM consumer_progress")
    await heard(team)
    assert (await sweep(team, 30))["forgotten"] == 1


async def test_the_sweep_goes_on_as_soon_as_what_was_told_before_is_read(crew: Team) -> None:
    """G5: a busy topic always has more; what was told before the sweep must be read, not what is told during it."""
    await crew.create(crew.binh)
    await heard(crew, end_offset=12)
    sweeping = asyncio.create_task(sweep(crew, 30))
    await asyncio.sleep(0.3)
    assert not sweeping.done()
    await crew.harness.sql("UPDATE consumer_progress SET next_offset = 12, end_offset = 99")
    assert (await sweeping)["forgotten"] == 1


async def test_the_sweep_takes_batches_and_finds_everybody(crew: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """G5: more than a batch, many of one moment (an import), due ones between others."""
    await crew.create(crew.binh)
    await _copies(crew, 1_250)
    await crew.harness.sql(
        "UPDATE customer_contact SET last_contact_at = clock_timestamp() FROM customer c"
        " WHERE c.id = customer_id AND c.code LIKE '%7'"
    )
    due = (await crew.harness.sql("SELECT count(*) FROM customer WHERE code NOT LIKE '%7'"))[0][0]
    await _started(crew, 30)
    assert await sweep(crew) == {"forgotten": due, "returned": 0}
    assert len(await crew.harness.told(CustomerRelationshipChanged)) == due
    assert await sweep(crew) == {"forgotten": 0, "returned": 0}
    await crew.harness.sql("UPDATE relationship SET forget_after_days = NULL")
    assert await sweep(crew) == {"forgotten": 0, "returned": due}


async def test_the_sweep_waits_for_no_writer_and_overwrites_none(crew: Team) -> None:
    """G5: a row that somebody holds is passed over; what they wrote stands, and the next sweep decides anew."""
    held, free = await crew.create(crew.binh), await crew.create(crew.binh)
    async with crew.harness.database.transaction() as session:
        await run(session, "SELECT 1 FROM customer WHERE id = $1 FOR UPDATE", UUID(str(held["id"])))
        swept = await asyncio.wait_for(sweep(crew, 30), 5)
        assert swept["forgotten"] == 1
        choose = "UPDATE customer SET relationship_id = $2, clock_started_at = clock_timestamp() WHERE id = $1"
        await run(session, choose, UUID(str(held["id"])), HOT)
    assert await where(crew, held, free) == [(HOT, None), (DONT_FORGET, NEW)]


async def test_a_contact_that_arrives_during_the_sweep_is_not_forgotten(crew: Team) -> None:
    """G5: contacts and sweeps at once, whoever is first: nobody contacted today ends in Don't Forget."""
    await crew.create(crew.binh)
    await _copies(crew, 600)
    await _started(crew, 45)
    ids = [row[0] for row in await crew.harness.sql("SELECT id FROM customer ORDER BY random()")]
    today = datetime.now(UTC)
    batches = [[contact({"id": one}, today) for one in ids[start : start + 50]] for start in range(0, 300, 50)]
    await asyncio.gather(sweep(crew), *(crew.harness.deliver(*batch) for batch in batches), sweep(crew), sweep(crew))
    wrong = await crew.harness.sql(
        "SELECT c.id FROM customer c JOIN customer_contact n ON n.customer_id = c.id"
        " WHERE (c.relationship_id = $1) = (n.last_contact_at IS NOT NULL)",
        DONT_FORGET,
    )
    assert wrong == []
    versions = await crew.harness.sql(
        "SELECT aggregateid FROM outbox WHERE topic = 'crm.customers'"
        " GROUP BY aggregateid, convert_from(payload, 'UTF8')::json ->> 'version' HAVING count(*) > 1"
    )
    assert versions == []


async def test_a_service_with_settings_may_change_the_days(crew: Team) -> None:
    """R1: crm:settings changes days, also for who sees none of the customers that return."""
    customer = await crew.create(crew.binh)
    await sweep(crew, 30)
    service = crew.harness.client("erp", [SETTINGS], kind="service")
    await service.patch(f"/api/v1/relationships/{NEW}", json={"forget_after_days": None})
    assert await where(crew, customer) == [(NEW, None)]


async def _started(team: Team, days: int) -> None:
    """Everybody's clock started that many days ago."""
    await team.harness.sql("UPDATE customer SET clock_started_at = clock_timestamp() - make_interval(days => $1)", days)


async def _copies(team: Team, count: int) -> None:
    """As many more customers like the first one."""
    columns = ", ".join(COLUMNS)
    await team.harness.sql(
        f"INSERT INTO customer ({columns}) SELECT {columns} FROM (SELECT (jsonb_populate_record(c, jsonb_build_object("
        "'id', uuidv7(), 'code', 'X' || number, 'version', 1))).*"
        " FROM customer c, generate_series(1, $1) AS number) more",
        count,
    )
