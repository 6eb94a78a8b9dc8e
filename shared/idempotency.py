"""`Idempotency-Key` on a POST that writes: a repeated request gets the first answer and does nothing.

The answer is stored in the transaction of the write, under an advisory lock of actor, path and key:
either both are there or neither. Only successes are kept, for 24 hours.
"""

import hashlib
from dataclasses import dataclass

import msgspec

from shared.database import Session, run, run_counting, try_advisory_lock
from shared.errors import Conflict, Invalid

MAX_KEY_LENGTH = 128
KEPT_HEADERS = ("location", "etag", "customer-version", "content-type")


@dataclass(frozen=True)
class Answer:
    """A stored answer: status, the headers worth keeping, and the body as text."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Attempt:
    """One request with a key: who asks, for which path, and the digest of what they sent."""

    actor: str
    path: str
    key: str
    body_hash: bytes


def digest(*parts: bytes) -> bytes:
    """The digest of a body, or of the parts of a multipart body."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.digest()


def require_valid_key(key: str) -> None:
    """Raises Invalid unless the key is 1 to 128 visible characters."""
    if not 0 < len(key) <= MAX_KEY_LENGTH or not all("!" <= letter <= "~" for letter in key):
        raise Invalid.at("header:Idempotency-Key", detail="1 to 128 visible characters")


async def begin(session: Session, attempt: Attempt) -> Answer | None:
    """The first answer of a repeated request, or None for a new one, which then holds the key's lock.

    Raises Invalid `idempotency_key_reused` for another body, Conflict `request_in_progress` while
    the first one runs.
    """
    if not await try_advisory_lock(session, f"{attempt.actor}|{attempt.path}|{attempt.key}"):
        raise Conflict("request_in_progress")
    found = await run(
        session,
        "SELECT body_hash, answer::text AS answer FROM idempotency WHERE actor = $1 AND path = $2 AND key = $3",
        attempt.actor,
        attempt.path,
        attempt.key,
    )
    row = found.one_or_none()
    if row is None:
        return None
    if row.body_hash != attempt.body_hash:
        raise Invalid("idempotency_key_reused")
    return msgspec.json.decode(row.answer, type=Answer)


async def finish(session: Session, attempt: Attempt, answer: Answer) -> None:
    """Keep the answer of a success."""
    await run(
        session,
        "INSERT INTO idempotency (actor, path, key, body_hash, answer) VALUES ($1, $2, $3, $4, $5)",
        attempt.actor,
        attempt.path,
        attempt.key,
        attempt.body_hash,
        msgspec.json.encode(answer).decode(),
    )


async def purge(session: Session, hours: int) -> int:
    """Forget answers older than `hours`. Answers how many went."""
    return await run_counting(
        session, "DELETE FROM idempotency WHERE created_at < clock_timestamp() - make_interval(hours => $1)", hours
    )
