"""Groups, sectors, sources and relationships with how many of the customers one sees have each (G1–G4, A2).

A parent in a tree counts its whole subtree, as a filter by it finds; a customer with two values of one
subtree counts once. Customers are first counted by the set of values they have: there are few sets.
"""

from typing import Any, Literal
from uuid import UUID

import msgspec

from services.customers.domain.classification import ItemKind
from services.customers.domain.relationships import NEVER_DISABLED
from services.customers.queries.pages import ListPage, part_of_name
from services.customers.queries.sight import seen_customers
from shared.database import Session, run
from shared.errors import NotFound
from shared.identity import SETTINGS, Actor

State = Literal["active", "disabled"]

_COLUMNS = {"group": "c.group_ids", "sector": "c.sector_ids", "source": "c.source_ids"}

_TREE_RECORD = """
json_build_object('id', page.id, 'code', page.code, 'name', page.name, 'parent_id', page.parent_id,
    'state', page.state, 'customer_count', coalesce(counted.customers, 0),
    'direct_customer_count', coalesce(counted.direct, 0), 'version', page.version)
"""
_SOURCE_RECORD = """
json_build_object('id', page.id, 'code', page.code, 'name', page.name, 'state', page.state,
    'customer_count', coalesce(counted.customers, 0),
    'primary_customer_count', coalesce(counted.chief, 0), 'version', page.version)
"""
_RELATIONSHIP_RECORD = """
json_build_object('id', page.id, 'key', page.key, 'name', CASE $1 WHEN 'en' THEN page.name_en ELSE page.name_vi END,
    'names', json_build_object('vi', page.name_vi, 'en', page.name_en), 'color', page.color,
    'position', page.position, 'forget_after_days', page.forget_after_days, 'state', page.state,
    'customer_count', coalesce(counted.customers, 0), 'version', page.version)
"""

_ITEMS = """
WITH RECURSIVE page AS MATERIALIZED (
    SELECT *, row_number() OVER (ORDER BY name_folded, id) AS place FROM classification_item
    WHERE kind = $1 AND {where} ORDER BY name_folded, id LIMIT $2 + 1
),
below (root, id) AS (
    SELECT id, id FROM page
    UNION ALL SELECT below.root, item.id FROM below JOIN classification_item item ON item.parent_id = below.id
),
sets AS (SELECT {items} AS items, {chief} AS chief, count(*) AS customers {seen} AND {items} <> '{{}}' GROUP BY 1, 2),
hits AS (
    SELECT below.root, sets.customers, bool_or(below.id = below.root) AS direct, below.root = sets.chief AS chief
    FROM sets CROSS JOIN unnest(sets.items) AS item JOIN below ON below.id = item
    GROUP BY below.root, sets.items, sets.chief, sets.customers
),
counted AS (
    SELECT root, sum(customers)::bigint AS customers, sum(customers) FILTER (WHERE direct)::bigint AS direct,
           sum(customers) FILTER (WHERE chief)::bigint AS chief
    FROM hits GROUP BY root
)
SELECT coalesce(json_agg({record} ORDER BY place) FILTER (WHERE place <= $2), '[]')::text AS items,
       max(place) AS places, max(name_folded) FILTER (WHERE place = $2) AS key,
       max(page.id::text) FILTER (WHERE place = $2) AS last_id
FROM page LEFT JOIN counted ON counted.root = page.id
"""

_RELATIONSHIPS = """
WITH page AS MATERIALIZED (
    SELECT *, row_number() OVER (ORDER BY position, id) AS place FROM relationship
    WHERE {where} ORDER BY position, id LIMIT $2 + 1
),
counted AS (SELECT c.relationship_id AS root, count(*) AS customers {seen} GROUP BY 1)
SELECT coalesce(json_agg({record} ORDER BY place) FILTER (WHERE place <= $2), '[]')::text AS items,
       max(place) AS places, max(position) FILTER (WHERE place = $2) AS key,
       max(page.id::text) FILTER (WHERE place = $2) AS last_id
FROM page LEFT JOIN counted ON counted.root = page.id
"""

