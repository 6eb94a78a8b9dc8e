"""One chunk of confirmed rows on its way: on whose behalf, since when, what became of each row so far.

Pure bookkeeping: rows are written by `import_writes.py`, kept and answered by `imports.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from pydantic import ValidationError

from services.customers.domain.creation import Draft
from services.customers.domain.record import Held
from services.customers.domain.values import CustomerValues
from shared.contracts.customers import CustomerEvent
from shared.contracts.events import Cause
from shared.contracts.imports import AppliedRow, ConfirmedRow, ImportRowsConfirmed, RowError
from shared.envelope import Envelope
from shared.errors import RapportError
from shared.folding import fold
from shared.identity import SETTINGS, Actor
from shared.reveals import Reveals, no_limit


class Refused(Exception):
    """A row that is not written, and why."""

    def __init__(self, code: str, field: str | None = None) -> None:
        super().__init__(code)
        self.code, self.field = code, field

    @classmethod
    def by(cls, error: RapportError) -> "Refused":
        """What a rule refuses, about the field it names."""
        return cls(error.code, error.errors[0].pointer.lstrip("/") if error.errors else None)


@dataclass
class Chunk:
    """`overwritten` holds, by row, the values before and after, as JSON: what an undo compares (M10)."""

    envelope: Envelope[ImportRowsConfirmed]
    event: ImportRowsConfirmed
    actor: Actor
    at: datetime
    cause: Cause
    reveals: Reveals = field(default_factory=no_limit)
    active: set[UUID] = field(default_factory=set)
    outcomes: dict[int, AppliedRow] = field(default_factory=dict)
    overwritten: dict[int, tuple[str, str]] = field(default_factory=dict)
    created_options: dict[int, tuple[UUID, ...]] = field(default_factory=dict)
    options: dict[tuple[str, str], UUID] = field(default_factory=dict)

    def require_active(self, row: ConfirmedRow) -> None:
        """Raises Refused where a row names a responsible person who cannot be one (A6, M8)."""
        if row.employee_id is not None and row.employee_id not in self.active:
            raise Refused("inactive_employee", "manager_id")

    def choose_new_options(self, row: ConfirmedRow, values: dict[str, Any]) -> None:
        """Add the options that were created for a row (M6). Raises Refused where one could not be."""
        for option in row.new_options:
            item_id = self.options.get((option.field, fold(option.name)))
            if item_id is None:
                raise Refused("unknown_option" if self.actor.may(SETTINGS) else "forbidden", option.field)
            values[option.field] = list(dict.fromkeys([*values.get(option.field, ()), item_id]))

    def refuse(self, row: ConfirmedRow, refusal: Refused) -> None:
        """Nothing of the row is written."""
        self.outcomes[row.row] = AppliedRow(
            row=row.row,
            outcome="error",
            customer_id=row.customer_id,
            code=row.code,
            version=None,
            errors=(RowError(field=refusal.field, code=refusal.code),),
        )

    def succeed(self, row: ConfirmedRow, outcome: str, customer: Held | Draft) -> None:
        """The row is written, or was so already."""
        self.outcomes[row.row] = AppliedRow(
            row=row.row,
            outcome=outcome,  # pyright: ignore[reportArgumentType]  # pydantic checks the words
            customer_id=customer.id,
            code=customer.code,
            version=customer.version,
            created_options=self.created_options.get(row.row, ()),
        )

    def conflict(self, row: ConfirmedRow, customer: Held, current: dict[str, Any]) -> None:
        """The customer has changed since the preview (M2)."""
        self.outcomes[row.row] = AppliedRow(
            row=row.row,
            outcome="conflict",
            customer_id=customer.id,
            code=customer.code,
            version=customer.version,
            current=current,
        )

    def overwrote(self, row: ConfirmedRow, customer: Held, events: list[CustomerEvent]) -> None:
        """Remember what was there before the row, and what is there now."""
        before: dict[str, Any] = {}
        for event in reversed(events):
            before |= event.before
        after = {name: getattr(customer, name) for name in before}
        self.overwritten[row.row] = (msgspec.json.encode(before).decode(), msgspec.json.encode(after).decode())


def checked_values(model: type[CustomerValues], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a row as attributes of a customer. Raises Refused."""
    try:
        return model.model_validate(given).given()
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused("validation_failed", str(first["loc"][0]) if first["loc"] else None) from None
    except RapportError as error:
        raise Refused.by(error) from None
