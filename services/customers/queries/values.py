"""Picklists of filters (P4): what a field may be compared with, as far as the asker may know it (A2, R1).

Classification and employees are everybody's to read; campaigns are those the asker may read; products and
texts such as provinces come from the customers that the asker sees, and from nobody else's.
"""

from typing import Any

import msgspec

from services.customers.domain.filter_fields import FIELD_BY_NAME
from services.customers.domain.filter_values import wrong
from services.customers.queries.filter_columns import COLUMNS
from services.customers.queries.filters import Asker, readable_campaigns, visible
from services.customers.queries.parameters import Parameters
from shared.database import Session, run
from shared.folding import fold
from shared.identity import Actor

MAX_VALUES = 100
NEWEST = 5_000
"""So many of the newest customers are asked for their texts: who types on finds older ones by searching."""

_KINDS = {"group_ids": "group", "sector_ids": "sector", "source_ids": "source", "primary_source_id": "source"}
_EMPLOYEES = ("manager_id", "viewer_ids", "opportunity.owner_id")
_RELATIONSHIPS = ("relationship_id", "remembered_relationship_id")
_PRODUCTS = {"purchases.product_codes": "product", "purchases.product_group_codes": "product_group"}
_LIST = "SELECT coalesce(json_agg(item), '[]')::text FROM (SELECT json_build_object({item}) AS item {rest}) listed"


async def list_values(session: Session, actor: Actor, field: str, text: str | None, language: str) -> str:
    """Values of a field whose name holds a text, by name, as JSON text; at most 100. Raises Invalid."""
    wanted = fold(text or "")
    if field in _PRODUCTS:
        return await _products(session, actor, _PRODUCTS[field], wanted)
    if field in ("opportunity.campaign_id", "opportunity.status_ids"):
        return await _campaigns(session, actor, field.endswith("status_ids"), wanted)
    if field in _EMPLOYEES:
        return await _employees(session, wanted)
    known = FIELD_BY_NAME.get(field)
    if known is None or not known.has_picklist:
        raise wrong("?field", "unknown_field", "no field with a picklist")
    if known.choices:
        listed = [{"value": choice, "label": choice} for choice in known.choices if wanted in fold(choice)]
        return msgspec.json.encode(listed).decode()
    if field in _KINDS:
        return await _classification(session, _KINDS[field], wanted)
    if field in _RELATIONSHIPS:
        return await _relationships(session, language, wanted)
    return await _texts(session, actor, COLUMNS[field].sql, wanted)


async def _classification(session: Session, kind: str, wanted: str) -> str:
    """Disabled ones are listed, too: their customers keep them, and they still filter (G2)."""
    return await _listed(
        session,
        "'value', id, 'label', name, 'code', code, 'parent_id', parent_id, 'state', state",
        "FROM classification_item WHERE kind = $1 AND (strpos(name_folded, $2) > 0 OR lower(code) = $2)"
        " ORDER BY name_folded, id",
        kind,
        wanted,
    )


async def _relationships(session: Session, language: str, wanted: str) -> str:
    name = "name_en" if language == "en" else "name_vi"
    return await _listed(
        session,
        f"'value', id, 'label', {name}, 'state', state",
        f"FROM relationship WHERE strpos(folded({name}), $1) > 0 ORDER BY position, id",
        wanted,
    )


async def _employees(session: Session, wanted: str) -> str:
    return await _listed(
        session,
        "'value', id, 'label', name, 'code', code, 'active', active",
        "FROM employee WHERE strpos(name_folded, $1) > 0 OR lower(code) = $1 ORDER BY name_folded, id",
        wanted,
    )


async def _campaigns(session: Session, actor: Actor, statuses: bool, wanted: str) -> str:
    parameters = Parameters()
    matches = f"strpos(folded(k.state->>'name'), {parameters.add(wanted, 'text')}) > 0"
    source = f"FROM campaign k WHERE {readable_campaigns(actor, 'k', parameters)} AND"
    if not statuses:
        rest = f"{source} {matches} ORDER BY folded(k.state->>'name'), k.id"
        return await _listed(session, "'value', k.id, 'label', k.state->>'name'", rest, *parameters)
    item = (
        "'value', status->>'id', 'label', status->>'name', 'kind', status->>'kind', 'campaign_id', k.id,"
        " 'campaign', k.state->>'name'"
    )
    source = source.replace(
        "FROM campaign k", "FROM campaign k CROSS JOIN jsonb_array_elements(k.state->'statuses') status"
    )
    either = f"({matches} OR strpos(folded(status->>'name'), $1::text) > 0)"
    rest = f"{source} {either} ORDER BY folded(k.state->>'name'), k.id, (status->>'position')::int"
    return await _listed(session, item, rest, *parameters)


async def _products(session: Session, actor: Actor, table: str, wanted: str) -> str:
    """Products of orders of customers that the asker sees."""
    parameters = Parameters()
    matches = f"(strpos(p.name_folded, {parameters.add(wanted, 'text')}) > 0 OR starts_with(lower(p.code), $1::text))"
    column = f"{table}_code"
    if actor.sees_everything:
        seen = (
            "EXISTS (SELECT FROM document_line l JOIN customer_search s ON s.customer_id = l.customer_id"
            f" WHERE l.{column} = p.code)"
        )
    else:
        seen = (
            f"p.code IN (SELECT l.{column} FROM customer_search s JOIN document d ON d.customer_id = s.customer_id"
            f" JOIN document_line l ON l.document_id = d.id WHERE {visible(Asker(actor, parameters))})"
        )
    rest = f"FROM {table} p WHERE {matches} AND {seen} ORDER BY p.name_folded, p.code"
    return await _listed(session, "'value', p.code, 'label', p.name", rest, *parameters)


async def _texts(session: Session, actor: Actor, column: str, wanted: str) -> str:
    parameters = Parameters()
    matches = f"strpos(folded(text), {parameters.add(wanted, 'text')}) > 0"
    newest = (
        f"SELECT s.customer_id FROM customer_search s WHERE {visible(Asker(actor, parameters))}"
        f" ORDER BY s.created_at DESC, s.customer_id DESC LIMIT {NEWEST}"
    )
    found = (
        f"SELECT DISTINCT {column} AS text FROM ({newest}) s JOIN customer c ON c.id = s.customer_id"
        f" WHERE {column} <> ''"
    )
    rest = f"FROM ({found}) found WHERE {matches} ORDER BY folded(text), text"
    return await _listed(session, "'value', text, 'label', text", rest, *parameters)


async def _listed(session: Session, item: str, rest: str, *parameters: Any) -> str:
    statement = _LIST.format(item=item, rest=f"{rest} LIMIT {MAX_VALUES}")
    return (await run(session, statement, *parameters)).scalar_one()
