"""What requests to this service say and what it answers."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, model_validator

from services.imports.commands.edits import UNSET, ColumnEdit, Edit, EveryRow, RowEdit
from services.imports.domain.columns import Column
from services.imports.domain.job import CUSTOMERS, OPEN, Import, progress
from services.imports.domain.options import ImportOptions
from services.imports.domain.saved_mapping import SavedMapping
from shared.errors import Invalid
from shared.fields import Items, Name, PageQuery, RequestModel
from shared.spreadsheets import clean_text
from shared.wording import message

MAX_COLUMNS = 256
MAX_CELL_CHARACTERS = 32_767
MAX_ROW_NUMBER = 1_048_576
"""The last row a sheet can have."""

Kind = Literal["customers", "sectors"]
FileFormat = Literal["xlsx", "csv"]
State = Literal[
    "parsing", "awaiting_mapping", "validating", "ready", "applying", "finished", "failed", "cancelled",
    "undoing", "undone",
]  # fmt: skip
Outcome = Literal[
    "create", "update", "unchanged", "error", "created", "updated", "conflict", "skipped", "failed",
    "undone", "kept", "undo_failed",
]  # fmt: skip
CellText = Annotated[str, AfterValidator(clean_text), Field(max_length=MAX_CELL_CHARACTERS)]


class ColumnChoice(RequestModel):
    """Which field a column of the sheet (from 0) holds; null: none."""

    index: int
    field: str | None


class MappingRequest(RequestModel):
    """The columns as the uploader sees them; `header` may be sent back as it was shown."""

    header_row: Annotated[int, Field(ge=1, le=MAX_ROW_NUMBER)] | None = None
    columns: Annotated[list[ColumnChoice], Field(max_length=MAX_COLUMNS)]
    save_as: Name | None = None
    header: list[str] | None = None

    def chosen(self) -> list[Column]:
        """The columns as the rules know them."""
        return [Column(column.index, column.field) for column in self.columns]


class ConfirmRequest(RequestModel):
    """What becomes of the others when rows are in error now, or refused later.

    `skip_errors`: rows in error are left out; without it they keep the import from being confirmed. A row that turns
    bad afterwards, since its customer changed or its phone was taken, comes back as `conflict` or `error` of its own
    and spoils no other, unless `all_or_nothing`: then nothing more is sent, and what was written is taken back as
    by an undo. The import ends `undone`, its `error` is `rows_refused`. Not together with `skip_errors`; of what
    cannot be taken back (sectors) 409 `not_restorable`.
    """

    skip_errors: bool = False
    all_or_nothing: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.skip_errors and self.all_or_nothing:
            raise Invalid.at("/all_or_nothing", detail="not together with skip_errors")
        return self


class RowChange(RequestModel):
    """New texts of a row's cells by field (null or empty: an empty cell), its responsible person."""

    row: Annotated[int, Field(ge=1, le=MAX_ROW_NUMBER)]
    cells: Annotated[dict[str, CellText | None], Field(max_length=MAX_COLUMNS)] = {}
    employee_id: UUID | None = None

    def chosen(self) -> RowEdit:
        """The change as the rules know it."""
        employee_id = self.employee_id if "employee_id" in self.model_fields_set else UNSET
        return RowEdit(self.row, self.cells, employee_id)


class RowsChange(RequestModel):
    """One of: `items`; `all` with `employee_id`; `field` with `replace`, and `find`, `outcome` if wanted."""

    items: Items[RowChange] | None = None
    all: Literal[True] | None = None
    employee_id: UUID | None = None
    field: str | None = None
    find: CellText | None = None
    replace: CellText | None = None
    outcome: Literal["create", "update", "unchanged", "error"] | None = None

    def chosen(self) -> Edit:
        """The change as the rules know it. Raises Invalid for what is none of the three."""
        given = self.model_fields_set
        if given == {"items"} and self.items is not None:
            return [item.chosen() for item in self.items]
        if given == {"all", "employee_id"} and self.all:
            return EveryRow(self.employee_id)
        columns = {"field", "replace"}
        if columns <= given <= columns | {"find", "outcome"} and self.field is not None and self.replace is not None:
            return ColumnEdit(self.field, self.replace, self.find, self.outcome)
        raise Invalid.at("", detail="items, or all with employee_id, or field with replace")


class ImportsQuery(PageQuery):
    """A page of one's own imports."""

    sort: Literal["-created_at", "created_at"] = "-created_at"


