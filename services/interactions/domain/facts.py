"""Facts: one thing that happened to one source object, and the ids by which it is known again.

A fact's row and its own id are derived from what it says, so that the same fact, by whatever way
and however often it comes, is the same. Who may report it is decided in `reports.py`.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from shared import strict_json
from shared.contracts.interactions import LEGAL_FACTS
from shared.errors import Invalid
from shared.ids import Named

OWN_SYSTEM = "rapport"
"""Source system of what happens inside Rapport; an employee's calls are `rapport/<employee id>` (I13)."""

CREATED = "created"
"""Kind and fact of the row that counts a customer's creation (I1)."""

COMMENT = "comment"
"""Kind of the row that counts a comment; its one fact is `posted` (I8)."""

TASK = "task"
"""Kind of the row of a task for one of its customers. Its facts: `created`, `cancelled`, `uncancelled`, `deleted`,
`restored`; of a meeting also `completed` and `reopened`, since no other task is a contact (I4, L1)."""

CARE = "care"
"""Kind of the row of one activity of a care schedule: `created`, perhaps `deleted` (L1, L4)."""

DOCUMENTS = frozenset({"order", "quotation", "contract", "receipt"})
"""Kinds of the rows of documents; their one fact is `created` (L1, L5)."""

PURCHASE_ORDER = "purchase_order"
"""Kind of the row of an order of type purchase: we buy, which is no contact (L1)."""

MAX_DATA_BYTES = 4_096
MAX_AHEAD = timedelta(minutes=5)
"""How far in the future a caller's clock may put a fact."""

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
"""Before that nobody was contacted, and near the year 1 a time in another zone has none in UTC."""

_ROWS = Named(UUID("0f1ab7e2-5c5e-5d0c-9a53-6d1d7a4c9b10"))


class Reported(Protocol):
    """A fact as a connector or an employee reports it."""

    @property
    def customer_id(self) -> UUID: ...
    @property
    def kind(self) -> str: ...
    @property
    def source_id(self) -> str: ...
    @property
    def fact(self) -> str: ...
    @property
    def direction(self) -> str: ...
    @property
    def link(self) -> str | None: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def data(self) -> dict[str, Any] | None: ...


class LedgerFact(NamedTuple):
    """A fact as the ledger takes it; the fields are the columns of its statement, in order.

    `mail_id` is the row of the e-mail that a click belongs to. `data` is JSON.
    """

    customer_id: UUID
    row_id: UUID
    mail_id: UUID | None
    fact_id: UUID
    kind: str
    source_system: str
    source_id: str
    link: str | None
    employee_id: UUID | None
    fact: str
    direction: str | None
    occurred_at: datetime
    data: str | None


def require_legal(reported: Reported, now: datetime) -> None:
    """Raises Invalid for a fact its kind does not know, or that cannot be as it is told."""
    if reported.fact not in LEGAL_FACTS[reported.kind]:
        raise Invalid.at("/fact", detail=f"{reported.kind} knows no fact {reported.fact}")
    if reported.kind == "email_click" and not reported.link:
        raise Invalid.at("/link", detail="a click names its link")
    if reported.fact in ("sent", "failed") and reported.direction == "inbound":
        raise Invalid.at("/direction", detail="what the customer sends us is received")
    if reported.occurred_at.tzinfo is None:
        raise Invalid.at("/occurred_at", detail="a time names its zone")
    if reported.occurred_at < EARLIEST:
        raise Invalid.at("/occurred_at", detail=f"before {EARLIEST.year}")
    if reported.occurred_at > now + MAX_AHEAD:
        raise Invalid.at("/occurred_at", detail="more than 5 minutes in the future")
    if reported.data is not None and len(_json(reported.data)) > MAX_DATA_BYTES:
        raise Invalid.at("/data", detail=f"more than {MAX_DATA_BYTES} bytes")


def ledger_fact(reported: Reported, source_system: str, employee_id: UUID | None = None) -> LedgerFact:
    """A legal fact as the ledger takes it. `received` implies inbound."""
    customer_id, kind, source_id = reported.customer_id, reported.kind, reported.source_id
    is_click = kind == "email_click"
    occurred_at = reported.occurred_at.astimezone(UTC)
    row = _row_id(customer_id, kind, source_system, source_id, (reported.link or "") if is_click else "")
    return LedgerFact(
        customer_id,
        row,
        _row_id(customer_id, "email", source_system, source_id, "") if is_click else None,
        _fact_id(row, reported.fact, reported.link, occurred_at),
        kind,
        source_system,
        source_id,
        reported.link,
        employee_id,
        reported.fact,
        "inbound" if reported.fact == "received" else reported.direction,
        occurred_at,
        None if reported.data is None else _json(reported.data).decode(),
    )


def created_fact(customer_id: UUID, created_at: datetime) -> LedgerFact:
    """That a customer was created: derived from its state, never from having seen an event (I1)."""
    return own_fact(customer_id, CREATED, str(customer_id), CREATED, created_at)


def own_fact(
    customer_id: UUID, kind: str, source_id: str, fact: str, occurred_at: datetime, employee_id: UUID | None = None
) -> LedgerFact:
    """A fact about something of our own, written by its own endpoint and reported by nobody (I13)."""
    at = occurred_at.astimezone(UTC)
    row = _row_id(customer_id, kind, OWN_SYSTEM, source_id, "")
    return LedgerFact(
        customer_id,
        row,
        None,
        _fact_id(row, fact, None, at),
        kind,
        OWN_SYSTEM,
        source_id,
        None,
        employee_id,
        fact,
        None,
        at,
        None,
    )


def _row_id(customer_id: UUID, kind: str, source_system: str, source_id: str, link: str) -> UUID:
    """The row of a source object; NUL parts what cannot hold it, so that no two objects read alike."""
    return _ROWS.id(f"{customer_id}\0{kind}\0{source_system}\0{source_id}\0{link}")


def _fact_id(row_id: UUID, fact: str, link: str | None, occurred_at: datetime) -> UUID:
    """`occurred_at` is in UTC, so that another zone's writing of the same moment is the same fact."""
    return Named(row_id).id(f"{fact}\0{link or ''}\0{occurred_at.isoformat()}")


def _json(data: dict[str, Any]) -> bytes:
    """Opaque data in compact form. Raises Invalid for what a database or another reader could not take."""
    try:
        encoded = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError:
        raise Invalid.at("/data", detail="no JSON: an infinite number, or a text that cannot be stored") from None
    strict_json.decode(encoded)
    return encoded
