"""Pages as answers: items that PostgreSQL wrote as JSON, with the cursor behind them."""

from typing import Any

import msgspec
from fastapi import Response

from services.customers.queries.pages import ListPage
from shared.http import Wiring, json_text


def page_answer(
    wiring: Wiring,
    query: Any,
    items: str | bytes,
    last: list[Any] | None,
    total: int | None = None,
    uncounted: bool = False,
) -> Response:
    """A list's answer; `query` is what its cursor is bound to. The total of an `uncounted` list is null."""
    cursor = msgspec.json.encode(wiring.cursors.make(query, last)) if last is not None else b"null"
    counted = f',"total":{"null" if uncounted else total}' if uncounted or total is not None else ""
    array = items.encode() if isinstance(items, str) else items
    return json_text(b'{"items":%b,"next_cursor":%b%b}' % (array, cursor, counted.encode()))


def list_answer(wiring: Wiring, query: Any, page: ListPage) -> Response:
    """The answer of a page of a simple list; `query` is what its cursor is bound to."""
    return page_answer(wiring, query, page.items, page.last, page.total)
