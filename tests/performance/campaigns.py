"""Row 6: opportunities handed out, by one call and as long work, and automation over a stream of customer events."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

import asyncpg
import httpx

from services.customers.commands.customers import lock_customers
from services.customers.domain.relationships import NEW
from shared import outbox
from shared.contracts.classification import relationship_id
from shared.contracts.events import Cause, Event
from shared.database import Database, clock
from shared.envelope import Origin
from shared.settings import Settings
from tests.performance.client import quantile
from tests.performance.report import Bar, Figure
from tests.performance.stage import Stage
from tests.performance.work import WAIT_SECONDS, client_of, good

OPPORTUNITIES = 1_000
MANY_OPPORTUNITIES = 10_000
STAFF = 10
POLL_SECONDS = 0.02
LOOKED_AT = 200
"""Customers whose managers are looked at together."""
EVENT_RATE = 1_000
TICKS_A_SECOND = 10
HOT = relationship_id("hot")

DISTRIBUTED = Bar("at most", 1.5, 0.5, "s")
MANY_DISTRIBUTED = Bar("at most", 6, 3, "s")
LAG = Bar("at most", 1_000, None, "ms")

_OWNED = """
SELECT customer.id FROM customer JOIN unnest($1::uuid[], $2::uuid[]) AS given(customer_id, owner_id)
    ON customer.id = given.customer_id AND customer.manager_id = given.owner_id
