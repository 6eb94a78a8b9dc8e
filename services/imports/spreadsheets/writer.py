"""Writes files for people: rows some at a time, beside them what became of each, and empty templates.

No cell is ever a formula. An .xlsx holds texts, so phones keep their 0; in a .csv a ' stands
before what a spreadsheet would take for a formula (M14), which `delimited.py` takes away again.
Writing takes some 10 µs a cell: callers in an event loop run it in a thread. No file is held as a whole: a .csv
goes out as it is written, an .xlsx lies in a temporary file until it is complete.
"""

import codecs
import csv
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import IO, Literal, Protocol, Self

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from services.imports.spreadsheets.annotations import Annotation, annotation_headers, is_annotation, told_customers
from services.imports.spreadsheets.limits import Limits
from services.imports.spreadsheets.wording import TemplateWords, template_words
from shared.spreadsheets import TEXT_ONLY, guard_formula

FileFormat = Literal["xlsx", "csv"]

PART_BYTES = 256 * 1024
"""A complete .xlsx is handed out in parts of this size."""

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


class TableFile(Protocol):
    """A heading and rows below it, on their way into a file."""

    def add(self, records: Iterable[Sequence[str]]) -> bytes:
        """Write rows; answers what can go out by now."""
        ...

    def finish(self) -> Iterator[bytes]:
        """There are no more rows: the rest of the file, in parts."""
        ...

    def close(self) -> None:
        """Leave nothing behind, whether finished or given up."""
        ...


def begin_table(header: Sequence[str], language: str, file_format: FileFormat) -> TableFile:
    """A file of a heading and rows as they are."""
    return CsvFile(header) if file_format == "csv" else XlsxFile(template_words(language).data_sheet, header)


class ResultFile:
    """The rows as people sent them, each with what became of it in four more columns.

    Columns added by an earlier result are replaced; whom that one named for a row stays where nobody is named
    now. Corrected, the file can be uploaded again.
    """

    def __init__(self, header: Sequence[str], language: str, file_format: FileFormat) -> None:
        self._own = [index for index, heading in enumerate(header) if not is_annotation(heading)]
        self._told = told_customers(header)
        first = [*(header[index] for index in self._own), *annotation_headers(language)]
        sheet = template_words(language).result_sheet
        self._file: TableFile = CsvFile(first) if file_format == "csv" else XlsxFile(sheet, first)
        self.finish, self.close = self._file.finish, self._file.close

    def add(self, rows: Iterable[tuple[Sequence[str], Annotation]]) -> bytes:
        """Write rows with what became of them; answers what can go out by now."""
        return self._file.add(
            [*(cells[index] if index < len(cells) else "" for index in self._own), *self._beside(cells, annotation)]
            for cells, annotation in rows
        )

    def _beside(self, cells: Sequence[str], annotation: Annotation) -> Sequence[str]:
        if self._told is not None and not annotation.customer_id and self._told < len(cells):
            annotation = replace(annotation, customer_id=cells[self._told])
        return annotation.cells


class CsvFile:
    """A .csv: every row can go out as soon as it is written."""

    def __init__(self, header: Sequence[str]) -> None:
        # Spreadsheets take a file without the mark for Windows-1252.
        self._unsent = codecs.BOM_UTF8 + _csv_lines([header])

    def add(self, records: Iterable[Sequence[str]]) -> bytes:
        """These rows, behind the heading if they are the first."""
        content, self._unsent = self._unsent + _csv_lines(records), b""
        return content

    def finish(self) -> Iterator[bytes]:
        """The heading of a file without rows."""
        if self._unsent:
            yield self._unsent

    def close(self) -> None:
        """There is nothing to leave."""


class XlsxFile:
    """An .xlsx: nothing of it can go out before all is written."""

    def __init__(self, sheet: str, header: Sequence[str]) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as this object: `close`
        self._workbook = _Workbook(self._file)
        self._sheet = self._workbook.add_sheet(sheet, header)
        self._rows, self._complete = 0, False

    def add(self, records: Iterable[Sequence[str]]) -> bytes:
        """Nothing yet."""
        self._rows = self._workbook.add_records(self._sheet, records, self._rows)
        return b""

    def finish(self) -> Iterator[bytes]:
        """The whole file."""
        self._workbook.close()
        self._complete = True
        self._file.seek(0)
        while part := self._file.read(PART_BYTES):
            yield part

    def close(self) -> None:
        """Remove the temporary files, this one and those of a workbook that was not completed."""
        if not self._complete:
            self._workbook.close()
        self._file.close()


def write_template(
    fields: Sequence[TemplateField], language: str, file_format: FileFormat, limits: Limits | None = None
) -> bytes:
    """An empty file to fill in (M1): one column for each field that a file may set, required ones marked.

    An .xlsx has a second sheet that explains the columns; a .csv has the header only.
    """
    writable = [field for field in fields if not field.system]
    header = [f"{field.label(language)} *" if field.required else field.label(language) for field in writable]
    if file_format == "csv":
        return b"".join(CsvFile(header).finish())
    texts = template_words(language)
    target = io.BytesIO()
    with _Workbook(target) as workbook:
        sheet = workbook.add_sheet(texts.data_sheet, header)
        for index, field in enumerate(writable):
            if field.type != "day":  # typed days become real dates; everything else stays as typed
                sheet.set_column(index, index, _COLUMN_CHARACTERS, workbook.text_format)
        _explain(workbook, writable, texts, language, limits or Limits())
    return target.getvalue()


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
    """An .xlsx of texts, written row by row."""

    def __init__(self, target: IO[bytes]) -> None:
        self._book = xlsxwriter.Workbook(target, TEXT_ONLY)
        self._book.set_properties({"created": _CREATED})
        self.text_format: Format = self._book.add_format({"num_format": "@"})
        self._header_format: Format = self._book.add_format({"bold": True, "num_format": "@"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Complete the file."""
        self._book.close()

    def add_sheet(self, name: str, header: Sequence[str]) -> Worksheet:
        sheet = self._book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, max(len(header) - 1, 0), _COLUMN_CHARACTERS)
        _write_row(sheet, 0, header, self._header_format)
        return sheet

    def add_records(self, sheet: Worksheet, records: Iterable[Sequence[str]], last_row: int = 0) -> int:
        """Write rows behind the last one; answers which is the last now."""
        for record in records:
            last_row += 1
            _write_row(sheet, last_row, record, None)
        return last_row


def _write_row(sheet: Worksheet, row: int, texts: Sequence[str], cell_format: Format | None) -> None:
    for column, text in enumerate(texts):
        if text:  # longer texts than a cell can hold would be dropped whole, without a word
            sheet.write_string(row, column, text[: Limits.text_characters], cell_format)


def _csv_lines(records: Iterable[Sequence[str]]) -> bytes:
    target = io.StringIO(newline="")
    csv.writer(target, lineterminator="\r\n").writerows([guard_formula(text) for text in record] for record in records)
    return target.getvalue().encode()
