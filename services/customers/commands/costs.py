"""Writes to what sources cost (G3): each under its row's lock, each kept in the audit trail (A5)."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select

from services.customers.commands.publishing import item_entry, write_entries
from services.customers.domain.costs import SourceCost
from shared.database import Session, clock, run
from shared.envelope import new_id
from shared.errors import NotFound, VersionConflict
from shared.identity import SETTINGS, Actor


async def add_cost(session: Session, actor: Actor, source_id: UUID, values: dict[str, Any]) -> SourceCost:
    """Plan or book money for a source, also a disabled one. Raises Forbidden, NotFound, Invalid."""
    actor.require(SETTINGS)
    await _require_source(session, source_id)
    cost = SourceCost.create(new_id(), source_id, values, await clock(session))
    session.add(cost)
    await _keep(session, cost, {name: {"old": None, "new": value} for name, value in values.items()})
    return cost


async def update_cost(
    session: Session,
    actor: Actor,
    source_id: UUID,
    cost_id: UUID,
    values: dict[str, Any],
    expected_version: int | None = None,
) -> SourceCost:
    """Correct an entry. Raises Forbidden, NotFound, VersionConflict, Invalid."""
    actor.require(SETTINGS)
    cost = await _lock(session, source_id, cost_id)
    changes = cost.change(values, expected_version)
    if changes:
        await _keep(session, cost, changes)
    return cost


async def remove_cost(
    session: Session, actor: Actor, source_id: UUID, cost_id: UUID, expected_version: int | None = None
) -> None:
    """Take an entry back. Raises Forbidden, NotFound, VersionConflict."""
    actor.require(SETTINGS)
    cost = await _lock(session, source_id, cost_id)
    if expected_version is not None and expected_version != cost.version:
        raise VersionConflict
    await session.delete(cost)
    await _keep(session, cost, {"amount": {"old": cost.amount, "new": None}})


async def _require_source(session: Session, source_id: UUID) -> None:
    found = await run(session, "SELECT 1 FROM classification_item WHERE id = $1 AND kind = 'source'", source_id)
    if found.first() is None:
        raise NotFound


async def _lock(session: Session, source_id: UUID, cost_id: UUID) -> SourceCost:
    found = await session.execute(
        select(SourceCost).where(SourceCost.id == cost_id, SourceCost.source_id == source_id).with_for_update()
    )
    cost = found.scalar_one_or_none()
    if cost is None:
        raise NotFound
    return cost


async def _keep(session: Session, cost: SourceCost, changes: dict[str, Any]) -> None:
    await session.flush()
    kept = msgspec.json.encode({f"cost/{cost.id}": changes}).decode()
    await write_entries(session, [item_entry(session, cost.source_id, kept)])
