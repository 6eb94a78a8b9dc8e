"""Confirmed rows of a sectors file become sectors (G6), under the lock of their tree.

A row that cannot be written yet may be once others are (a parent in a later row, two sectors that change
places): rows are tried again until none gets any further, and only then refused. What a row may not have is
its own error and spoils no neighbour.
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import ValidationError
from sqlalchemy import select

from services.customers.commands.classification import add_item, edit_item, lock_tree
from services.customers.commands.import_chunk import Chunk, Refused
from services.customers.domain.classification import ClassificationItem
from services.customers.domain.trees import Tree
from shared.contracts.events import StateEvent
from shared.contracts.imports import AppliedRow, ConfirmedRow, RowOutcome
from shared.database import Session
from shared.errors import RapportError
from shared.fields import Code, Name, RequestModel


class SectorValues(RequestModel):
    """What a row says of its sector: fields left out stay; a parent of null is the top level."""

    name: Name = ""
    parent_code: Code | None = None
    state: Literal["active"] = "active"

    def given(self) -> dict[str, Any]:
        """The fields that the row has."""
        return self.model_dump(include=self.model_fields_set)


async def write_sector_rows(session: Session, chunk: Chunk, rows: Sequence[ConfirmedRow]) -> list[StateEvent[Any]]:
    """Create and overwrite sectors; answers what is to be told."""
    tree = await lock_tree(session, "sector")
    known = await _known(session, rows)
    events: list[Any] = []
    pending = list(rows)
    while pending:
        refused: list[tuple[ConfirmedRow, Refused]] = []
        for row in pending:
            try:
                events += _write(session, chunk, tree, known, row)
            except Refused as refusal:
                refused.append((row, refusal))
            except RapportError as error:
                refused.append((row, Refused.by(error)))
        if len(refused) == len(pending):
            _refuse(chunk, refused)
            break
        pending = [row for row, _ in refused]
    return events


def _write(
    session: Session, chunk: Chunk, tree: Tree, known: dict[str, ClassificationItem], row: ConfirmedRow
) -> list[Any]:
    """Write one row. Raises Refused or a rule's error; then nothing of it is written."""
    values = _values(row.values)
    placed = {name: value for name, value in values.items() if name != "parent_code"}
    if "parent_code" in values:
        placed["parent_id"] = _parent_id(tree, values["parent_code"])
    if row.action == "create":
        if "name" not in placed:
            raise Refused("validation_failed", "name")
        item, event = add_item(session, tree, "sector", placed["name"], chunk.cause, row.code, placed.get("parent_id"))
        known[item.code] = item
        _outcome(chunk, row, "created", item)
        return [event]
    item = known.get(row.code or "")
    if item is None:
        raise Refused("not_found", "code")
    current = _stale(tree, item, row, values)
    if current:
        _outcome(chunk, row, "conflict", item, current=current)
        return []
    events = edit_item(tree, item, placed, chunk.cause)
    _outcome(chunk, row, "updated" if events else "unchanged", item)
    return events


def _values(given: dict[str, Any]) -> dict[str, Any]:
    try:
        return SectorValues.model_validate(given).given()
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused("validation_failed", str(first["loc"][0]) if first["loc"] else None) from None


def _parent_id(tree: Tree, code: str | None) -> Any:
    if code is None:
        return None
    parent = tree.by_code(code)
    if parent is None:
        raise Refused("unknown_option", "parent_code")
    return parent.id


def _stale(tree: Tree, item: ClassificationItem, row: ConfirmedRow, values: dict[str, Any]) -> dict[str, Any]:
    """Current values of what differs from the preview and is not the new value yet (M2)."""
    parent = tree.get(item.parent_id) if item.parent_id is not None else None
    now = {"name": item.name, "parent_code": parent.code if parent is not None else None, "state": item.state}
    return {
        name: now[name]
        for name, shown in row.old.items()
        if name in now and now[name] != shown and now[name] != values.get(name)
    }


def _refuse(chunk: Chunk, refused: Sequence[tuple[ConfirmedRow, Refused]]) -> None:
    """Rows that get no further. New ones that wait for each other are a cycle, too."""
    waits_for = {
        row.code: row.values.get("parent_code") for row, refusal in refused if refusal.code == "unknown_option"
    }
    for row, refusal in refused:
        above, steps = waits_for.get(row.code), 0
        while above is not None and above != row.code and steps < len(waits_for):
            above, steps = waits_for.get(above), steps + 1
        circular = row.code is not None and above == row.code
        chunk.refuse(row, Refused("cycle", "parent_code") if circular else refusal)


def _outcome(chunk: Chunk, row: ConfirmedRow, outcome: RowOutcome, item: ClassificationItem, **more: Any) -> None:
    chunk.outcomes[row.row] = AppliedRow(
        row=row.row,
        outcome=outcome,
        customer_id=None,
        code=item.code,
        version=item.version,
        item_id=item.id,
        **more,
    )


async def _known(session: Session, rows: Sequence[ConfirmedRow]) -> dict[str, ClassificationItem]:
    """The sectors that rows name, locked, by code."""
    codes = {row.code for row in rows if row.code is not None}
    found = await session.execute(
        select(ClassificationItem)
        .where(ClassificationItem.kind == "sector", ClassificationItem.code.in_(codes))
        .order_by(ClassificationItem.id)
        .with_for_update()
    )
    return {item.code: item for item in found.scalars()}
