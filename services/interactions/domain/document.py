"""A document about a customer: what it may say, how it changes, and what the ledger is told of it (P1, L1, L5).

Whose it is never changes, nor its kind, nor whether an order sells or buys: its contact was counted at its
creation. Its source tells it anew with a higher version of its own; people correct it within its lifecycle.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.orm import Mapped, mapped_column

from services.interactions.domain.facts import EARLIEST, PURCHASE_ORDER, LedgerFact, own_fact
from services.interactions.domain.mapping import Record
from shared.contracts.documents import (
    DocumentBody,
    DocumentChanged,
    DocumentKind,
    DocumentLine,
    DocumentState,
    DocumentStatus,
    OrderType,
)
from shared.contracts.events import Cause, Money
from shared.envelope import new_id
from shared.errors import Conflict, Invalid
from shared.identity import Actor
from shared.versioned import Versioned

MAX_CODE = 100
MAX_NAME = 300
MAX_EXTERNAL_ID = 200
MAX_EXTERNAL_VERSION = 2**53
MAX_QUANTITY = Decimal(10) ** 9
QUANTITY_PLACES = 6
LATEST_YEAR = 2200

MAX_LINES_BYTES = 350_000
"""A record of `crm.documents` may hold the lines twice, as they are and as they were."""

_FOLLOWING: dict[str, frozenset[str]] = {
    "draft": frozenset({"draft", "confirmed", "completed", "cancelled"}),
    "confirmed": frozenset({"draft", "confirmed", "completed", "cancelled"}),
    "completed": frozenset({"completed", "cancelled"}),
    "cancelled": frozenset({"cancelled"}),
}
"""To which statuses people may bring a document from each; its source may say anything."""


class Document(Versioned, Record):
    """An order, quotation, contract or receipt. A deleted one stays, and comes back when its source tells it anew."""

    __tablename__ = "document"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID]
    kind: Mapped[DocumentKind]
    number: Mapped[str | None]
    status: Mapped[DocumentStatus]
    order_type: Mapped[OrderType | None]
    ordered_at: Mapped[datetime | None]
    stored_lines: Mapped[list[dict[str, Any]]] = mapped_column("lines")
    total_amount: Mapped[int]
    total_currency: Mapped[str]
    return_of: Mapped[UUID | None]
    source_system: Mapped[str]
    external_id: Mapped[str | None]
    external_version: Mapped[int | None]
    state: Mapped[str]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    @classmethod
    def begin(cls, body: DocumentBody, source_system: str, actor: Actor, at: datetime) -> "Document":
        """A new document; `told` tells others of it, `fact` the ledger."""
        document = cls(
            id=new_id(),
            source_system=source_system,
            state="active",
            created_by=f"{actor.kind}/{actor.id}",
            created_at=at,
            updated_at=at,
        )
        for name, value in document._stated(body).items():
            setattr(document, name, value)
        return document

    @property
    def lines(self) -> tuple[DocumentLine, ...]:
        """What was ordered or offered."""
        return tuple(
            DocumentLine.model_validate(line | {"quantity": Decimal(str(line["quantity"]))})
            for line in self.stored_lines
        )

    @lines.setter
    def lines(self, lines: Sequence[DocumentLine]) -> None:
        self.stored_lines = [line.model_dump(mode="json") | {"quantity": _number(line.quantity)} for line in lines]

    @property
    def total(self) -> Money:
        """What it is worth in all, as its author says."""
        return Money(amount=self.total_amount, currency=self.total_currency)

    @total.setter
    def total(self, total: Money) -> None:
        self.total_amount, self.total_currency = total.amount, total.currency

    def told(self, cause: Cause) -> DocumentChanged:
        """Tell that it exists."""
        return self.tell(DocumentChanged, cause)

    def fact(self, employee_id: UUID | None) -> LedgerFact:
        """What the ledger hears of it, once: that it was created (L1, L5)."""
        buys = self.kind == "order" and self.order_type == "purchase"
        kind = PURCHASE_ORDER if buys else self.kind
        return own_fact(self.customer_id, kind, str(self.id), "created", self.created_at, employee_id)

    def take(self, body: DocumentBody, cause: Cause, at: datetime) -> list[DocumentChanged]:
        """What its source says now, if that is newer; an older or equal version changes nothing (P1).

        Raises Invalid for another customer, kind or order type.
        """
        if (body.external_version or 0) <= (self.external_version or 0):
            return []
        values = self._stated(body)
        for name in ("customer_id", "kind", "order_type"):
            if values[name] != getattr(self, name):
                raise Invalid.at(f"/{name}", detail="of a document this never changes")
        return self.change(DocumentChanged, cause, {"updated_at": at}, **values, state="active")

    def revise(self, values: dict[str, Any], cause: Cause, at: datetime) -> list[DocumentChanged]:
        """Correct it by hand. Raises Conflict `wrong_state` for a status that does not follow its own."""
        if values.get("status", self.status) not in _FOLLOWING[self.status]:
            raise Conflict("wrong_state")
        return self.change(DocumentChanged, cause, {"updated_at": at}, **values)

    def delete(self, cause: Cause, at: datetime) -> list[DocumentChanged]:
        """It is shown and summed up no more; that it was a contact stays (L5)."""
        return self.change(DocumentChanged, cause, {"updated_at": at}, state="deleted")

    def public_state(self) -> DocumentState:
        """What others may know of it: all."""
        names = [name for name in DocumentState.model_fields if name not in ("lines", "total")]
        return DocumentState(**{name: getattr(self, name) for name in names}, lines=self.lines, total=self.total)

    def _stated(self, body: DocumentBody) -> dict[str, Any]:
        """A body's values; an order sells and was made when it came, unless it says otherwise."""
        values = {name: getattr(body, name) for name in DocumentBody.model_fields}
        if body.kind == "order":
            values["order_type"] = body.order_type or "sales"
            values["ordered_at"] = body.ordered_at or self.created_at
        return values


