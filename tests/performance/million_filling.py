"""Fills the customers service's database with a million customers and as many orders, in a few minutes.

Some thousand customers are made by the service's own rules and multiplied in the database (`million_rows.py`)
by connections at once, without the secondary indexes, which are made anew afterwards. A sample of what was
stored is then compared with what the service's own rules make of the same values.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from deploy.demo.generate import SEED
from deploy.demo.people import customers
from deploy.local.keys import ADMINISTRATOR_CODE, ADMINISTRATOR_ID, ADMINISTRATOR_NAME
from services.customers.domain.creation import Draft
from services.customers.domain.relationships import FIRST_RELATIONSHIPS
from services.customers.domain.search_text import search_text, toned_words
from services.customers.domain.values import NewCustomer
from shared.contracts.classification import relationship_id
from shared.envelope import new_id
from shared.folding import fold, words
from tests.performance.million_rows import BASE, CHUNK, CLEARING, INDEXES, PREPARATION, STORING

BASE_CUSTOMERS = 20_000
CHUNK_CUSTOMERS = 20_000
WRITERS = 2
SAMPLE = 300
SELLERS = 190
"""Of a million customers, of whom one in twenty has nobody, each has five thousand."""
SELLERS_OF_SUPERIOR = 40
ROOTS, BRANCHES, LEAVES = 5, 4, 5
SOURCES, SECTORS = 8, 12
LINE_NUMBER_STEP = 6_180_339
"""As customers of the base step through line numbers, so do their multiples: no phone comes twice."""

_EMPLOYEE = """
INSERT INTO employee (id, code, name, name_folded, superior_id, active, created_at, updated_at, version)
SELECT id, code, name, folded, superior_id, true, clock_timestamp(), clock_timestamp(), 1
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[]) AS news(id, code, name, folded, superior_id)
"""
_ITEM = """
INSERT INTO classification_item (id, kind, code, name, name_folded, parent_id, state, version)
SELECT id, $2, code, name, folded, parent_id, 'active', 1
FROM unnest($1::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[]) AS news(id, code, name, folded, parent_id)
"""
_SAMPLE = """
SELECT c.*, s.words = array_to_tsvector(string_to_array(c.search_text, ' ')) AS found,
       s.class_ids = c.group_ids || c.source_ids || c.sector_ids AND s.manager_id IS NOT DISTINCT FROM c.manager_id
           AND s.relationship_id = c.relationship_id AS listed
