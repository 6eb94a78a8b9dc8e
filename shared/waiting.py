"""`Wait-For`: read your own writes at another service, by waiting until its copy has them.

Behind, unknown and invisible end in the same 404 after the same wait, so that waiting tells nothing.
"""

import asyncio
import re
from collections import Counter
from uuid import UUID

from shared.access import visible_sql
from shared.database import Database, run
from shared.errors import Invalid, RateLimited
from shared.identity import Actor

MAX_CUSTOMERS = 50
POLL_SECONDS = 0.04

_PAIR = re.compile(r"([0-9a-fA-F-]{36}):(\d{1,18})")


class Waiting:
    """Waits of one process: each at most `seconds`, at most `most` at once for one actor."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds, self._most = seconds, most
        self._waiting: Counter[str] = Counter()

    async def until_seen(self, database: Database, actor: Actor, header: str) -> bool:
        """Whether the copies reached the versions in `header` and the actor sees these customers in time.

        Raises Invalid for a malformed header, RateLimited for too many waits.
        """
        wanted = _parse(header)
        if self._waiting[actor.id] >= self._most:
            raise RateLimited
        self._waiting[actor.id] += 1
        try:
            deadline = asyncio.get_running_loop().time() + self._seconds
            while not (seen := await self._seen(database, actor, wanted)):
                if asyncio.get_running_loop().time() >= deadline:
                    break
                await asyncio.sleep(POLL_SECONDS)
            return seen
        finally:
            self._waiting[actor.id] -= 1
            if not self._waiting[actor.id]:
                del self._waiting[actor.id]

    async def _seen(self, database: Database, actor: Actor, wanted: dict[UUID, int]) -> bool:
        condition, parameters = visible_sql(actor, "customer", 3)
        async with database.reading() as session:
            found = await run(
                session,
                "SELECT count(*) FROM unnest($1::uuid[], $2::bigint[]) AS wanted(id, version)"
                " JOIN customer ON customer.id = wanted.id AND customer.version >= wanted.version"
                f" WHERE customer.state = 'active' AND {condition}",
                list(wanted),
                list(wanted.values()),
                *parameters,
            )
            return found.scalar_one() == len(wanted)


def _parse(header: str) -> dict[UUID, int]:
    wanted: dict[UUID, int] = {}
    parts = header.split(",", MAX_CUSTOMERS)
    for part in parts:
        match = _PAIR.fullmatch(part.strip())
        if match is None or len(parts) > MAX_CUSTOMERS:
            raise Invalid.at("header:Wait-For", detail=f"`<customer id>:<version>`, at most {MAX_CUSTOMERS}")
        try:
            wanted[UUID(match.group(1))] = int(match.group(2))
        except ValueError:
            raise Invalid.at("header:Wait-For", detail="not an id") from None
    return wanted
