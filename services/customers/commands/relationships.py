"""Writes to relationships (G4, G2): few rows, one lock for all of them.

More days allowed bring back customers who are forgotten by the old ones (G5): what one request can carry
at once, the rest by the worker right behind it.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from services.customers.commands.customers import by_hand
from services.customers.commands.forgetting import return_from
from services.customers.commands.publishing import publish
from services.customers.domain.errors import NameTaken
from services.customers.domain.relationships import Relationship
from shared.contracts.events import Cause
from shared.database import Session, advisory_lock
from shared.envelope import new_id
from shared.errors import Invalid, NotFound
from shared.folding import fold
from shared.identity import SETTINGS, Actor

MAX_RELATIONSHIPS = 200
"""Disabled ones counted: the order of all live ones is one request."""


async def create_relationship(
    session: Session,
    actor: Actor,
    names: dict[str, str],
    color: str,
    forget_after_days: int | None,
    position: int | None = None,
) -> Relationship:
    """Add a relationship, at the end unless a place is given (G4). Raises Forbidden, NameTaken."""
    actor.require(SETTINGS)
    known = await _lock_all(session)
    if len(known) >= MAX_RELATIONSHIPS:
        raise Invalid("too_many_items")
    _require_free_names(known, names)
    cause = by_hand(session)
    added = Relationship.create(new_id(), names, color, forget_after_days)
    events: list[Any] = [added.tell_created(_behind(known), cause)]
    if position is not None:
        events += _move(known, added, position, cause)
    session.add(added)
    await session.flush()
    await publish(session, events)
    return added


async def update_relationship(
    session: Session,
    actor: Actor,
    relationship_id: UUID,
    values: dict[str, Any],
    expected_version: int | None = None,
) -> Relationship:
    """Edit names, colour, place or days (G4). `names` may hold one language. Raises NameTaken, Invalid."""
    actor.require(SETTINGS)
    known = await _lock_all(session)
    found = _find(known, relationship_id)
    found.require_editable(values)
    found.require_version(expected_version)
    values, cause = dict(values), by_hand(session)
    if "names" in values:
        values["names"] = found.names | values["names"]
        if found.live:
            _require_free_names([one for one in known if one is not found], values["names"])
    position = values.pop("position", None)
    days_before = found.forget_after_days
    events = found.edit(values, cause)
    if position is not None and found.live:
        events += _move(known, found, position, cause)
    await session.flush()
    await publish(session, events)
    if _allows_more(found.forget_after_days, days_before):
        await return_from(session, actor, relationship_id)
    return found


async def order_relationships(session: Session, actor: Actor, relationship_ids: Sequence[UUID]) -> None:
    """Put all live relationships into this order (G4). Raises Invalid unless each is named once."""
    actor.require(SETTINGS)
    live = {one.id: one for one in _live(await _lock_all(session))}
    if len(relationship_ids) != len(live) or set(relationship_ids) != set(live):
        raise Invalid.at("/relationship_ids", detail="every enabled relationship once")
    events = _renumber([live[one] for one in relationship_ids], by_hand(session))
    await session.flush()
    await publish(session, events)


async def disable_relationship(
    session: Session, actor: Actor, relationship_id: UUID, expected_version: int | None = None
) -> None:
    """Disable one; customers keep it, and doing it twice is no error. Raises InUse for fixed ones (G4)."""
    actor.require(SETTINGS)
    found = _find(await _lock_all(session), relationship_id)
    found.require_version(expected_version)
    await publish(session, found.disable(by_hand(session)))


async def restore_relationship(
    session: Session, actor: Actor, relationship_id: UUID, expected_version: int | None = None
) -> Relationship:
    """Enable one again, at the end of the order (G2). Raises NotRestorable, NameTaken."""
    actor.require(SETTINGS)
    known = await _lock_all(session)
    found = _find(known, relationship_id)
    found.require_version(expected_version)
    if not found.live:
        _require_free_names(known, found.names)
    events = found.restore(_behind(known), by_hand(session))
    await session.flush()
    await publish(session, events)
    return found


async def _lock_all(session: Session) -> list[Relationship]:
    await advisory_lock(session, "classification relationship")
    found = await session.execute(select(Relationship).order_by(Relationship.id).with_for_update())
    return list(found.scalars())


def _find(known: Sequence[Relationship], relationship_id: UUID) -> Relationship:
    for one in known:
        if one.id == relationship_id:
            return one
    raise NotFound


def _live(known: Sequence[Relationship]) -> list[Relationship]:
    """The enabled ones in their order."""
    return sorted((one for one in known if one.live), key=lambda one: (one.position, one.id))


def _behind(known: Sequence[Relationship]) -> int:
    """The place behind the last live one."""
    return max((one.position for one in known if one.live), default=0) + 1


def _move(known: Sequence[Relationship], moved: Relationship, position: int, cause: Cause) -> list[Any]:
    """Put one at a place, counted from 1, and the others around it."""
    others = [one for one in _live(known) if one is not moved]
    place = min(position, len(others) + 1) - 1
    return _renumber([*others[:place], moved, *others[place:]], cause)


def _renumber(order: Sequence[Relationship], cause: Cause) -> list[Any]:
    return [event for place, one in enumerate(order, 1) for event in one.edit({"position": place}, cause)]


def _require_free_names(others: Sequence[Relationship], names: dict[str, str]) -> None:
    """In either language no two live ones are called the same: files name them so (M6)."""
    vietnamese, english = fold(names["vi"]), fold(names["en"])
    if any(one.live and (one.name_vi_folded == vietnamese or one.name_en_folded == english) for one in others):
        raise NameTaken


def _allows_more(now: int | None, before: int | None) -> bool:
    return before is not None and (now is None or now > before)