_LISTED = (
    "state = $3 AND ($4::text IS NULL OR name_folded LIKE '%' || $4 || '%' OR lower(code) LIKE $4 || '%')"
    " AND ($5::text IS NULL OR (name_folded, id) > ($5, $6::uuid))"
)
_PLACED = "state = $3 AND ($4::int IS NULL OR (position, id) > ($4, $5::uuid))"


async def list_items(
    session: Session,
    actor: Actor,
    kind: ItemKind,
    state: State,
    text: str | None,
    limit: int,
    after: list[Any] | None,
    total: bool,
) -> ListPage:
    """A page of one kind by name; `text` is part of a name or the beginning of a code."""
    sought = part_of_name(text)
    key, last_id = after or [None, None]
    values = [kind, limit, state, sought, key, UUID(last_id) if last_id else None]
    statement, parameters = _items_statement(actor, kind, _LISTED, values)
    row = (await run(session, statement, *parameters)).one()
    count = None
    if total:
        where = _LISTED.replace("$3", "$2").replace("$4", "$3").partition(" AND ($5")[0]
        found = await run(
            session, f"SELECT count(*) FROM classification_item WHERE kind = $1 AND {where}", kind, state, sought
        )
        count = found.scalar_one()
    return ListPage(row["items"], [row.key, row.last_id] if (row.places or 0) > limit else None, count)


async def read_item(session: Session, actor: Actor, kind: ItemKind, item_id: UUID) -> dict[str, Any]:
    """One item with what the actor may do to it. Raises NotFound."""
    statement, parameters = _items_statement(actor, kind, "id = $3", [kind, 1, item_id])
    row = (await run(session, statement, *parameters)).one()
    return _only(row["items"], actor)


async def list_relationships(
    session: Session,
    actor: Actor,
    state: State,
    language: str,
    limit: int,
    after: list[Any] | None = None,
    total: bool = False,
) -> ListPage:
    """A page of relationships in their order (G4), called as in `language`."""
    position, last_id = after or [None, None]
    values = [language, limit, state, position, UUID(last_id) if last_id else None]
    row = (await _relationships(session, actor, _PLACED, values)).one()
    count = None
    if total:
        count = (await run(session, "SELECT count(*) FROM relationship WHERE state = $1", state)).scalar_one()
    return ListPage(row["items"], [row.key, row.last_id] if (row.places or 0) > limit else None, count)


async def read_relationship(session: Session, actor: Actor, relationship_id: UUID, language: str) -> dict[str, Any]:
    """One relationship with what the actor may do to it. Raises NotFound."""
    row = (await _relationships(session, actor, "id = $3", [language, 1, relationship_id])).one()
    return _only(row["items"], actor)


def _items_statement(actor: Actor, kind: ItemKind, where: str, values: list[Any]) -> tuple[str, list[Any]]:
    seen, parameters = seen_customers(actor, len(values) + 1)
    statement = _ITEMS.format(
        where=where,
        items=_COLUMNS[kind],
        chief="c.primary_source_id" if kind == "source" else "NULL::uuid",
        seen=seen,
        record=_SOURCE_RECORD if kind == "source" else _TREE_RECORD,
    )
    return statement, [*values, *parameters]


async def _relationships(session: Session, actor: Actor, where: str, values: list[Any]) -> Any:
    seen, parameters = seen_customers(actor, len(values) + 1)
    statement = _RELATIONSHIPS.format(where=where, seen=seen, record=_RELATIONSHIP_RECORD)
    return await run(session, statement, *values, *parameters)


def _only(items: str, actor: Actor) -> dict[str, Any]:
    found = msgspec.json.decode(items)
    if not found:
        raise NotFound
    record: dict[str, Any] = found[0]
    record["allowed"] = _allowed(record) if actor.may(SETTINGS) else []
    return record


def _allowed(record: dict[str, Any]) -> list[str]:
    """What a holder of `crm:settings` may do to a value, in the words of the API (R1)."""
    if record["state"] == "disabled":
        return ["change", "restore"]
    return ["change"] if record.get("key") in NEVER_DISABLED else ["change", "delete"]