"""
_OWNERS = "SELECT customer_id, owner_id FROM opportunity WHERE campaign_id = $1 AND owner_id IS NOT NULL"
_BARE_UPDATE = "UPDATE customer SET updated_at = clock_timestamp() WHERE id = ANY($1::uuid[])"
_CHANGED = """
UPDATE customer SET relationship_id = $2, version = version + 1, updated_at = clock_timestamp()
WHERE id = ANY($1::uuid[])
"""
_LOGGED = "SELECT customer_id, created_at FROM automation_run WHERE automation_id = $1"
_ADDED = "SELECT customer_id, created_at FROM opportunity WHERE campaign_id = $1"


async def distribution(stage: Stage) -> list[Figure]:
    """A thousand by one call, ten thousand as long work, to ten people: until every customer has the manager given."""
    figures = [await _distributed(stage, stage.customer_ids[:OPPORTUNITIES], DISTRIBUTED)]
    if len(stage.customer_ids) >= MANY_OPPORTUNITIES:
        figures.append(await _distributed(stage, stage.customer_ids[-MANY_OPPORTUNITIES:], MANY_DISTRIBUTED))
    return figures


async def automation(stage: Stage, seconds: float) -> list[Figure]:
    """Relationships change at a steady pace: a rule is asked of each, and adds who has no manager to a campaign."""
    chosen = stage.customer_ids[: int(EVENT_RATE * seconds)]
    events = await _changes(stage, chosen)
    async with client_of(stage, "campaigns") as client:
        campaign_id = await _campaign(client, stage.seller_ids[-STAFF:], [])
        rule = {
            "name": "Khách nóng",
            "max_per_hour": 100_000,
            "trigger": {"kind": "relationship_set", "item_id": str(HOT)},
            "condition": {"field": "unassigned", "op": "eq", "value": True},
            "actions": [{"kind": "add_to_campaign", "campaign_id": campaign_id, "distribute": True}],
        }
        rule_id = good(await client.post("/automations", json=rule)).json()["id"]
        before = stage.usage()
        due = await _tell_paced(stage, chosen, events)
        await stage.settle()
        cost = stage.usage().since(before)
        good(await client.delete(f"/automations/{rule_id}"))
    connection = stage.connections["campaigns"]
    lags = _lags(due, await connection.fetch(_LOGGED, UUID(rule_id)))
    added = _lags(due, await connection.fetch(_ADDED, UUID(campaign_id)))
    assert len(lags) == len(chosen), f"{len(lags)} of {len(chosen)} were asked"
    p50, p99 = (quantile(lags, share) * 1_000 for share in (0.5, 0.99))
    notes = [f"{len(added):,} taken, in the campaign and handed out p99 {quantile(added, 0.99) * 1_000:.0f} ms"]
    measured = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms"
    return [Figure(f"6 automation, {EVENT_RATE:,} events/s", measured, p99, LAG, cost=cost, notes=notes)]


async def _distributed(stage: Stage, chosen: Sequence[UUID], bar: Bar) -> Figure:
    customers, campaigns = stage.connections["customers"], stage.connections["campaigns"]
    async with client_of(stage, "campaigns") as client:
        campaign_id = await _campaign(client, stage.seller_ids[-STAFF:], chosen)
        await stage.settle()
        bare = await _bare_update(customers, chosen)
        before, started = stage.usage(), time.perf_counter()
        answer = good(await client.post(f"/campaigns/{campaign_id}/distribute", json={}))
        answered = time.perf_counter() - started
        if answer.status_code == 202:
            await _finished(client, answer.headers["location"].removeprefix("/api/v1"))
        handed_out = time.perf_counter() - started
        owners = await campaigns.fetch(_OWNERS, UUID(campaign_id))
        assert len(owners) == len(chosen), f"{len(owners)} of {len(chosen)} have an owner"
        await _until_managers(customers, dict(owners))
        seconds = time.perf_counter() - started
    await stage.settle()
    cost = stage.usage().since(before)
    notes = [f"answered after {answered:.2f} s, handed out after {handed_out:.2f} s; CPU until every copy has it"]
    measured, yardstick = f"{seconds:.2f} s", f"bare update {bare * 1_000:.0f} ms"
    return Figure(f"6 {len(chosen):,} opportunities", measured, seconds, bar, yardstick, cost, notes)


async def _until_managers(customers: asyncpg.Connection, owners: dict[UUID, UUID]) -> None:
    """Wait until each customer has its owner as manager, looking at a few of those that had not at a time.

    Looking at ten thousand again and again took a fifth of what it was to measure.
    """
    deadline = time.perf_counter() + WAIT_SECONDS
    while owners:
        assert time.perf_counter() < deadline, f"{len(owners)} managers do not follow"
        some = list(islice(owners.items(), LOOKED_AT))
        pairs = [one[0] for one in some], [one[1] for one in some]
        there = [row[0] for row in await customers.fetch(_OWNED, *pairs)]
        for customer_id in there:
            del owners[customer_id]
        if len(there) < len(some):
            await asyncio.sleep(POLL_SECONDS)


async def _finished(client: httpx.AsyncClient, path: str) -> None:
    deadline = time.perf_counter() + WAIT_SECONDS
    while (work := good(await client.get(path)).json())["state"] == "running":
        assert time.perf_counter() < deadline, work
        await asyncio.sleep(POLL_SECONDS)
    assert work["state"] == "finished", work


async def _campaign(client: httpx.AsyncClient, staff: Sequence[UUID], customer_ids: Sequence[UUID]) -> str:
    campaign_id = good(await client.post("/campaigns", json={"name": "Chiến dịch đo"})).json()["id"]
    items = [{"employee_id": str(employee_id)} for employee_id in staff]
    good(await client.put(f"/campaigns/{campaign_id}/staff", json={"items": items}))
    for first in range(0, len(customer_ids), OPPORTUNITIES):
        some = [str(one) for one in customer_ids[first : first + OPPORTUNITIES]]
        added = await client.post(f"/campaigns/{campaign_id}/opportunities", json={"customer_ids": some})
        assert good(added).json()["failed"] == 0, added.text[:500]
    return campaign_id


async def _bare_update(connection: asyncpg.Connection, customer_ids: Sequence[UUID]) -> float:
    started = time.perf_counter()
    await connection.execute(_BARE_UPDATE, list(customer_ids))
    return time.perf_counter() - started


async def _changes(stage: Stage, customer_ids: Sequence[UUID]) -> list[Event]:
    """What `customers` will say of each when its relationship becomes Hot, made beforehand by its own rules."""
    values = {
        "service": "customers",
        "database_url": stage.databases["customers"].app_url,
        "kafka_bootstrap_servers": stage.rapport.bootstrap_servers,
        "jwks_url": stage.keys.jwks_url,
        "token_issuer": "bench",
    }
    database, events = Database(Settings.model_validate(values), pool_size=1), dict[UUID, Event]()
    async with database.reading() as session:
        at = await clock(session)
        for customer in (await lock_customers(session, customer_ids)).values():
            assert customer.relationship_id == NEW, "customers of a bench are new"
            [events[customer.id]] = customer.set_relationship(HOT, at, Cause(kind="system", id="bench"))
        session.expunge_all()
    await database.close()
    return [events[customer_id] for customer_id in customer_ids]


async def _tell_paced(stage: Stage, customer_ids: Sequence[UUID], events: Sequence[Event]) -> dict[UUID, datetime]:
    """Tell of changes at a steady pace, whatever follows; answers when each was due.

    The customers are changed beforehand: what that costs is no part of what automation does.
    """
    connection, due = stage.connections["customers"], dict[UUID, datetime]()
    await connection.execute(_CHANGED, list(customer_ids), HOT)
    each, started = EVENT_RATE // TICKS_A_SECOND, datetime.now(UTC)
    for tick, first in enumerate(range(0, len(customer_ids), each)):
        at = started + timedelta(seconds=tick / TICKS_A_SECOND)
        some = list(customer_ids[first : first + each])
        await asyncio.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds()))
        told = outbox.parameters("customers", events[first : first + each], Origin())
        await connection.execute(outbox.INSERT, *told)
        due |= dict.fromkeys(some, at)
    return due


def _lags(due: dict[UUID, datetime], rows: Sequence[asyncpg.Record]) -> list[float]:
    return [(row[1] - due[row[0]]).total_seconds() for row in rows]
