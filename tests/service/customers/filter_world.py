"""A few hundred customers of every kind, known both to the database and to plain Python."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from services.customers.commands.storing import insert_customers
from services.customers.domain.customer import Customer
from services.customers.domain.relationships import FIRST_RELATIONSHIPS
from shared.contracts.classification import relationship_id
from shared.contracts.customers import Origin
from shared.contracts.documents import DocumentChanged, DocumentState
from shared.contracts.events import Cause
from shared.database import run
from shared.envelope import new_id
from tests.service.customers.conftest import Team
from tests.support.records import document, document_line

NAMES = ("Nguyễn Văn An", "Trần Thị Hoà", "Lê Hoa", "Phạm Đức", "Công ty Hòa Bình", "Ngô Hoàng Ân", "Đỗ Thị Hoa")
PROVINCES = ("Hà Nội", "Đà Nẵng", "Cần Thơ", "ha noi", None)
OCCUPATIONS = ("Giáo viên", "Kỹ sư", "", None)
ORIGINS = (Origin(kind="user", id="x"), Origin(kind="import", id="i-1"), Origin(kind="import", id="i-2"))
NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
CUSTOMERS = 240


@dataclass
class Known:
    """Plain Python's side: every customer with its numbers, the trees, the people, the campaigns."""

    customers: list[Customer] = field(default_factory=list)
    numbers: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    parents: dict[UUID, UUID | None] = field(default_factory=dict)
    groups: list[UUID] = field(default_factory=list)
    sectors: list[UUID] = field(default_factory=list)
    sources: list[UUID] = field(default_factory=list)
    people: dict[str, UUID] = field(default_factory=dict)
    inactive: set[UUID] = field(default_factory=set)
    campaigns: list[dict[str, Any]] = field(default_factory=list)
    opportunities: list[dict[str, Any]] = field(default_factory=list)
    orders: list[DocumentState] = field(default_factory=list)
    forget_after_days: dict[UUID, int | None] = field(default_factory=dict)

    def below(self, ids: Iterable[UUID]) -> set[UUID]:
        """The items and everything below them."""
        found = set(ids)
        while more := {child for child, parent in self.parents.items() if parent in found} - found:
            found |= more
        return found


