"""What each part of a workbook may hold, and what the guard must learn from it to find the sheet.

Each function scans one part and gives back its checked bytes. Names and places are resolved exactly
as the reader behind the guard resolves them, so that both speak of the same sheet.
"""

from collections.abc import Callable, Iterable

from services.imports.spreadsheets.errors import TOO_MANY_ROWS, UnreadableFile, hostile, unsupported
from services.imports.spreadsheets.limits import Limits
from services.imports.spreadsheets.markup import Attributes, local_attribute, scan

CONTENT_TYPES = "[Content_Types].xml"
PACKAGE_RELATIONSHIPS = "_rels/.rels"

_WORKBOOK_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
_MACRO_MARK = "macroenabled"


def require_workbook(chunks: Iterable[bytes], limits: Limits) -> None:
    """Raise UnreadableFile (`unsupported_file`) unless the container declares an .xlsx workbook."""
    types: set[str] = set()

    def on_type(attributes: Attributes) -> None:
        types.add(attributes.get("ContentType", "").lower())

    scan(chunks, limits, {"Override": on_type, "Default": on_type})
    if any(_MACRO_MARK in content_type for content_type in types):
        raise unsupported("a workbook with macros")
    if _WORKBOOK_TYPE not in types:
        raise unsupported("a container of another kind of document")


class Relationships:
    """Which part each id of a relationships part means."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._targets: dict[str, tuple[str, str]] = {}
        self._document: str | None = None

    def scan(self, chunks: Iterable[bytes]) -> bytes:
        return scan(chunks, self._limits, {"Relationship": self._on_relationship})

    def workbook_folder(self) -> str:
        """The folder of the workbook inside the container, ending in `/` unless it is the root."""
        if self._document is None:
            raise unsupported("a container without a workbook")
        folder, slash, _ = self._document.rpartition("/")
        return f"{folder}{slash}".removeprefix("/")

    def worksheet_ids(self) -> set[str]:
        """The ids that lead to a worksheet, not to a chart or a dialog."""
        return {key for key, (kind, _) in self._targets.items() if kind == "worksheet"}

    def path_of(self, relationship_id: str, folder: str) -> str:
        target = self._targets[relationship_id][1]
        return target[1:] if target.startswith("/") else f"{folder}{target}"

    def _on_relationship(self, attributes: Attributes) -> None:
        kind, target = attributes.get("Type", ""), attributes.get("Target", "")
        self._targets[attributes.get("Id", "")] = (kind.rpartition("/")[2], target)
        if kind.endswith("/relationships/officeDocument"):
            self._document = target


class Workbook:
    """The list of sheets, in the order of their tabs."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sheets: list[tuple[str, str]] = []

    def scan(self, chunks: Iterable[bytes]) -> bytes:
        return scan(chunks, self._limits, {"sheet": self._on_sheet})

    def first_sheet(self, worksheet_ids: set[str]) -> tuple[int, str]:
        """Index and relationship id of the first sheet a person sees (M1), or of the first at all.

        A hidden sheet in front, as some programs write for their lists, is not what anybody uploads.
        """
        worksheets = [
            (index, relationship_id, state)
            for index, (relationship_id, state) in enumerate(self._sheets)
            if relationship_id in worksheet_ids
        ]
        if not worksheets:
            raise unsupported("a workbook without a worksheet")
        visible = [sheet for sheet in worksheets if sheet[2] == "visible"]
        index, relationship_id, _ = (visible or worksheets)[0]
        return index, relationship_id

    def _on_sheet(self, attributes: Attributes) -> None:
        if len(self._sheets) == self._limits.sheets:
            raise hostile(f"more than {self._limits.sheets} sheets")
        self._sheets.append((local_attribute(attributes, "id") or "", attributes.get("state", "visible")))


