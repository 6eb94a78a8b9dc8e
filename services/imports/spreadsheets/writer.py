"""Writes files for people: the result of an import beside their own columns, and empty templates.

No cell is ever a formula. An .xlsx holds texts, so phones keep their 0; in a .csv a cell that a
spreadsheet would take for a formula gets a leading ' (M14), which `delimited.py` takes away again.
Writing takes some 10 µs a cell: callers in an event loop run it in a thread.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal, Protocol

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from services.imports.spreadsheets.annotations import Annotation, annotation_headers, is_annotation
from services.imports.spreadsheets.limits import Limits
from services.imports.spreadsheets.wording import TemplateWords, template_words
from shared.spreadsheets import TEXT_ONLY, guard_formula

FileFormat = Literal["xlsx", "csv"]

_COLUMN_CHARACTERS = 22
_NOTE_CHARACTERS = 90
# Equal content gives equal bytes, so that a file can be compared by its hash.
_CREATED = datetime(2026, 1, 1)


class TemplateField(Protocol):
    """What a template says of a field."""

    @property
    def type(self) -> str: ...

    @property
    def required(self) -> bool: ...

    @property
    def multiple(self) -> bool: ...

    @property
    def system(self) -> bool: ...

    def label(self, language: str) -> str: ...


def write_result(
    header: Sequence[str],
    rows: Iterable[tuple[Sequence[str], Annotation]],
    language: str,
    file_format: FileFormat,
) -> bytes:
    """The rows as people sent them, each with what became of it in four more columns.

    Columns added by an earlier result are replaced. Corrected, the file can be uploaded again.
    """
    own = [index for index, heading in enumerate(header) if not is_annotation(heading)]
    first = [*(header[index] for index in own), *annotation_headers(language)]
    records = (
        [*(cells[index] if index < len(cells) else "" for index in own), *annotation.cells]
        for cells, annotation in rows
    )
    if file_format == "csv":
        return _csv_bytes(first, records)
    with _Workbook() as workbook:
        sheet = workbook.add_sheet(template_words(language).result_sheet, first)
        workbook.add_records(sheet, records)
    return workbook.content


def write_records(records: Sequence[Sequence[str]], language: str, file_format: FileFormat) -> bytes:
    """A heading and the rows below it, as they are."""
    if file_format == "csv":
        return _csv_bytes(records[0], records[1:])
    with _Workbook() as workbook:
        workbook.add_records(workbook.add_sheet(template_words(language).data_sheet, records[0]), records[1:])
    return workbook.content


def write_template(
    fields: Sequence[TemplateField], language: str, file_format: FileFormat, limits: Limits | None = None
) -> bytes:
    """An empty file to fill in (M1): one column for each field that a file may set, required ones marked.

    An .xlsx has a second sheet that explains the columns; a .csv has the header only.
    """
    writable = [field for field in fields if not field.system]
    header = [f"{field.label(language)} *" if field.required else field.label(language) for field in writable]
    if file_format == "csv":
        return _csv_bytes(header, ())
    texts = template_words(language)
    with _Workbook() as workbook:
        sheet = workbook.add_sheet(texts.data_sheet, header)
        for index, field in enumerate(writable):
            if field.type != "day":  # typed days become real dates; everything else stays as typed
                sheet.set_column(index, index, _COLUMN_CHARACTERS, workbook.text_format)
        _explain(workbook, writable, texts, language, limits or Limits())
    return workbook.content


def _explain(
    workbook: "_Workbook",
    fields: Sequence[TemplateField],
    texts: TemplateWords,
    language: str,
    limits: Limits,
) -> None:
    sheet = workbook.add_sheet(texts.instructions_sheet, texts.instructions_header)
    sheet.set_column(3, 3, _NOTE_CHARACTERS)
    explained = [
        [
            field.label(language),
            texts.yes if field.required else "",
            texts.yes if field.multiple else "",
            texts.notes.get(field.type, ""),
        ]
        for field in fields
    ]
    general = [["", "", "", note.format(rows=limits.data_rows)] for note in texts.general_notes]
    workbook.add_records(sheet, [*explained, *general])


class _Workbook:
    """An .xlsx of texts, written row by row to a temporary file; `content` holds it once closed."""

    def __init__(self) -> None:
        self.content = b""
        self._target = io.BytesIO()
        self._book = xlsxwriter.Workbook(self._target, TEXT_ONLY)
        self._book.set_properties({"created": _CREATED})
        self.text_format: Format = self._book.add_format({"num_format": "@"})
        self._header_format: Format = self._book.add_format({"bold": True, "num_format": "@"})

    def __enter__(self) -> "_Workbook":
        return self

    def __exit__(self, *_: object) -> None:
        self._book.close()
        self.content = self._target.getvalue()

    def add_sheet(self, name: str, header: Sequence[str]) -> Worksheet:
        sheet = self._book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, max(len(header) - 1, 0), _COLUMN_CHARACTERS)
        _write_row(sheet, 0, header, self._header_format)
        return sheet

    def add_records(self, sheet: Worksheet, records: Iterable[Sequence[str]]) -> None:
        for number, record in enumerate(records, start=1):
            _write_row(sheet, number, record, None)


def _write_row(sheet: Worksheet, row: int, texts: Sequence[str], cell_format: Format | None) -> None:
    for column, text in enumerate(texts):
        if text:  # longer texts than a cell can hold would be dropped whole, without a word
            sheet.write_string(row, column, text[: Limits.text_characters], cell_format)


def _csv_bytes(header: Sequence[str], records: Iterable[Sequence[str]]) -> bytes:
    target = io.StringIO(newline="")
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerows(_guarded(header, records))
    return target.getvalue().encode("utf-8-sig")  # spreadsheets take a file without the mark for Windows-1252


def _guarded(header: Sequence[str], records: Iterable[Sequence[str]]) -> Iterator[list[str]]:
    for record in (header, *records):
        yield [guard_formula(text) for text in record]
