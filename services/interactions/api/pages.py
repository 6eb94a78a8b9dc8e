"""Pages of lists as JSON, and the cursors between them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from services.interactions.queries.pages import JsonPage, Position
from shared.cursors import Cursors


def read_position(cursors: Cursors, query: list[str], cursor: str | None) -> Position | None:
    """Behind which item a page of this query begins; None for the first. Raises Invalid `bad_cursor`."""
    position = cursors.read(query, cursor)
    return None if position is None else (datetime.fromisoformat(position[0]), UUID(position[1]))


def page_json(cursors: Cursors, query: list[str], page: JsonPage, more: Mapping[str, Any]) -> str:
    """The page around items that are JSON already; `more` stands beside them."""
    following = None
    if page.next_position is not None:
        at, item_id = page.next_position
        following = cursors.make(query, [at.isoformat(), str(item_id)])
    head = msgspec.json.encode({**more, "next_cursor": following}).decode()
    return f'{head[:-1]},"items":[{",".join(page.items)}]}}'
