"""Beginning long work over a frozen list of customers, and forgetting it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.customers.domain.long_work import LongWork, WorkKind
from shared import outbox
from shared.contracts.events import ID_CHUNK
from shared.database import Session, clock, run, run_counting
from shared.envelope import new_id
from shared.errors import Invalid
from shared.identity import Actor

CHUNK = ID_CHUNK
"""Customers that one step works on: a transaction each."""

MAX_LISTED = 100_000
"""The most customers an assignment or a selection may name (R1)."""

KEPT_DAYS = 30

_FREEZE = """
INSERT INTO long_work_chunk (work_id, chunk, customer_ids)
SELECT ${work}, (place - 1) / ${chunk}, array_agg(customer_id ORDER BY place)
FROM (SELECT customer_id, row_number() OVER (ORDER BY {order}) AS place
      FROM ({query}) AS named LIMIT ${limit} + 1) AS found
GROUP BY 2
RETURNING cardinality(customer_ids)
"""


async def begin_long_work(session: Session, actor: Actor, kind: WorkKind, request: dict[str, Any]) -> LongWork:
    """Leave work for the worker, on behalf of the actor; its list is frozen next."""
    work = LongWork(
        id=new_id(),
        kind=kind,
        actor=actor.reference().model_dump(mode="json"),
        correlation_id=outbox.origin(session).correlation_id,
        request=request,
        state="running",
        total=0,
        left_out=0,
        done=0,
        failed=0,
        next_chunk=0,
        attempts=0,
        created_at=await clock(session),
    )
    session.add(work)
    await session.flush()
    return work


async def freeze_list(
    session: Session,
    work: LongWork,
    query: str,
    parameters: Sequence[Any],
    limit: int = MAX_LISTED,
    order: str = "customer_id",
) -> None:
    """Fix which customers the work is about: what `query` finds now, a statement that selects `customer_id`.

    Raises Invalid `selection_too_large` beyond `limit`. Nothing of the list passes through this process.
    """
    first = len(parameters) + 1
    statement = _FREEZE.format(query=query, order=order, work=first, chunk=first + 1, limit=first + 2)
    sizes = (await run(session, statement, *parameters, work.id, CHUNK, limit)).scalars()
    work.total = sum(sizes)
    if work.total > limit:
        raise Invalid("selection_too_large")
    await session.flush()


async def chunk_of(session: Session, work: LongWork) -> list[UUID] | None:
    """The customers of the work's next step; None behind the last."""
    found = await run(
        session,
        "SELECT customer_ids FROM long_work_chunk WHERE work_id = $1 AND chunk = $2",
        work.id,
        work.next_chunk,
    )
    return found.scalar_one_or_none()


async def forget_long_work(session: Session) -> int:
    """Forget what has expired or ended long ago, files included. Answers how many went."""
    return await run_counting(
        session,
        "DELETE FROM long_work WHERE expires_at < clock_timestamp()"
        " OR (expires_at IS NULL AND finished_at < clock_timestamp() - make_interval(days => $1))",
        KEPT_DAYS,
    )
