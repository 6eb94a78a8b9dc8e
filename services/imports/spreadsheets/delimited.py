"""Reads .csv as people and programs save it: encoding and delimiter are found out, not asked for.

UTF-8 with or without a mark, UTF-16 with a mark, Windows-1258 and 1252; comma, semicolon or tab;
cells in quotes may hold line breaks. A ' that guards a formula character is taken away (M14), the
exact inverse of `writer.py`.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from services.imports.spreadsheets.errors import hostile, unsupported
from services.imports.spreadsheets.limits import KIB, Limits
from services.imports.spreadsheets.rows import NumberedRow, collect_rows
from shared.spreadsheets import clean_text, unguard_formula

_DELIMITERS = ",;\t"
_SNIFFED_RECORDS = 50
_SEARCHED_RECORDS = 10_000  # millions of blank lines would be read once more for each delimiter
_SAMPLE_BYTES = 64 * KIB
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_LEGACY_ENCODINGS = ("cp1258", "cp1252")
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1f]")
_SEPARATOR_LINE = re.compile(r"sep=([,;\t])\r?\n?", re.IGNORECASE)
# A line no text can hold: where it does not come back alone, a quotation mark before it is still open.
_END_MARK = "\x1c"


def read_delimited(content: bytes, limits: Limits) -> list[NumberedRow]:
    """The filled rows of a .csv, numbered as a spreadsheet shows them. Raises UnreadableFile."""
    if len(content) > limits.file_bytes:
        raise hostile(f"larger than {limits.file_bytes} bytes")
    text = decode(content)
    csv.field_size_limit(limits.text_characters)
    try:
        separator = _SEPARATOR_LINE.match(text)
        if separator:  # spreadsheets write and obey this line, and show the next one as row 1
            return collect_rows(_records(text[separator.end() :], separator.group(1)), limits)
        return collect_rows(_records(text, sniff_delimiter(text)), limits)
    except csv.Error as error:
        raise hostile(f"a cell is longer than {limits.text_characters} characters") from error


def decode(content: bytes) -> str:
    """The text of a file in one of the encodings we read. Raises UnreadableFile for all others."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            text = _decoded(content[len(mark) :], encoding)
            break
    else:
        text = _decoded(content, "utf-8")
        if text is None:
            text = _decoded(content, _legacy_encoding(content))
    if text is None or _BINARY.search(text):
        raise unsupported("not a text in UTF-8, UTF-16 or a Windows encoding")
    return text


def sniff_delimiter(text: str) -> str:
    """The delimiter under which most of the first records have the same, large number of cells."""
    best_delimiter, best_score = ",", 0
    for delimiter in _DELIMITERS:
        widths: Counter[int] = Counter()
        for record in islice(_parsed(text, delimiter), _SEARCHED_RECORDS):
            if len(record) > 1:
                widths[len(record)] += 1
            if widths.total() == _SNIFFED_RECORDS:
                break
        score = max(((width - 1) * count for width, count in widths.items()), default=0)
        if score > best_score:
            best_delimiter, best_score = delimiter, score
    return best_delimiter


def _decoded(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return None


def _legacy_encoding(content: bytes) -> str:
    """Windows-1258 or 1252, judged by the lines that hold other letters than a to z."""
    from charset_normalizer import from_bytes  # files of the last century alone pay for loading it

    telling = b"\n".join(line for line in content.splitlines() if not line.isascii())
    best = from_bytes(telling[:_SAMPLE_BYTES], cp_isolation=list(_LEGACY_ENCODINGS)).best()
    return best.encoding if best else _LEGACY_ENCODINGS[0]


def _records(text: str, delimiter: str) -> Iterator[NumberedRow]:
    for number, record in enumerate(_parsed(f"{text}\n{_END_MARK}", delimiter), start=1):
        if record == [_END_MARK]:
            return
        yield number, [clean_text(unguard_formula(cell)) for cell in record]
    raise hostile("a quotation mark that is never closed")


def _parsed(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
