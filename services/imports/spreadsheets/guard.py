"""Lets an .xlsx through only if reading it is safe, and hands on nothing but what was checked.

The answer is a fresh, uncompressed workbook of the few parts a reader needs: a ZIP whose directory
two readers understand differently cannot show one file to the guard and another to the reader.
Nothing is followed outside the file. Runs in the child process; what the cells say is left to
`workbook.py`.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from services.imports.spreadsheets import parts
from services.imports.spreadsheets.errors import ENCRYPTED_FILE, UnreadableFile, hostile, unsupported
from services.imports.spreadsheets.limits import KIB, Limits

ZIP_MAGIC = b"PK\x03\x04"
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_CHUNK_BYTES = 64 * KIB
_ENCRYPTED_FLAG = 0x1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class CheckedWorkbook:
    """A workbook that is safe to read: its bytes, and which of its sheets is the first visible one."""

    content: bytes
    sheet_index: int


def check_workbook(content: bytes, limits: Limits) -> CheckedWorkbook:
    """Check an .xlsx against every limit. Raises UnreadableFile with any of its codes."""
    if len(content) > limits.file_bytes:
        raise hostile(f"larger than {limits.file_bytes} bytes")
    _require_zip(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _check_parts(_Package(archive, limits), limits)
    except _DAMAGE as error:
        raise hostile(f"a damaged container: {type(error).__name__}") from error


def _require_zip(content: bytes) -> None:
    if content.startswith(OLE_MAGIC):
        # The same container holds a workbook under a password and the old .xls, whose streams have names.
        if _named(content, "Workbook") and not _named(content, "EncryptedPackage"):
            raise unsupported("an .xls workbook of the old format")
        raise UnreadableFile(ENCRYPTED_FILE, "a workbook under a password")
    if not content.startswith(ZIP_MAGIC):
        raise unsupported("not an .xlsx workbook")


def _named(content: bytes, stream: str) -> bool:
    return stream.encode("utf-16-le") in content


def _check_parts(package: "_Package", limits: Limits) -> CheckedWorkbook:
    structure = limits.structure_part_bytes
    if parts.CONTENT_TYPES not in package:
        raise unsupported("a container that is no document")
    parts.require_workbook(package.chunks(parts.CONTENT_TYPES, structure), limits)
    checked: dict[str, bytes] = {}

    relationships = parts.Relationships(limits)
    checked[parts.PACKAGE_RELATIONSHIPS] = relationships.scan(package.chunks(parts.PACKAGE_RELATIONSHIPS, structure))
    folder = relationships.workbook_folder()

    workbook = parts.Workbook(limits)
    checked[f"{folder}workbook.xml"] = workbook.scan(package.chunks(f"{folder}workbook.xml", structure))
    targets = parts.Relationships(limits)
    targets_path = f"{folder}_rels/workbook.xml.rels"
    checked[targets_path] = targets.scan(package.chunks(targets_path, structure))
    sheet_index, relationship_id = workbook.first_sheet(targets.worksheet_ids())
    sheet_path = targets.path_of(relationship_id, folder)

    for path, scan in (
        (f"{folder}sharedStrings.xml", parts.scan_shared_strings),
        (f"{folder}styles.xml", parts.scan_styles),
    ):
        if path in package:
            checked[path] = scan(package.chunks(path, limits.part_bytes), limits)
    checked[sheet_path] = parts.scan_sheet(package.chunks(sheet_path, limits.part_bytes), limits)
    return CheckedWorkbook(_packed(checked), sheet_index)


def _packed(checked: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path, content in checked.items():
            archive.writestr(path, content)
    return target.getvalue()


class _Package:
    """The entries of the container, found as spreadsheet programs find them: without regard to case."""

    def __init__(self, archive: zipfile.ZipFile, limits: Limits) -> None:
        self._archive = archive
        self._limits = limits
        self._entries: dict[str, zipfile.ZipInfo] = {}
        entries = archive.infolist()
        if len(entries) > limits.entries:
            raise hostile(f"more than {limits.entries} entries")
        for entry in entries:
            self._add(entry)
        self._require_sizes("all parts together", entries, limits.total_bytes)

    def __contains__(self, path: str) -> bool:
        return path.lower() in self._entries

    def chunks(self, path: str, most_bytes: int) -> Iterator[bytes]:
        """The bytes of a part in pieces. Raises UnreadableFile when it is missing or too large."""
        entry = self._entries.get(path.lower())
        if entry is None:
            raise hostile("a part is missing")
        if entry.file_size > most_bytes:
            raise hostile(f"a part is larger than {most_bytes} bytes")
        with self._archive.open(entry) as part:
            while chunk := part.read(_CHUNK_BYTES):
                yield chunk

    def _add(self, entry: zipfile.ZipInfo) -> None:
        path = entry.filename.replace("\\", "/").lower()
        if entry.flag_bits & _ENCRYPTED_FLAG:
            raise UnreadableFile(ENCRYPTED_FILE, "an encrypted container")
        if entry.compress_type not in _METHODS:
            raise hostile("an uncommon compression")
        if path.startswith("/") or ":" in path or ".." in path.split("/"):
            raise hostile("an entry that points outside the container")
        if path in self._entries:
            raise hostile("two entries of one name")
        if path.endswith("vbaproject.bin"):
            raise unsupported("a workbook with macros")
        self._require_sizes("a part", [entry], self._limits.part_bytes)
        self._entries[path] = entry

    def _require_sizes(self, what: str, entries: list[zipfile.ZipInfo], most_bytes: int) -> None:
        """Sizes as declared: `zipfile` itself stops reading a part that holds more than it declares."""
        expanded = sum(entry.file_size for entry in entries)
        packed = sum(entry.compress_size for entry in entries)
        if expanded > most_bytes:
            raise hostile(f"{what} would unpack to more than {most_bytes} bytes")
        beyond_free = expanded > self._limits.expansion_free_bytes
        if beyond_free and expanded > packed * self._limits.expansion_ratio:
            raise hostile(f"{what} would unpack to more than {self._limits.expansion_ratio} times its size")
