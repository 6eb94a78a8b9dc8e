"""One import from upload to result: its steps, and what each step allows (M2, M9).

Every change raises `version`, the ETag. Rows, chunks and the file itself are left to commands: the
import only knows their sums.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped as Column
from sqlalchemy.orm import mapped_column

from services.imports.domain.errors import HasErrors, NotRestorable, PreviewExpired, WrongState
from services.imports.domain.mapping import Mapped
from services.imports.domain.options import ImportOptions
from shared.contracts.events import ActorReference
from shared.identity import Actor
from shared.versioned import Versioned

State = Literal[
    "parsing", "awaiting_mapping", "validating", "ready", "applying", "finished", "failed", "cancelled",
    "undoing", "undone",
]  # fmt: skip

CLOSED = frozenset({"finished", "failed", "cancelled", "undone"})
OPEN = frozenset({"parsing", "awaiting_mapping", "validating", "ready"})
"""Before confirm: nothing has reached customers, and the import can be cancelled."""

WITH_ROWS = frozenset({"ready", "applying", "finished", "undoing", "undone"})
"""There is a preview or what became of it."""

DONE = frozenset({"created", "updated", "unchanged", "conflict", "error", "skipped", "failed"})
FAILED = frozenset({"conflict", "error", "failed"})
TAKEN_BACK = frozenset({"undone", "kept", "undo_failed"})
WRITTEN = frozenset({"created", "updated"})
"""Outcomes of rows that changed a customer: what an undo takes back (M10)."""

ROWS_REFUSED = "rows_refused"
"""Why an import of all or nothing was taken back by itself, and why those of its rows that were as they should be."""

CUSTOMERS = "customers"
SECTORS = "sectors"
CONTACTS = "contacts"
"""The kind of a contact sync: it goes the way of an import, and is read at a place of its own (M13)."""

_instant = DateTime(timezone=True)


def uploader_of(actor: Actor) -> str:
    """Who an import belongs to: only they see it (R1)."""
    return f"{actor.kind}/{actor.id}"


class Import(Versioned, Mapped):
    """One uploaded file on its way to customers."""

    __tablename__ = "import"

    id: Column[UUID] = mapped_column(primary_key=True)
    kind: Column[str]
    state: Column[str]
    version: Column[int]
    uploader: Column[str]
    actor: Column[dict[str, Any]] = mapped_column(JSONB)
    file_name: Column[str]
    file_format: Column[str]
    file_bytes: Column[int]
    sha256: Column[bytes]
    repeat: Column[bool]
    options: Column[dict[str, Any]] = mapped_column(JSONB)
    header: Column[list[str] | None] = mapped_column(JSONB)
    mapping: Column[dict[str, Any] | None] = mapped_column(JSONB)
    warnings: Column[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    error_code: Column[str | None]
    error_detail: Column[str | None]
    total: Column[int] = mapped_column(default=0)
    counts: Column[dict[str, int]] = mapped_column(JSONB, default=dict)
    changed_columns: Column[dict[str, int]] = mapped_column(JSONB, default=dict)
    all_or_nothing: Column[bool] = mapped_column(default=False)
    chunks: Column[int] = mapped_column(default=0)
    attempts: Column[int] = mapped_column(default=0)
    leased_until: Column[datetime | None] = mapped_column(_instant)
    created_at: Column[datetime] = mapped_column(_instant)
    validated_at: Column[datetime | None] = mapped_column(_instant)
    confirmed_at: Column[datetime | None] = mapped_column(_instant)
    finished_at: Column[datetime | None] = mapped_column(_instant)
    undone_at: Column[datetime | None] = mapped_column(_instant)
    emptied_at: Column[datetime | None] = mapped_column(_instant)

    @property
    def chosen(self) -> ImportOptions:
        """The uploader's choices."""
        return ImportOptions.model_validate(self.options)

    @property
    def on_behalf_of(self) -> ActorReference:
        """The uploader with their permissions at the last request that asked for work (R2)."""
        return ActorReference.model_validate(self.actor)

    @property
    def spoiled(self) -> bool:
        """Whether a refused row means that nothing of the import is to stay: nobody pressed undo (M10)."""
        return self.error_code == ROWS_REFUSED

    def require_state(self, *states: State) -> None:
        """Raises WrongState at any other step."""
        if self.state not in states:
            raise WrongState

    def parsed(self, header: Sequence[str], mapping: dict[str, Any], warnings: Sequence[Any], total: int) -> None:
        """The file is a table; its columns wait for the uploader's word."""
        self.header, self.mapping, self.warnings, self.total = list(header), mapping, list(warnings), total
        self._step("awaiting_mapping")

    def map_columns(
        self, header: Sequence[str], mapping: dict[str, Any], warnings: Sequence[Any], total: int, actor: Actor
    ) -> None:
        """The uploader says what the columns are; every row is to be looked at."""
        self.require_state("awaiting_mapping", "ready")
        self.header, self.mapping, self.warnings, self.total = list(header), mapping, list(warnings), total
        self._validate_again(actor)

    def choose(self, options: ImportOptions, actor: Actor) -> bool:
        """The uploader's choices; a preview that exists is made anew. Answers whether they are news."""
        self.require_state("awaiting_mapping", "ready")
        if options == self.chosen:
            return False
        self.options = options.model_dump(mode="json")
        if self.state == "ready":
            self._validate_again(actor)
        else:
            self.version += 1
        return True

    def validated(self, counts: Mapping[str, int], changed_columns: Mapping[str, int], at: datetime) -> None:
        """The preview is there: every row has an outcome, and it is as old as the first that was judged (M2)."""
        self.counts, self.changed_columns = dict(counts), dict(changed_columns)
        self.validated_at = self.validated_at or at
        self._step("ready")

    def confirm(self, skip_errors: bool, all_or_nothing: bool, at: datetime, preview_hours: int, actor: Actor) -> None:
        """Let the rows go to `customers`.

        Raises WrongState (M9), NotRestorable (all or nothing of what cannot be taken back), PreviewExpired, HasErrors.
        """
        self.require_state("ready")
        if all_or_nothing and self.kind != CUSTOMERS:
            raise NotRestorable
        if self.validated_at is None or at - self.validated_at > timedelta(hours=preview_hours):
            raise PreviewExpired
        if self.counts.get("error") and not skip_errors:
            raise HasErrors
        self.all_or_nothing = all_or_nothing
        self.confirmed_at, self.actor = at, actor.reference().model_dump(mode="json")
        self._step("applying")

    def touched(self, counts: Mapping[str, int], changed_columns: Mapping[str, int]) -> None:
        """Some rows of the preview were judged again; the others are as old as they were."""
        self.require_state("ready")
        self.counts, self.changed_columns = dict(counts), dict(changed_columns)
        self.version += 1

    def judge_again(self, touched: int, actor: Actor) -> None:
        """Too many rows were touched for one request: the preview is completed beside it, made anew if all were."""
        self.require_state("ready")
        if touched >= self.total:
            self.validated_at = None
        self.actor = actor.reference().model_dump(mode="json")
        self._step("validating")

    def undo(self, at: datetime, undo_days: int, actor: Actor) -> None:
        """Take back what the import wrote (M10). Raises WrongState, NotRestorable."""
        self.require_state("finished")
        if self.kind != CUSTOMERS or self.emptied_at is not None or self.finished_at is None:
            raise NotRestorable
        if at - self.finished_at > timedelta(days=undo_days):
            raise NotRestorable
        self.actor = actor.reference().model_dump(mode="json")
        self._step("undoing")

    def taken_back(self, counts: Mapping[str, int], complete: bool, at: datetime) -> None:
        """Outcomes of the undo came in; with the last of them it is done."""
        self.counts = dict(counts)
        if complete:
            self.undone_at = at
            self._step("undone")
        else:
            self.version += 1

    def spoil(self, counts: Mapping[str, int]) -> bool:
        """All or nothing: with a refused row nothing is to stay of the others. Answers whether that is news."""
        if not self.all_or_nothing or self.spoiled or not any(counts.get(outcome) for outcome in FAILED):
            return False
        self.error_code = ROWS_REFUSED
        return True

    def progressed(self, counts: Mapping[str, int], complete: bool, at: datetime) -> None:
        """Outcomes came in; with the last of them the import is finished, or to be taken back where it is spoiled."""
        self.counts = dict(counts)
        self.spoil(counts)
        if complete:
            self.finished_at = at
            self._step("undoing" if self.spoiled else "finished")
        else:
            self.version += 1

    def fail(self, code: str, detail: str, at: datetime) -> None:
        """The file as a whole is no use, or the work on it broke down again and again."""
        self.error_code, self.error_detail, self.finished_at = code, detail, at
        self._step("failed")

    def cancel(self, at: datetime, reason: str | None = None) -> None:
        """Give up before confirm; nothing has reached customers. Raises WrongState."""
        self.require_state("parsing", "awaiting_mapping", "validating", "ready")
        self.error_code, self.finished_at, self.emptied_at = reason, at, at
        self._step("cancelled")

    def _validate_again(self, actor: Actor) -> None:
        self.actor = actor.reference().model_dump(mode="json")
        self.counts, self.changed_columns, self.validated_at = {}, {}, None
        self._step("validating")

    def _step(self, state: State) -> None:
        self.state, self.attempts, self.leased_until = state, 0, None
        self.version += 1


@dataclass(frozen=True)
class Progress:
    """How many rows there are to do, have their final outcome, and were not done as asked."""

    total: int
    done: int
    failed: int


def progress(state: str, total: int, counts: Mapping[str, int]) -> Progress:
    """How far an import is, or the undo of it."""

    def sum_of(outcomes: frozenset[str]) -> int:
        return sum(counts.get(outcome, 0) for outcome in outcomes)

    if state in ("undoing", "undone"):
        done = sum_of(TAKEN_BACK)
        return Progress(done + sum_of(WRITTEN), done, counts.get("undo_failed", 0) + counts.get("kept", 0))
    if state in ("applying", "finished"):
        return Progress(total, sum_of(DONE), sum_of(FAILED))
    return Progress(total, 0, 0)