def require_legal_document(body: DocumentBody) -> None:
    """Raises Invalid for what no document says, whatever way it comes."""
    if body.total.amount < 0:
        raise Invalid.at("/total/amount", detail="not negative: a return says what it returns")
    if body.ordered_at is not None:
        _require_moment(body.ordered_at)
    _require_text("/number", body.number, MAX_NAME)
    _require_text("/external_id", body.external_id, MAX_EXTERNAL_ID)
    if not 0 <= (body.external_version or 0) <= MAX_EXTERNAL_VERSION:
        raise Invalid.at("/external_version", detail="0 to 2^53")
    for place, line in enumerate(body.lines):
        _require_legal_line(f"/lines/{place}", line, body.total.currency)
    if len(msgspec.json.encode([line.model_dump(mode="json") for line in body.lines])) > MAX_LINES_BYTES:
        raise Invalid.at("/lines", "too_many_items", f"more than {MAX_LINES_BYTES} bytes")


def _require_legal_line(pointer: str, line: DocumentLine, currency: str) -> None:
    _require_text(f"{pointer}/product_code", line.product_code or None, MAX_CODE, required=True)
    _require_text(f"{pointer}/product_name", line.product_name or None, MAX_NAME, required=True)
    _require_text(f"{pointer}/product_group_code", line.product_group_code, MAX_CODE)
    _require_text(f"{pointer}/product_group_name", line.product_group_name, MAX_NAME)
    quantity = line.quantity
    if not quantity.is_finite() or not 0 <= quantity <= MAX_QUANTITY or quantity != round(quantity, QUANTITY_PLACES):
        raise Invalid.at(f"{pointer}/quantity", detail="0 to a thousand million, at most 6 decimal places")
    if {line.unit_price.currency, line.total.currency} != {currency}:
        raise Invalid.at(f"{pointer}/total/currency", detail="a document is in one currency")


def _require_text(pointer: str, text: str | None, longest: int, *, required: bool = False) -> None:
    if (text is None and required) or len(text or "") > longest:
        raise Invalid.at(pointer, detail=f"at most {longest} characters")


def _require_moment(at: datetime) -> None:
    if at.tzinfo is None or not EARLIEST.year <= at.year <= LATEST_YEAR:
        raise Invalid.at("/ordered_at", detail=f"a time with its zone, from {EARLIEST.year} to {LATEST_YEAR}")


def _number(quantity: Decimal) -> int | float:
    """As JSON has it: with at most 15 digits a float loses nothing."""
    return int(quantity) if quantity == int(quantity) else float(quantity)
