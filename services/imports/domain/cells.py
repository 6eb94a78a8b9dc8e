"""What the text of a cell means, field by field, before anybody looks at what is stored (M5, C1, C2).

An empty cell says nothing; `#CLEAR` empties, `'#CLEAR` is that text itself. Names of options, employees and
customers stay texts: `preview.py` finds out whom they mean.
"""

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, NamedTuple
from uuid import UUID

from services.imports.domain.fields import KEYS
from shared.contracts.customer_fields import CustomerField
from shared.fields import MAX_LONG_TEXT, MAX_TEXT
from shared.folding import fold
from shared.phones import MAX_PHONES, BadPhone, normalize_from_sheet
from shared.spreadsheets import CLEAR_TEXT, unguard_clear

CLEAR: Final = object()
"""A cell that says: empty this field (M5)."""

MAX_EMAILS = 10
MAX_CHOICES = 200

_CODE = re.compile(r"[A-Z0-9._-]{1,32}")
_EMAIL = re.compile(r"[^@\s,;<>\"']{1,64}@[^@\s,;<>\"']{1,185}\.[^@\s,;<>\"'.]{2,63}")
_BETWEEN_PHONES = re.compile(r"[,;/|\n]+")
_BETWEEN_EMAILS = re.compile(r"[,;|\s]+")
_ISO_DAY = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[ T]00:00(?::00)?)?")
_LOCAL_DAY = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")

_TYPES = {
    "person": "person", "ca nhan": "person", "khach hang ca nhan": "person", "individual": "person",
    "company": "company", "cong ty": "company", "doanh nghiep": "company", "to chuc": "company",
    "khach hang doanh nghiep": "company", "organization": "company", "organisation": "company",
}  # fmt: skip
_GENDERS = {"male": "male", "nam": "male", "female": "female", "nu": "female", "other": "other", "khac": "other"}


class Problem(NamedTuple):
    """One thing wrong with a row: the column (None: the whole row) and a stable code."""

    field: str | None
    code: str


@dataclass(slots=True)
class ReadRow:
    """One row as far as it can be understood alone: `given` by field, CLEAR or the cell's meaning.

    `manager_id` is the responsible person that the uploader set for the row, whatever its cell says.
    `returned`: the customer's id is not the uploader's, but what an earlier result of ours said of the row.
    """

    number: int
    given: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    manager_id: str | None = None
    returned: bool = False


class BadCell(ValueError):
    """The cell's text cannot be such a value; the code says in which way."""

    def __init__(self, code: str = "validation_failed") -> None:
        super().__init__(code)
        self.code = code


def read_row(
    number: int, cells: Sequence[str], columns: Iterable[tuple[int, CustomerField]], told_at: int | None = None
) -> ReadRow:
    """Understand the mapped cells of a row; cells that make no sense become problems.

    At `told_at` an earlier result says which customer the row became: that is whom a row without an id means.
    """
    row = ReadRow(number)
    for index, column in columns:
        text = cells[index].strip() if index < len(cells) else ""
        if not text:
            continue
        if text == CLEAR_TEXT:
            if column.field in KEYS:
                row.problems.append(Problem(column.field, "required"))
            else:
                row.given[column.field] = CLEAR
            continue
        try:
            row.given[column.field] = _READERS.get(column.field, _text)(unguard_clear(text))
        except BadCell as error:
            row.problems.append(Problem(column.field, error.code))
    told = cells[told_at].strip() if told_at is not None and told_at < len(cells) else ""
    if told and "customer_id" not in row.given:
        row.returned = True
        try:
            row.given["customer_id"] = _id(told)
        except BadCell as error:
            row.problems.append(Problem("customer_id", error.code))
    return row


def _text(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise BadCell
    return text


def _long_text(text: str) -> str:
    if len(text) > MAX_LONG_TEXT:
        raise BadCell
    return text


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise BadCell("not_found") from None  # the same words as for an id that nobody has (M3)


def _code(text: str) -> str:
    code = text.upper()
    if not _CODE.fullmatch(code):
        raise BadCell
    return code


def _phones(text: str) -> list[str]:
    try:
        phones = [normalize_from_sheet(part) for part in _BETWEEN_PHONES.split(text) if part.strip()]
    except BadPhone:
        raise BadCell from None
    return _distinct(phones, MAX_PHONES)


def _emails(text: str) -> list[str]:
    emails = [part.lower() for part in _BETWEEN_EMAILS.split(text) if part]
    if not all(_EMAIL.fullmatch(email) for email in emails):
        raise BadCell
    return _distinct(emails, MAX_EMAILS)


def _day(text: str) -> str:
    """Days as the workbook reader gives them, or as Vietnamese people write them: 25/3/1990."""
    if match := _ISO_DAY.fullmatch(text):
        year, month, day = match.groups()
    elif match := _LOCAL_DAY.fullmatch(text):
        day, month, year = match.groups()
    else:
        raise BadCell
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        raise BadCell from None


def _names(text: str) -> list[str]:
    """The options a cell names; a name that holds a comma stands in quotes (M6)."""
    line = text.replace("\n", " ")
    try:
        parts = next(csv.reader([line], skipinitialspace=True)) if '"' in line else line.split(",")
    except (csv.Error, StopIteration):
        raise BadCell from None
    return _distinct([part.strip() for part in parts if part.strip()], MAX_CHOICES)


def _one_of(words: Mapping[str, str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        try:
            return words[fold(text)]
        except KeyError:
            raise BadCell("unknown_option") from None

    return read


def _distinct(values: list[str], most: int) -> list[str]:
    distinct = list(dict.fromkeys(values))
    if not distinct or len(distinct) > most:
        raise BadCell
    return distinct


_READERS: dict[str, Callable[[str], Any]] = {
    "customer_id": _id,
    "code": _code,
    "parent_code": _code,
    "type": _one_of(_TYPES),
    "gender": _one_of(_GENDERS),
    "phones": _phones,
    "emails": _emails,
    "birth_date": _day,
    "description": _long_text,
    "groups": _names,
    "sources": _names,
    "sectors": _names,
}
