"""Pages of a ledger as JSON, and the cursors between them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from services.interactions.queries.ledger import LedgerPage
from shared.cursors import Cursors


def read_position(
    cursors: Cursors, list_name: str, customer_id: UUID, cursor: str | None
) -> tuple[datetime, UUID] | None:
    """Behind which row a page begins; None for the first. Raises Invalid `bad_cursor`."""
    position = cursors.read([list_name, str(customer_id)], cursor)
    return None if position is None else (datetime.fromisoformat(position[0]), UUID(position[1]))


def page_json(cursors: Cursors, list_name: str, customer_id: UUID, page: LedgerPage, more: Mapping[str, Any]) -> str:
    """The page around rows that are JSON already; `more` stands beside them."""
    following = None
    if page.next_position is not None:
        at, row_id = page.next_position
        following = cursors.make([list_name, str(customer_id)], [at.isoformat(), str(row_id)])
    head = msgspec.json.encode({**more, "next_cursor": following}).decode()
    return f'{head[:-1]},"items":[{",".join(page.items)}]}}'