def scan_shared_strings(chunks: Iterable[bytes], limits: Limits) -> bytes:
    """The texts that cells refer to by number."""
    length = 0
    count_string = _counter(limits.shared_strings, "shared strings")

    def on_table(attributes: Attributes) -> None:
        # The reader reserves memory for as many texts as the file claims to have.
        claimed = attributes.get("uniqueCount", "0")
        if not claimed.isdecimal() or len(claimed) > 9 or int(claimed) > limits.shared_strings:
            raise hostile(f"more than {limits.shared_strings} shared strings claimed")

    def on_string(attributes: Attributes) -> None:
        nonlocal length
        length = 0
        count_string(attributes)

    def on_text(text: str) -> None:
        nonlocal length
        length += len(text)
        if length > limits.text_characters:
            raise hostile(f"a shared string is longer than {limits.text_characters} characters")

    return scan(chunks, limits, {"sst": on_table, "si": on_string}, on_text)


def scan_styles(chunks: Iterable[bytes], limits: Limits) -> bytes:
    """The cell formats, which say which numbers are dates."""
    count_style = _counter(limits.styles, "styles")
    count_format = _counter(limits.styles, "number formats")
    return scan(chunks, limits, {"xf": count_style, "numFmt": count_format})


def scan_sheet(chunks: Iterable[bytes], limits: Limits) -> bytes:
    """The cells of the sheet, whose places are followed as the reader follows them.

    Only cells that hold something must lie within the rows and columns allowed: honest files have
    formatted but empty ones far down, and the reader passes over those.
    """
    # Closures, not methods: each of these runs once for every cell.
    columns = frozenset(_column_letters(index) for index in range(limits.columns))
    most_cells, most_columns = limits.cells, limits.columns
    require_row = _row_watch(limits)
    cells = 0
    row = filled_row = ""
    reference: str | None = None
    unplaced = 0  # cells of this row without a reference: they follow one another from column A

    def on_row(attributes: Attributes) -> None:
        nonlocal row, reference, unplaced
        row = attributes.get("r") or str(_row_number(row or "0") + 1)
        reference, unplaced = None, 0

    def on_cell(attributes: Attributes) -> None:
        nonlocal cells, reference, unplaced
        cells += 1
        if cells > most_cells:
            raise hostile(f"more than {most_cells} cells")
        place = attributes.get("r")
        if place is None:
            if reference is not None:
                raise hostile("a cell whose place depends on the one before")
            unplaced += 1
        reference = place

    def on_value(_: Attributes) -> None:
        nonlocal filled_row
        if reference is None:
            value_row, within = row, unplaced <= most_columns
        else:
            letters = reference.rstrip("0123456789")
            value_row, within = reference[len(letters) :], letters in columns or letters.upper() in columns
        if value_row != filled_row:
            filled_row = value_row
            require_row(value_row)
        if not within:
            raise hostile(f"a value lies beyond column {most_columns}")

    count_merge = _counter(limits.merges, "merged ranges")
    handlers = {"row": on_row, "c": on_cell, "v": on_value, "is": on_value, "mergeCell": count_merge}
    return scan(chunks, limits, handlers)


def _row_watch(limits: Limits) -> Callable[[str], None]:
    """Called once for each row that holds a value; refuses those too far down."""
    filled_rows = 0

    def require_row(text: str) -> None:
        nonlocal filled_rows
        filled_rows += 1
        if _row_number(text) > limits.row_index:
            if filled_rows > limits.data_rows:
                raise UnreadableFile(TOO_MANY_ROWS, f"more than {limits.data_rows} data rows")
            raise hostile(f"a value lies below row {limits.row_index}")

    return require_row


def _row_number(text: str) -> int:
    # Seven digits hold every row a sheet can have; the reader behind the guard overflows on longer ones.
    if not text.isdecimal() or len(text) > 7:
        raise hostile("a malformed cell reference")
    return int(text)


def _column_letters(index: int) -> str:
    letters = ""
    number = index + 1
    while number:
        number, remainder = divmod(number - 1, 26)
        letters = chr(ord("A") + remainder) + letters
    return letters


def _counter(limit: int, what: str) -> Callable[[Attributes], None]:
    count = 0

    def on_start(_: Attributes) -> None:
        nonlocal count
        count += 1
        if count > limit:
            raise hostile(f"more than {limit} {what}")

    return on_start