class RowsQuery(PageQuery):
    """A page of rows in the file's order, of all outcomes or those named."""

    outcome: list[Outcome] = []


class MappingResponse(BaseModel):
    """Where the header is and what its columns hold."""

    header_row: int
    columns: list[ColumnChoice]
    header: list[str]


class ImportError(BaseModel):
    """Why an import failed as a whole, was given up, or was taken back by itself (`rows_refused`: all or nothing)."""

    code: str
    detail: str


class ImportResponse(BaseModel):
    """One import. `counts` by outcome, `changed_columns` by field of rows that update (M2)."""

    id: UUID
    kind: str
    state: State
    version: int
    file_name: str
    file_bytes: int
    repeat: bool
    all_or_nothing: bool
    options: ImportOptions
    header: list[str] | None
    mapping: MappingResponse | None
    total: int
    done: int
    failed: int
    counts: dict[str, int]
    changed_columns: dict[str, int]
    warnings: list[dict[str, Any]]
    error: ImportError | None
    created_at: datetime
    validated_at: datetime | None
    confirmed_at: datetime | None
    finished_at: datetime | None
    undone_at: datetime | None
    allowed: list[str]

    @classmethod
    def of(cls, job: Import, language: str) -> Self:
        """The import as its uploader reads it."""
        so_far = progress(job.state, job.total, job.counts)
        return cls(
            id=job.id,
            kind=job.kind,
            state=job.state,  # pyright: ignore[reportArgumentType]  # the table's check names the same states
            version=job.version,
            file_name=job.file_name,
            file_bytes=job.file_bytes,
            repeat=job.repeat,
            all_or_nothing=job.all_or_nothing,
            options=job.chosen,
            header=job.header,
            mapping=mapping_of(job),
            total=so_far.total,
            done=so_far.done,
            failed=so_far.failed,
            counts=job.counts,
            changed_columns=job.changed_columns,
            warnings=job.warnings,
            error=ImportError(code=job.error_code, detail=message(job.error_code, language))
            if job.error_code
            else None,
            created_at=job.created_at,
            validated_at=job.validated_at,
            confirmed_at=job.confirmed_at,
            finished_at=job.finished_at,
            undone_at=job.undone_at,
            allowed=_allowed(job),
        )


class RowResponse(BaseModel):
    """One row: what it would do or has done, old → new per changed column."""

    row: int
    outcome: Outcome
    customer_id: UUID | None
    code: str | None
    changes: dict[str, dict[str, Any]]
    errors: list[dict[str, Any]]
    warnings: list[dict[str, Any]]
    employee_id: UUID | None
    reason: str | None
    kept_fields: list[str]


class RowsChanged(BaseModel):
    """How many rows were touched, the import as it is then, and the first of these rows."""

    changed: int
    items: list[RowResponse]
    job: ImportResponse = Field(alias="import")


class FieldResponse(BaseModel):
    """A column that a file may have; those of the system are shown, never written (M7)."""

    field: str
    label_vi: str
    label_en: str
    type: str
    required: bool
    multiple: bool
    system: bool
    headers: list[str]


class FieldsResponse(BaseModel):
    """Every column that a file may have."""

    items: list[FieldResponse]


class SavedColumn(BaseModel):
    """A heading and the field below it."""

    header: str
    field: str | None


class SavedMappingResponse(BaseModel):
    """A mapping kept for the next file with the same headings."""

    id: UUID
    name: str
    kind: str
    columns: list[SavedColumn]
    created_at: datetime

    @classmethod
    def of(cls, saved: SavedMapping) -> Self:
        """The mapping as its owner reads it."""
        return cls(
            id=saved.id,
            name=saved.name,
            kind=saved.kind,
            columns=[SavedColumn(**column) for column in saved.columns],
            created_at=saved.created_at,
        )


class SavedMappingsResponse(BaseModel):
    """One's own saved mappings."""

    items: list[SavedMappingResponse]


def mapping_of(job: Import) -> MappingResponse | None:
    """The proposed or chosen mapping, once the file has been read."""
    if job.mapping is None or job.header is None:
        return None
    return MappingResponse(**job.mapping, header=job.header)


def _allowed(job: Import) -> list[str]:
    """What the next steps of an import are."""
    steps = ["cancel"] if job.state in OPEN else []
    if job.state in ("awaiting_mapping", "ready"):
        steps += ["map", "choose"]
    if job.state == "ready":
        steps += ["edit", "confirm"]
    if job.state == "finished" and job.kind == CUSTOMERS and job.emptied_at is None:
        steps += ["undo"]
    return steps