async def build(team: Team, seed: int = 7) -> Known:
    """Fill the service: classification, customers with every field now and then empty, campaigns."""
    rng = random.Random(seed)
    known = Known(people=dict(team.ids))
    known.forget_after_days = {relationship_id(r.key): r.forget_after_days for r in FIRST_RELATIONSHIPS}
    for kind, ids in (("group", known.groups), ("sector", known.sectors), ("source", known.sources)):
        for number in range(6):
            item, parent = new_id(), ids[(number - 1) // 2] if kind != "source" and number else None
            ids.append(item)
            known.parents[item] = parent
            await team.harness.sql(
                "INSERT INTO classification_item (id, kind, code, name, name_folded, parent_id, state, version)"
                " VALUES ($1, $2, $3, $3, lower($3), $4, 'active', 1)",
                item,
                kind,
                f"{kind.upper()}-{number}",
                parent,
            )
    await team.admin.post(f"/api/v1/employees/{team.ids['chi']}/deactivate", json={})
    known.inactive = {team.ids["chi"]}
    known.customers = [_customer(rng, known, number) for number in range(CUSTOMERS)]
    async with team.harness.database.transaction() as session:
        await insert_customers(session, known.customers)
        for customer in known.customers:
            known.numbers[customer.id] = numbers = _numbers(rng)
            await run(
                session,
                "UPDATE customer_contact SET interaction_count = $2, last_contact_at = $3, last_contact = $4::jsonb,"
                " last_two_way_contact = $5::jsonb WHERE customer_id = $1",
                customer.id,
                numbers["interaction_count"],
                numbers["last_contact_at"],
                _contact(numbers["last_contact_at"]),
                _contact(numbers["last_two_way_contact_at"]),
            )
    await _campaigns(team, known, rng)
    await _orders(team, known, rng)
    return known


def _customer(rng: random.Random, known: Known, number: int) -> Customer:
    managers = [*known.people.values(), None]
    at = NOW - timedelta(hours=rng.randrange(60 * 24))
    sources = rng.sample(known.sources, rng.randrange(3))
    values: dict[str, Any] = {
        "name": rng.choice(NAMES),
        "type": rng.choice(("person", "company")),
        "phones": [f"+849{rng.randrange(10**8):08d}" for _ in range(rng.randrange(3))],
        "emails": rng.sample(["hoa@vidu.vn", "an@congty.com.vn", "lan@vidu.vn"], rng.randrange(3)),
        "gender": rng.choice(("male", "female", None)),
        "birth_date": rng.choice((date(1990, 1, 1), date(1985, 6, 30), None)),
        "occupation": rng.choice(OCCUPATIONS),
        "address": {"line": None, "ward": None, "district": None, "province": province, "country": None}
        if (province := rng.choice(PROVINCES))
        else None,
        "group_ids": rng.sample(known.groups, rng.randrange(3)),
        "sector_ids": rng.sample(known.sectors, rng.randrange(3)),
        "source_ids": sources,
        "relationship_id": rng.choice([relationship_id(r.key) for r in FIRST_RELATIONSHIPS]),
    }
    customer = Customer.create(new_id(), f"T{number:04d}", values, rng.choice(ORIGINS), "employee/x", at)
    cause = Cause(kind="system")
    viewers = rng.sample(list(known.people.values()), rng.choice((0, 0, 0, 1, 2)))
    customer.hand_over_at_creation(rng.choice(managers), None, viewers, at, cause)
    customer.tell_created(cause)
    return customer


def _numbers(rng: random.Random) -> dict[str, Any]:
    contact = rng.choice((None, NOW - timedelta(days=rng.randrange(40), hours=rng.randrange(24))))
    both = contact - timedelta(days=1) if contact is not None and rng.random() < 0.5 else None
    return {
        "interaction_count": rng.randrange(1, 9),
        "last_contact_at": contact,
        "last_two_way_contact_at": both,
        "total_revenue": 0,
        "order_count": 0,
    }


def _contact(at: datetime | None) -> str | None:
    return None if at is None else msgspec.json.encode({"at": at, "kind": "call"}).decode()


async def _campaigns(team: Team, known: Known, rng: random.Random) -> None:
    """Three campaigns, read by different people, one of them deleted; opportunities of some customers in each."""
    binh, dung = str(team.ids["binh"]), str(team.ids["dung"])
    for managers, relevant, staff, state in (
        ([binh], [], [dung], "active"),
        ([], [dung], [], "active"),
        ([binh, dung], [], [], "deleted"),
    ):
        campaign = {
            "id": new_id(),
            "manager_ids": managers,
            "relevant_ids": relevant,
            "staff_ids": staff,
            "state": state,
            "statuses": [new_id(), new_id()],
        }
        known.campaigns.append(campaign)
        shown = {name: campaign[name] for name in ("manager_ids", "relevant_ids", "staff_ids", "state")}
        await team.harness.sql(
            "INSERT INTO campaign (id, state, version) VALUES ($1, $2::jsonb, 1)",
            campaign["id"],
            msgspec.json.encode(shown | {"name": "Chiến dịch", "statuses": []}).decode(),
        )
        for customer in rng.sample(known.customers, 60):
            one = {
                "id": new_id(),
                "campaign_id": campaign["id"],
                "customer_id": customer.id,
                "status_id": rng.choice(campaign["statuses"]),
                "owner_id": rng.choice([*known.people.values(), None]),
                "state": rng.choice(("open", "open", "removed")),
            }
            known.opportunities.append(one)
            await team.harness.sql(
                "INSERT INTO opportunity (id, campaign_id, customer_id, status_id, owner_id, state, version)"
                " VALUES ($1, $2, $3, $4, $5, $6, 1)",
                *one.values(),
            )


async def _orders(team: Team, known: Known, rng: random.Random) -> None:
    """Orders and returns of two products in three groups, purchased or not; lifetime values follow from them."""
    told: list[DocumentChanged] = []
    for customer in rng.sample(known.customers, CUSTOMERS // 2):
        for _ in range(rng.randrange(4)):
            amount = rng.choice((1_000, 2_000, 5_000))
            codes = rng.sample(["XM-1", "XM-2", "GACH-1", "SON-1"], rng.randrange(1, 3))
            pieces = [Decimal(rng.randrange(1, 4)) for _ in codes]
            order = document(
                customer.id,
                amount=amount,
                status=rng.choice(("draft", "confirmed", "completed", "completed", "cancelled")),
                order_type=rng.choice(("sales", "sales", "purchase")),
                ordered_at=NOW - timedelta(days=rng.randrange(60), hours=rng.randrange(24)),
                return_of=rng.choice((None, None, None, new_id())),
                lines=tuple(document_line(code, quantity=number) for code, number in zip(codes, pieces, strict=True)),
            )
            told.append(order)
    known.orders = [order.state for order in told]
    await team.harness.deliver(*told)
    for order in known.orders:
        if order.status in ("confirmed", "completed") and order.order_type == "sales":
            numbers = known.numbers[order.customer_id]
            numbers["total_revenue"] += order.total.amount * (-1 if order.return_of else 1)
            numbers["order_count"] += 0 if order.return_of else 1
