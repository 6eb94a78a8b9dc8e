"""Exports: who may ask for one, the file that becomes of it in parts, and its end (M14, K6).

A file is made by one process at a time, which holds a lease and is known by its attempt: whoever
lost the lease, or whose customers were erased meanwhile, can store nothing any more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from services.customers.commands.customers import by_hand
from services.customers.commands.lists import Chosen, freeze_chosen
from services.customers.commands.long_work import begin_long_work
from services.customers.commands.publishing import file_entry, write_entries
from services.customers.domain.filters import EVERYTHING, All, OpportunityTest, named_campaigns
from services.customers.domain.limits import ExportLimits
from services.customers.domain.long_work import LongWork
from services.customers.queries.exports import export_fields
from shared.access import visible_sql
from shared.database import Session, run, run_counting
from shared.errors import Forbidden
from shared.identity import DOWNLOAD, Actor

_CLAIM = """
UPDATE long_work SET attempts = attempts + 1, done = 0, leased_until = clock_timestamp() + make_interval(secs => $1)
WHERE id = (
    SELECT id FROM long_work
    WHERE kind = 'export' AND state = 'running' AND (leased_until IS NULL OR leased_until < clock_timestamp())
    ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id, attempts
"""
_HOLD = """
UPDATE long_work SET leased_until = clock_timestamp() + make_interval(secs => $3), done = coalesce($4, done)
WHERE id = $1 AND attempts = $2 AND state = 'running'
"""
_FINISH = """
UPDATE long_work SET state = 'finished', finished_at = clock_timestamp(), leased_until = NULL,
    done = $3, left_out = left_out + total - $3, total = $3
WHERE id = $1 AND attempts = $2 AND state = 'running'
"""
_FAIL = """
UPDATE long_work SET state = 'failed', error = $3, finished_at = clock_timestamp(), leased_until = NULL
WHERE id = $1 AND attempts = $2 AND state = 'running'
"""
_FORGET = """
WITH concerned AS (
    SELECT id FROM long_work
    WHERE kind = 'export' AND EXISTS (
        SELECT FROM long_work_chunk WHERE work_id = long_work.id AND customer_ids && $1::uuid[])
    ORDER BY id FOR UPDATE
)
UPDATE long_work SET
    attempts = attempts + 1, leased_until = NULL,
    state = CASE state WHEN 'finished' THEN 'failed' ELSE state END,
    error = CASE state WHEN 'finished' THEN 'erased' ELSE error END
WHERE id IN (SELECT id FROM concerned)
RETURNING id
"""
_INSIDE = """
SELECT given.id FROM unnest($2::uuid[]) WITH ORDINALITY AS given(id, place)
WHERE given.id IN (SELECT customer_id FROM opportunity WHERE campaign_id = $1 AND state <> 'removed')
ORDER BY given.place
"""
_UNSEEN = """
SELECT count(*) FROM customer c
WHERE c.id IN (SELECT customer_id FROM opportunity WHERE campaign_id = $1 AND state <> 'removed')
    AND c.state = 'active' AND ({seen}) IS NOT TRUE
"""


class LeaseLost(RuntimeError):
    """Another process makes this file now, or it must be made anew."""


@dataclass(frozen=True)
class Claim:
    """The right to make one file, for a while."""

    export_id: UUID
    attempt: int


async def begin_export(
    session: Session,
    actor: Actor,
    chosen: Chosen,
    columns: Sequence[str] | None,
    file_format: str,
    language: str,
    limits: ExportLimits,
    campaign_id: UUID | None = None,
) -> LongWork:
    """Leave an export to the worker: what is chosen now, as far as the actor sees it then (M14).

    Needs `customers:download`; a filter that names campaigns, to be a relevant person of each, a whole
    campaign, to be one of its managers (K6). Raises Forbidden, Invalid.
    """
    actor.require(DOWNLOAD)
    fields = [field.field for field in export_fields(columns)]
    if chosen.filter is not None:
        await _require_relevant(session, actor, named_campaigns(chosen.filter), ("relevant_ids", "manager_ids"))
    if campaign_id is not None:
        await _require_relevant(session, actor, {campaign_id}, ("manager_ids",))
    request = {"columns": fields, "format": file_format, "language": language}
    work = await begin_long_work(session, actor, "export", request)
    work.expires_at = work.created_at + timedelta(days=limits.export_file_days)
    if campaign_id is None:
        await freeze_chosen(session, actor, work, chosen, limits.export_max_rows)
    else:
        await _freeze_campaign(session, actor, work, campaign_id, chosen, limits.export_max_rows)
    await audit_export(session, actor, "export", work)
    return work


async def audit_export(session: Session, actor: Actor, what: str, work: LongWork) -> None:
    """Leave in the maker's trail what they exported or downloaded."""
    said = {"id": str(work.id), **work.request, "total": work.total, "left_out": work.left_out}
    changes = msgspec.json.encode({what: {"old": None, "new": said}}).decode()
    cause = by_hand(session)
    await write_entries(session, [file_entry(actor, changes, cause)])


async def claim_export(session: Session, lease_seconds: float) -> Claim | None:
    """The oldest export that nobody is at, its earlier parts thrown away; None when there is none."""
    found = (await run(session, _CLAIM, lease_seconds)).one_or_none()
    if found is None:
        return None
    await run(session, "DELETE FROM export_part WHERE export_id = $1", found.id)
    return Claim(found.id, found.attempts)


async def store_part(session: Session, claim: Claim, part: int, content: bytes, lease_seconds: float) -> None:
    """Keep the next part of the file and hold on to the lease. Raises LeaseLost."""
    await hold(session, claim, lease_seconds)
    await run(
        session,
        "INSERT INTO export_part (export_id, part, content) VALUES ($1, $2, $3)",
        claim.export_id,
        part,
        content,
    )


async def hold(session: Session, claim: Claim, lease_seconds: float, rows: int | None = None) -> None:
    """Hold on to the lease, and show how many rows are on their way into the file. Raises LeaseLost."""
    if not await run_counting(session, _HOLD, claim.export_id, claim.attempt, lease_seconds, rows):
        raise LeaseLost


async def finish_export(session: Session, claim: Claim, rows: int) -> None:
    """The file is whole; customers that its maker no longer saw are counted as left out. Raises LeaseLost."""
    if not await run_counting(session, _FINISH, claim.export_id, claim.attempt, rows):
        raise LeaseLost


async def fail_export(session: Session, claim: Claim, code: str) -> None:
    """There will be no file."""
    await run(session, _FAIL, claim.export_id, claim.attempt, code)
    await run(session, "DELETE FROM export_part WHERE export_id = $1", claim.export_id)


async def forget_exported(session: Session, customer_ids: Iterable[UUID]) -> None:
    """Throw away files in which these customers may be; what is being made is made anew (C8)."""
    concerned = (await run(session, _FORGET, list(customer_ids))).scalars()
    await run(session, "DELETE FROM export_part WHERE export_id = ANY($1::uuid[])", concerned)


async def _freeze_campaign(
    session: Session, actor: Actor, work: LongWork, campaign_id: UUID, chosen: Chosen, limit: int
) -> None:
    """Fix a list within a campaign: of ids, those outside it are left out like those unseen.

    Else what a filter finds there, or everybody. Left out are then all of the campaign whom the actor does not
    see: whether a filter would find one of them is not for the actor to know (A2).
    """
    if chosen.customer_ids:
        inside = (await run(session, _INSIDE, campaign_id, list(chosen.customer_ids))).scalars()
        await freeze_chosen(session, actor, work, Chosen(customer_ids=list(inside)), limit)
        work.left_out = len(set(chosen.customer_ids)) - work.total
        return
    within = All((OpportunityTest(campaign_id), chosen.filter or EVERYTHING))
    await freeze_chosen(session, actor, work, Chosen(filter=within), limit)
    seen, parameters = visible_sql(actor, "c", 2)
    work.left_out = (await run(session, _UNSEEN.format(seen=seen), campaign_id, *parameters)).scalar_one()


async def _require_relevant(session: Session, actor: Actor, campaign_ids: set[UUID], people: Sequence[str]) -> None:
    """Raises Forbidden unless every campaign names the actor among these people; unknown ones name nobody."""
    if not campaign_ids:
        return
    found = await run(
        session,
        "SELECT state FROM campaign WHERE id = ANY($1::uuid[]) AND state->>'state' = 'active'",
        list(campaign_ids),
    )
    named: list[dict[str, Any]] = [
        msgspec.json.decode(state) if isinstance(state, str) else state for state in found.scalars()
    ]
    own = str(actor.employee_id)
    if len(named) < len(campaign_ids) or not all(any(own in c.get(p, ()) for p in people) for c in named):
        raise Forbidden
