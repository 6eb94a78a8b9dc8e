"""What the mechanisms of a service keep of an erased customer, and how it goes (C8).

Events that were not sent yet, those that rest after sending, and answers to idempotent requests may
hold a person's data. Called in the transaction that erases; each service forgets its own tables itself.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import msgspec

from shared.contracts.catalogue import TOPICS
from shared.database import Session, run

_STATE_TOPICS = [topic.name for topic in TOPICS if topic.holds_state]
_FACT_TOPICS = [topic.name for topic in TOPICS if not topic.holds_state]

_DROP_STATES = "DELETE FROM outbox WHERE topic = ANY($1::text[]) AND aggregateid = ANY($2::text[])"
_FIND_FACTS = """
SELECT id, payload FROM {table}
WHERE topic = ANY($1::text[]) AND payload IS NOT NULL AND EXISTS (
    SELECT FROM unnest($2::text[]) AS gone(id) WHERE position(convert_to(gone.id, 'UTF8') IN payload) > 0)
ORDER BY id FOR UPDATE
"""
_REWRITE = """
UPDATE {table} AS stored SET payload = news.payload
FROM unnest($1::bigint[], $2::bytea[]) AS news(id, payload) WHERE stored.id = news.id
"""
_DROP_ANSWERS = """
DELETE FROM idempotency WHERE EXISTS (
    SELECT FROM unnest($1::text[]) AS gone(id)
    WHERE position(gone.id IN answer::text) > 0 OR position(gone.id IN path) > 0)
"""

KEPT_OF_A_ROW = frozenset(
    {"row", "action", "customer_id", "outcome", "version", "errors", "reason", "created_options", "kept_fields"}
)
"""What may stay of an import's row: which one it was, and what became of it."""


async def forget_mechanisms(session: Session, customer_ids: Collection[UUID]) -> None:
    """Empty outbox, sent events and kept answers of what they say of these customers."""
    ids = [str(customer_id) for customer_id in customer_ids]
    await run(session, _DROP_STATES, _STATE_TOPICS, ids)  # what follows tells that they are erased
    for table in ("outbox", "outbox_sent"):
        found = (await run(session, _FIND_FACTS.format(table=table), _FACT_TOPICS, ids)).all()
        rewritten = [(row.id, without_values(row.payload, set(ids))) for row in found]
        if rewritten:
            await run(session, _REWRITE.format(table=table), *map(list, zip(*rewritten, strict=True)))
    await run(session, _DROP_ANSWERS, ids)


def without_values(payload: bytes, customer_ids: Collection[str]) -> bytes:
    """A fact without what it says of these customers; the rows of an import keep their place."""
    event: dict[str, Any] = msgspec.json.decode(payload)
    rows = event.get("rows")
    if isinstance(rows, list):
        event["rows"] = [_blank(row) if _is_of(row, customer_ids) else row for row in rows]
    return msgspec.json.encode(event)


def _is_of(row: Any, customer_ids: Collection[str]) -> bool:
    return isinstance(row, dict) and row.get("customer_id") in customer_ids


def _blank(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value if name in KEPT_OF_A_ROW else _emptied(value) for name, value in row.items()}


def _emptied(value: Any) -> Any:
    return type(value)() if isinstance(value, dict | list) else None
