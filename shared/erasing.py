"""What the mechanisms of a service keep of an erased customer, and how it goes (C8).

Events that were not sent yet, those that rest after sending, and answers to idempotent requests may
hold a person's data. Called in the transaction that erases; each service forgets its own tables itself.
What people wrote without an id (a question about a name, a number) is found by `Person`.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec

from shared.contracts.catalogue import TOPICS
from shared.database import Session, run
from shared.folding import fold
from shared.phones import national

_NO_DIGIT = re.compile(r"[^0-9]")
_BETWEEN = re.compile(r"[\s,;:!?()\[\]{}\"'/|]+")
"""What stands between words."""

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

_READ_ANSWERS = """
SELECT actor, path, key, answer ->> 'body' AS body FROM idempotency
WHERE split_part(path, '?', 1) LIKE ANY($1::text[]) AND (actor, path, key) > ($2, $3, $4)
ORDER BY actor, path, key LIMIT $5
"""
_DROP_NAMED = """
DELETE FROM idempotency USING unnest($1::text[], $2::text[], $3::text[]) AS named(actor, path, key)
WHERE (idempotency.actor, idempotency.path, idempotency.key) = (named.actor, named.path, named.key)
"""

BATCH = 500
"""Kept answers that are looked through at a time."""
MIN_TELLING = 6
"""Letters or digits from which on a value names its person also among other words."""

KEPT_OF_A_ROW = frozenset(
    {"row", "action", "customer_id", "outcome", "version", "errors", "reason", "created_options", "kept_fields"}
)
"""What may stay of an import's row: which one it was, and what became of it."""


class Person:
    """Somebody who is erased, as others may have written of them: texts without tones, numbers in any form.

    `texts` are names, e-mail addresses, codes; `phones` are E.164; former ones belong to both.
    """

    def __init__(self, texts: Iterable[str], phones: Iterable[str]) -> None:
        self._texts = {_words(text) for text in texts} - {""}
        self._numbers = {_digits(national(phone)).removeprefix("0") for phone in phones} - {""}

    def is_named_in(self, value: Any) -> bool:
        """Whether a text within a value as JSON has it, however deep, names this person."""
        return any(map(self._is_named_by, _texts(value)))

    def _is_named_by(self, text: str) -> bool:
        digits, said = _digits(text), _words(text)
        return any(_names(f" {said} ", f" {one} ") for one in self._texts) or any(
            _names(digits, one) for one in self._numbers
        )


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


async def forget_answers_naming(session: Session, person: Person, paths: Sequence[str]) -> None:
    """Drop kept answers that name a person in words; `paths` (patterns of LIKE) repeat what they were asked."""
    last = ("", "", "")
    while True:
        found = (await run(session, _READ_ANSWERS, list(paths), *last, BATCH)).all()
        named = [row for row in found if person.is_named_in(msgspec.json.decode(row.body))]
        if named:
            await run(session, _DROP_NAMED, *([row[part] for row in named] for part in range(3)))
        if len(found) < BATCH:
            return
        last = (found[-1].actor, found[-1].path, found[-1].key)


def without_values(payload: bytes, customer_ids: Collection[str]) -> bytes:
    """A fact without what it says of these customers; the rows of an import keep their place."""
    event: dict[str, Any] = msgspec.json.decode(payload)
    rows = event.get("rows")
    if isinstance(rows, list):
        event["rows"] = [_blank(row) if _is_of(row, customer_ids) else row for row in rows]
    return msgspec.json.encode(event)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _words(text: str) -> str:
    return _BETWEEN.sub(" ", fold(text)).strip()


def _digits(text: str) -> str:
    return _NO_DIGIT.sub("", text)


def _names(said: str, one: str) -> bool:
    """Whether what was said is somebody's value. A short one stands in the middle of many others."""
    return said == one or (len(one.strip()) >= MIN_TELLING and one in said)


def _is_of(row: Any, customer_ids: Collection[str]) -> bool:
    return isinstance(row, dict) and row.get("customer_id") in customer_ids


def _blank(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value if name in KEPT_OF_A_ROW else _emptied(value) for name, value in row.items()}


def _emptied(value: Any) -> Any:
    return type(value)() if isinstance(value, dict | list) else None
