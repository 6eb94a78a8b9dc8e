"""Creates the options that rows of a file name and nobody has yet, where the uploader may (M6).

A name that exists by now, made by somebody else or by an earlier chunk, is taken as it is.
"""

from collections.abc import Sequence
from typing import Any

from services.customers.commands.classification import add_item, lock_tree
from services.customers.commands.import_chunk import Chunk
from services.customers.domain.classification import ItemKind
from shared.contracts.events import StateEvent
from shared.contracts.imports import ConfirmedRow
from shared.database import Session, run
from shared.errors import RapportError
from shared.folding import fold
from shared.identity import SETTINGS

_KINDS: dict[str, ItemKind] = {"group_ids": "group", "source_ids": "source", "sector_ids": "sector"}

_KNOWN = """
SELECT name_folded, id FROM classification_item
WHERE kind = $1 AND state = 'active' AND name_folded = ANY($2::text[]) ORDER BY id DESC
"""


async def create_options(session: Session, chunk: Chunk, rows: Sequence[ConfirmedRow]) -> list[StateEvent[Any]]:
    """Make `chunk.options` know every new option of these rows that may be had; answers what is to be told."""
    if not chunk.actor.may(SETTINGS):
        return []
    told: list[StateEvent[Any]] = []
    for field, kind in _KINDS.items():  # one order for all chunks: no deadlocks
        named: dict[str, tuple[str, int]] = {}
        for row in rows:
            for option in row.new_options:
                if option.field == field:
                    named.setdefault(fold(option.name), (option.name, row.row))
        if not named:
            continue
        tree = await lock_tree(session, kind)
        found = {row.name_folded: row.id for row in await run(session, _KNOWN, kind, list(named))}
        for folded, (name, row) in named.items():
            if folded not in found:
                try:
                    item, event = add_item(session, tree, kind, name, chunk.cause)
                except RapportError:  # there are as many as a kind may have: the rows are refused
                    continue
                told.append(event)
                found[folded] = item.id
                chunk.created_options[row] = (*chunk.created_options.get(row, ()), item.id)
            chunk.options[field, folded] = found[folded]
    await session.flush()
    return told
