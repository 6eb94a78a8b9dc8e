"""Writes to groups, sectors and sources (G1, G2), each under its kind's lock.

Two moves at once could close a cycle that neither sees, two names or codes could be given twice: who
changes a kind holds its lock until the commit and looks at all of it. Writes are rare, so this is cheap.
Choosing a value needs no lock: chosen just before it was disabled is what a customer keeps anyway.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from services.customers.commands.customers import by_hand
from services.customers.commands.publishing import publish
from services.customers.domain.classification import ClassificationItem, ItemKind
from services.customers.domain.errors import InUse, NotRestorable
from services.customers.domain.trees import Node, Tree
from shared.contracts.events import Cause
from shared.database import Session, advisory_lock, run
from shared.envelope import new_id
from shared.errors import NotFound
from shared.folding import fold
from shared.identity import SETTINGS, Actor


async def create_item(
    session: Session, actor: Actor, kind: ItemKind, name: str, code: str | None = None, parent_id: UUID | None = None
) -> ClassificationItem:
    """Add an item (G1). Raises Forbidden, Invalid for the parent, CodeTaken, NameTaken, ParentDisabled."""
    actor.require(SETTINGS)
    tree = await lock_tree(session, kind)
    item, event = add_item(session, tree, kind, name, by_hand(session), code, parent_id)
    await session.flush()
    await publish(session, [event])
    return item


def add_item(
    session: Session,
    tree: Tree,
    kind: ItemKind,
    name: str,
    cause: Cause,
    code: str | None = None,
    parent_id: UUID | None = None,
) -> tuple[ClassificationItem, Any]:
    """Add an item to a locked tree; answers it with its event, which is the caller's to tell.

    A missing code is made from the name (G1). Raises what `create_item` does, but Forbidden.
    """
    tree.require_room()
    tree.require_parent(parent_id)
    if code is not None:
        tree.require_code(code)
    tree.require_place(parent_id, fold(name))
    item = ClassificationItem.create(
        new_id(), kind, code or tree.new_code(name, otherwise=kind.upper()), name, parent_id
    )
    event = item.tell_created(cause)
    session.add(item)
    tree.put(item.node)
    return item, event


async def update_item(
    session: Session,
    actor: Actor,
    kind: ItemKind,
    item_id: UUID,
    values: dict[str, Any],
    expected_version: int | None = None,
) -> ClassificationItem:
    """Rename or move an item (G1). Raises TreeCycle, ParentDisabled, NameTaken beside the usual."""
    actor.require(SETTINGS)
    tree = await lock_tree(session, kind)
    item = await _lock_item(session, kind, item_id)
    events = edit_item(tree, item, values, by_hand(session), expected_version)
    await session.flush()
    await publish(session, events)
    return item


def edit_item(
    tree: Tree, item: ClassificationItem, values: dict[str, Any], cause: Cause, expected_version: int | None = None
) -> list[Any]:
    """Rename or move an item of a locked tree; answers its events, which are the caller's to tell.

    `state` among the values enables it again at its place. Raises Invalid for the parent, VersionConflict,
    TreeCycle, ParentDisabled, NameTaken.
    """
    parent_id, name = values.get("parent_id", item.parent_id), values.get("name", item.name)
    moves = parent_id != item.parent_id
    if moves:
        tree.require_parent(parent_id, item.id)
    item.require_version(expected_version)
    live = values.get("state", item.state) == "active"
    if moves or live:  # a disabled item may stay under a disabled parent
        tree.require_place(parent_id, fold(name) if live else None, item.id)
    events = item.edit(values, cause)
    tree.put(item.node)
    return events


async def disable_item(
    session: Session,
    actor: Actor,
    kind: ItemKind,
    item_id: UUID,
    cascade: bool = False,
    expected_version: int | None = None,
) -> None:
    """Disable an item, with `cascade` all live ones below it (G2); doing it twice is no error. Raises InUse."""
    actor.require(SETTINGS)
    tree = await lock_tree(session, kind)
    item = await _lock_item(session, kind, item_id)
    item.require_version(expected_version)
    if tree.live_children(item_id) and not cascade:
        raise InUse
    affected = await lock_items(session, [node for node in tree.below(item_id) if node.live])
    cause = by_hand(session)
    await publish(session, [event for one in affected for event in one.disable(cause)])


async def restore_item(
    session: Session,
    actor: Actor,
    kind: ItemKind,
    item_id: UUID,
    with_parents: bool = False,
    expected_version: int | None = None,
) -> ClassificationItem:
    """Enable an item again, with `with_parents` the disabled ones above it too (G2).

    Raises NotRestorable for an enabled one, ParentDisabled, NameTaken.
    """
    actor.require(SETTINGS)
    tree = await lock_tree(session, kind)
    item = await _lock_item(session, kind, item_id)
    item.require_version(expected_version)
    if item.live:
        raise NotRestorable
    path = list(tree.above(item_id))
    wanted = [node for node in reversed(path if with_parents else path[:1]) if not node.live]
    cause = by_hand(session)
    events: list[Any] = []
    for one in await lock_items(session, wanted):
        tree.require_place(one.parent_id, one.name_folded, one.id)
        events += one.restore(cause)
        tree.put(one.node)
    await session.flush()
    await publish(session, events)
    return item


async def lock_tree(session: Session, kind: ItemKind) -> Tree:
    """All items of a kind, which nobody else can change until the transaction ends."""
    await advisory_lock(session, f"classification {kind}")
    found = await run(
        session,
        "SELECT id, parent_id, code, name_folded, state = 'active' FROM classification_item WHERE kind = $1",
        kind,
    )
    return Tree(Node(*row) for row in found)


async def _lock_item(session: Session, kind: ItemKind, item_id: UUID) -> ClassificationItem:
    found = await session.execute(
        select(ClassificationItem)
        .where(ClassificationItem.id == item_id, ClassificationItem.kind == kind)
        .with_for_update()
    )
    item = found.scalar_one_or_none()
    if item is None:
        raise NotFound
    return item


async def lock_items(session: Session, nodes: list[Node]) -> list[ClassificationItem]:
    """The rows of nodes, in the order of the nodes."""
    found = await session.execute(
        select(ClassificationItem)
        .where(ClassificationItem.id.in_([node.id for node in nodes]))
        .order_by(ClassificationItem.id)
        .with_for_update()
    )
    by_id = {item.id: item for item in found.scalars()}
    return [by_id[node.id] for node in nodes]