FROM customer c JOIN customer_search s ON s.customer_id = c.id ORDER BY hashtextextended(c.id::text, 0) LIMIT $1
"""


@dataclass(frozen=True)
class Company:
    """Whose customers they are and how they are classified. `groups` begin with the roots of their trees."""

    superior_id: UUID
    sellers: Sequence[UUID]
    groups: Sequence[UUID]
    sources: Sequence[UUID]
    sectors: Sequence[UUID]

    @property
    def relationships(self) -> Sequence[UUID]:
        """Of a fresh system, in their order."""
        return [relationship_id(item.key) for item in FIRST_RELATIONSHIPS]


async def found(url: str) -> Company:
    """Hire people and make the trees of an empty database; customers are prepared for multiplication."""
    connection = await asyncpg.connect(url)
    try:
        superior_id, sellers = await _hire(connection)
        groups = await _trees(connection)
        sources = await _items(connection, "source", [(new_id(), None) for _ in range(SOURCES)])
        sectors = await _items(connection, "sector", [(new_id(), None) for _ in range(SECTORS)])
        await connection.execute(PREPARATION)
        await connection.execute(BASE, msgspec.json.encode(_base()).decode())
        await connection.execute("ANALYZE bench_base")
        return Company(superior_id, sellers, groups, sources, sectors)
    finally:
        await connection.close()


async def grow(url: str, company: Company, before: int, until: int, total: int) -> None:
    """Make customers `before` to `until` of `total`, each with what belongs to it; then indexes and statistics."""
    connections = [await asyncpg.connect(url) for _ in range(WRITERS)]
    try:
        indexes = await connections[0].fetch(INDEXES)
        await connections[0].execute("ALTER TABLE customer DISABLE TRIGGER USER")
        for index in indexes:
            await connections[0].execute(f"DROP INDEX {index['name']}")
        waiting = iter(range(before, until, CHUNK_CUSTOMERS))

        async def write(connection: asyncpg.Connection) -> None:
            for first in waiting:
                await _chunk(connection, company, first, min(first + CHUNK_CUSTOMERS, until), total)

        await asyncio.gather(*map(write, connections))
        await connections[0].execute("SELECT setval('customer_number', $1)", until)
        await connections[0].execute("ALTER TABLE customer ENABLE TRIGGER USER")
        remaining = iter(indexes)

        async def build(connection: asyncpg.Connection) -> None:
            await connection.execute("SET maintenance_work_mem = '512MB'")
            for one in remaining:
                await connection.execute(one["definition"])

        await asyncio.gather(*map(build, connections))
        await _check(connections[0])
        if until == total:
            await connections[0].execute(CLEARING)
    finally:
        for connection in connections:
            await connection.close()


async def _chunk(connection: asyncpg.Connection, company: Company, first: int, behind: int, total: int) -> None:
    async with connection.transaction():
        await connection.execute(
            CHUNK,
            *(first, behind, BASE_CUSTOMERS, total, LINE_NUMBER_STEP),
            *(company.relationships, company.sellers, company.groups, company.sources, company.sectors),
        )
        for statement in STORING:
            await connection.execute(statement)


async def _check(connection: asyncpg.Connection) -> None:
    """Raises AssertionError when a stored customer is not what the service would have made of its values."""
    for row in await connection.fetch(_SAMPLE, SAMPLE):
        address = msgspec.json.decode(row["address"]) if row["address"] else None
        draft = Draft(**{**row, "address": address})
        assert set(row["search_text"].split()) == set(search_text(draft).split()), (row, search_text(draft))
        assert row["found"], row
        assert row["listed"], row


async def _hire(connection: asyncpg.Connection) -> tuple[UUID, Sequence[UUID]]:
    """The superior of the first sellers, and all sellers; the administrator is there, too."""
    superior_id, sellers = new_id(), [new_id() for _ in range(SELLERS)]
    names = ["Trưởng phòng", *(f"Nhân viên {n}" for n in range(SELLERS)), ADMINISTRATOR_NAME]
    codes = [*(f"NV{n:04}" for n in range(SELLERS + 1)), ADMINISTRATOR_CODE]
    superiors = [None, *(superior_id if n < SELLERS_OF_SUPERIOR else None for n in range(SELLERS)), None]
    ids = [superior_id, *sellers, UUID(ADMINISTRATOR_ID)]
    await connection.execute(_EMPLOYEE, ids, codes, names, list(map(fold, names)), superiors)
    return superior_id, sellers


async def _trees(connection: asyncpg.Connection) -> Sequence[UUID]:
    """Roots, their branches, and the leaves of each; customers have groups of every depth."""
    roots = [(new_id(), None) for _ in range(ROOTS)]
    branches = [(new_id(), root) for root, _ in roots for _ in range(BRANCHES)]
    leaves = [(new_id(), branch) for branch, _ in branches for _ in range(LEAVES)]
    return await _items(connection, "group", [*roots, *branches, *leaves])


async def _items(
    connection: asyncpg.Connection, kind: str, items: Sequence[tuple[UUID, UUID | None]]
) -> Sequence[UUID]:
    names = [f"{kind} {n}" for n in range(len(items))]
    codes = [f"{kind[:2].upper()}{n:06}" for n in range(len(items))]
    ids, parents = [one for one, _ in items], [parent for _, parent in items]
    await connection.execute(_ITEM, ids, kind, codes, names, names, parents)
    return ids


def _base() -> list[dict[str, Any]]:
    return [_multiplied(values) for values in customers(BASE_CUSTOMERS, SEED)]


def _multiplied(values: dict[str, Any]) -> dict[str, Any]:
    """A customer by the service's rules, in the pieces of which others are put together."""
    given = NewCustomer.model_validate({name: value for name, value in values.items() if value is not None}).given()
    head, _, tail = given["name"].rpartition(" ")
    address = given.get("address") or {}
    company = given.get("company_name") or ""
    email = next(iter(given["emails"]), None)
    kept = " ".join([company, *(str(value) for value in address.values() if value)])
    return {
        "kind": given.get("gender") or given["type"],
        **{name: given.get(name) for name in ("type", "gender", "birth_date", "occupation", "company_name")},
        **{name: given.get(name) for name in ("tax_code", "address", "description")},
        "head": head,
        "head_words": _lexemes(head),
        "tail": tail,
        "tail_words": _lexemes(tail),
        "phone": given["phones"][0],
        "email": email,
        "email_words": " ".join(words(email)) if email else None,
        "kept_words": _lexemes(kept),
    }


def _lexemes(text: str) -> str:
    return " ".join([*words(text), *(f"={word}" for word in toned_words(text))])
