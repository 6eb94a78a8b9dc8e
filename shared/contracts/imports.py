"""Work between `imports` and `customers`: confirmed rows go out in chunks, outcomes come back.

A confirmed row carries the values to write and the old values that the preview showed: the row is
a `conflict` where the customer has changed since (M2).
"""

from typing import Any, Literal
from uuid import UUID

from shared.contracts.events import ActorReference, Event, Instant, Published, Topic

IMPORTS = Topic(
    name="crm.imports",
    key="import id",
    cleanup="delete",
    retention_days=14,
    partitions=6,
    producers=("imports",),
    consumers=("customers",),
    description="Rows that a user confirmed, and undo requests, for `customers` to apply; what previews told.",
)
IMPORT_RESULTS = Topic(
    name="crm.import-results",
    key="import id",
    cleanup="delete",
    retention_days=14,
    partitions=6,
    producers=("customers",),
    consumers=("imports",),
    description="What became of every confirmed row; what refusals told of hidden customers.",
)

ImportKind = Literal["customers", "sectors", "contacts"]
RowAction = Literal["create", "update"]
RowOutcome = Literal["created", "updated", "unchanged", "conflict", "error"]
UndoOutcome = Literal["undone", "kept", "undo_failed"]


class _OfImport(Event):
    import_id: UUID

    @property
    def key(self) -> str:
        return str(self.import_id)


class NewOption(Published):
    """An option to create before it is chosen: its name, and the field whose values it joins (M6)."""

    field: str
    name: str


class ConfirmedRow(Published):
    """One row to write: fields by name; `old` as the preview showed them.

    Of a sector (G6) `code` says which one is meant or how the new one is called, `values` may hold
    `name`, `parent_code` (null: top level) and `state` (`active`: it comes back); rows come parents
    first, over all chunks.
    """

    row: int
    action: RowAction
    customer_id: UUID | None
    code: str | None
    values: dict[str, Any]
    old: dict[str, Any] = {}
    append: tuple[str, ...] = ()
    employee_id: UUID | None = None
    new_options: tuple[NewOption, ...] = ()


class ImportRowsConfirmed(_OfImport, topic=IMPORTS, type="crm.import_rows.confirmed.v1"):
    """One chunk of rows that a user confirmed (M2, M9)."""

    kind: ImportKind
    chunk: int
    chunks: int
    actor: ActorReference
    confirmed_at: Instant
    file_name: str | None
    options: dict[str, Any]
    rows: tuple[ConfirmedRow, ...]


class RowError(Published):
    """Why a row was not written; `field` is None when it is about the whole row."""

    field: str | None
    code: str


class AppliedRow(Published):
    """What became of one confirmed row; `current` holds the values that made it a conflict.

    `item_id` is the sector's, where rows are sectors; `customer_id` is null then.
    """

    row: int
    outcome: RowOutcome
    customer_id: UUID | None
    code: str | None
    version: int | None
    created_options: tuple[UUID, ...] = ()
    errors: tuple[RowError, ...] = ()
    current: dict[str, Any] = {}
    item_id: UUID | None = None


class ImportRowsApplied(_OfImport, topic=IMPORT_RESULTS, type="crm.import_rows.applied.v1"):
    """The outcomes of one chunk; `elsewhere` are rows of it that further records answer, where one cannot hold all."""

    chunk: int
    rows: tuple[AppliedRow, ...]
    elsewhere: tuple[int, ...] = ()


class RevealedPhone(Published):
    """A hidden customer's number that an uploader was told is taken; null once the customer is erased."""

    customer_id: UUID
    phone: str | None


class ImportPhonesRevealed(_OfImport, topic=IMPORTS, type="crm.import_phones.revealed.v1"):
    """A preview said of numbers that they are taken by customers the uploader does not see (R3)."""

    actor: ActorReference
    rows: tuple[RevealedPhone, ...]


class RowPhonesRevealed(_OfImport, topic=IMPORT_RESULTS, type="crm.import_rows.phones_revealed.v1"):
    """Confirmed rows were refused with numbers of customers whom their uploader does not see (R3): the new ones."""

    actor: ActorReference
    rows: tuple[RevealedPhone, ...]


class ImportUndoRequested(_OfImport, topic=IMPORTS, type="crm.import_undo.requested.v1"):
    """Rows of an import are taken back: its user asks, or a row was refused and it was to be all or nothing (M10)."""

    chunk: int
    chunks: int
    actor: ActorReference
    rows: tuple[int, ...]


class UndoneRow(Published):
    """What became of one row to undo, and why it was kept."""

    row: int
    outcome: UndoOutcome
    reason: str | None
    kept_fields: tuple[str, ...] = ()


class ImportUndoApplied(_OfImport, topic=IMPORT_RESULTS, type="crm.import_undo.applied.v1"):
    """The outcomes of one chunk of an undo."""

    chunk: int
    rows: tuple[UndoneRow, ...]
