"""Files that somebody made to hurt, by what they try; beside each what it is answered with.

None as the code: nothing in it is harmful to a reader that follows nothing, and its rows are read.
"""

import copy
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from services.imports.spreadsheets.limits import MIB
from tests.unit.imports.spreadsheets.workbook_builder import (
    MAIN,
    RELATIONSHIPS,
    SHEET_PATH,
    build,
    content_types,
    packed,
    parts,
    relationships,
    row,
    sheet,
    workbook,
)

HOSTILE, UNSUPPORTED, ENCRYPTED = "hostile_file", "unsupported_file", "encrypted_file"
WORDS_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
BINARY_TYPE = "application/vnd.ms-excel.sheet.binary.macroEnabled.main"
MACRO_TYPE = "application/vnd.ms-excel.sheet.macroEnabled.main+xml"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512)
FILE_BYTES = 5 * MIB


@dataclass(frozen=True)
class Attempt:
    """One file and its answer; `name` decides what kind it pretends to be."""

    make: Callable[[], bytes]
    code: str | None = HOSTILE
    name: str = "a.xlsx"


def texts(*items: str, attributes: str = "", before: str = "") -> str:
    """The part of shared strings."""
    inside = "".join(f"<si><t>{item}</t></si>" for item in items)
    return f'{before}<sst xmlns="{MAIN}" {attributes}>{inside}</sst>'


def laughs() -> str:
    """A billion texts out of ten entities."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE sst [<!ENTITY l0 "ha">{entities}]>'


def one_text_in_every_cell() -> bytes:
    """A small file whose cells all show one long text: gigabytes once every cell has its copy."""
    cells = ("<row>" + '<c t="s"><v>0</v></c>' * 200 + "</row>") * 1_000
    return build(strings=texts("x" * 32_767), sheet=sheet(cells))


def styles(inside: str) -> bytes:
    """A workbook with such cell formats."""
    return build(styles=f'<styleSheet xmlns="{MAIN}">{inside}</styleSheet>')


def entries_on_top_of_each_other() -> bytes:
    """A directory in which the sheet lies where another part lies."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts(strings=texts("x")).items():
            archive.writestr(name, content)
        twin = copy.copy(archive.getinfo("xl/sharedStrings.xml"))
        twin.filename = SHEET_PATH
        archive.filelist = [*(entry for entry in archive.filelist if entry.filename != SHEET_PATH), twin]
    return target.getvalue()


def linked(*relationship: str) -> bytes:
    """A workbook that names other files, and one cell that is a formula over one of them."""
    external = f'<Relationship Id="rId9" Type="{RELATIONSHIPS}/externalLink" Target="{relationship[0]}"/>'
    targets = relationships({"rId1": ("worksheet", "worksheets/sheet1.xml")}).replace("</Rel", f"{external}</Rel", 1)
    formula = '<row r="3"><c r="A3"><f>cmd|\'/C calc\'!A0</f><v>7</v></c></row>'
    entries = parts(targets=targets, sheet=sheet(row(1, "Name", "Phone") + row(2, "Lan", "0901234567") + formula))
    return packed(entries | {"xl/externalLinks/externalLink1.xml": "<!DOCTYPE x SYSTEM 'file:///etc/passwd'><x/>"})


def under_a_password() -> bytes:
    """A container whose every entry is encrypted."""
    content = bytearray(build())
    place = content.find(b"PK\x01\x02")
    while place >= 0:
        content[place + 8] |= 1
        place = content.find(b"PK\x01\x02", place + 1)
    return bytes(content)


ATTEMPTS: dict[str, Attempt] = {
    "bomb by ratio": Attempt(lambda: build(sheet=sheet(" " * 9 * MIB))),
    "bomb by a part nobody needs": Attempt(lambda: packed(parts() | {"xl/media/bomb": bytes(65 * MIB)})),
    "bomb by entries": Attempt(lambda: packed(parts() | {f"xl/media/{number}": b"" for number in range(2_000)})),
    "entries on top of each other": Attempt(entries_on_top_of_each_other),
    "shared strings by number": Attempt(lambda: build(strings=texts(*["x"] * 200_001))),
    "shared strings by claim": Attempt(lambda: build(strings=texts("x", attributes='uniqueCount="4000000000"'))),
    "one shared string in every cell": Attempt(one_text_in_every_cell),
    "styles by number": Attempt(lambda: styles(f"<cellXfs>{'<xf/>' * 65_537}</cellXfs>")),
    "number formats by number": Attempt(lambda: styles(f"<numFmts>{'<numFmt/>' * 65_537}</numFmts>")),
    "a number format without end": Attempt(lambda: styles(f'<numFmt formatCode="{"0" * 600_000}"/>')),
    "cells by number": Attempt(lambda: build(sheet=sheet("".join(f"<row>{'<c/>' * 257}</row>" for _ in range(2_000))))),
    "a cell at XFD1048576": Attempt(
        lambda: build(sheet=sheet(row(1, "x") + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'))
    ),
    "elements within elements": Attempt(lambda: build(sheet=sheet("<x>" * 200_000 + "</x>" * 200_000))),
    "a comment without end": Attempt(lambda: build(sheet=sheet(row(1, "x")) + f"<!--{'x' * 7 * MIB}-->")),
    "entities of entities": Attempt(lambda: build(strings=texts("&l9;", before=laughs()))),
    "an entity from a file": Attempt(
        lambda: build(strings=texts("&x;", before='<!DOCTYPE sst [<!ENTITY x SYSTEM "file:///etc/passwd">]>'))
    ),
    "a document type from the network": Attempt(
        lambda: build(workbook=f'<!DOCTYPE workbook SYSTEM "http://127.0.0.1:9/x">{workbook()}')
    ),
    "a sheet in another file": Attempt(
        lambda: build(targets=relationships({"rId1": ("worksheet", "file:///etc/passwd")}))
    ),
    "links to other files": Attempt(lambda: linked("file://server/share/a.xlsx"), None),
    "a workbook within the workbook": Attempt(lambda: packed(parts() | {"xl/embeddings/a.xlsx": build()}), None),
    "a container around the workbook": Attempt(lambda: packed({"a.xlsx": build()}), UNSUPPORTED),
    "a path out of the container": Attempt(lambda: packed(parts() | {"../../etc/cron.d/evil": b"x"})),
    "macros by content type": Attempt(lambda: build(types=content_types(MACRO_TYPE)), UNSUPPORTED),
    "macros under a plain content type": Attempt(lambda: packed(parts() | {"xl/vbaProject.bin": OLE}), UNSUPPORTED),
    "macros by name": Attempt(lambda: build(types=content_types(MACRO_TYPE)), UNSUPPORTED, "a.xlsm"),
    "a binary workbook": Attempt(lambda: build(types=content_types(BINARY_TYPE)), UNSUPPORTED),
    "a document of words": Attempt(lambda: build(types=content_types(WORDS_TYPE)), UNSUPPORTED),
    "an open document": Attempt(
        lambda: packed({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}), UNSUPPORTED
    ),
    "a page of the web": Attempt(lambda: b"<html><table><tr><td>Lan</td></tr></table></html>", UNSUPPORTED),
    "an old workbook": Attempt(lambda: OLE + "Workbook".encode("utf-16-le"), UNSUPPORTED),
    "an old workbook by name": Attempt(lambda: OLE + "Workbook".encode("utf-16-le"), UNSUPPORTED, "a.xls"),
    "a workbook under a password": Attempt(lambda: OLE + "EncryptedPackage".encode("utf-16-le"), ENCRYPTED),
    "a container under a password": Attempt(under_a_password, ENCRYPTED),
    "cut in the middle": Attempt(lambda: build()[: len(build()) // 2]),
    "cut before its directory ends": Attempt(lambda: build()[:-30]),
    "cut after its first bytes": Attempt(lambda: build()[:4]),
    "a text with NUL": Attempt(lambda: "Tên,SĐT\nLan\x00,0901234567\n".encode(), UNSUPPORTED, "a.csv"),
    "a workbook that says it is a text": Attempt(build, UNSUPPORTED, "a.csv"),
    "a line without end": Attempt(lambda: b"x" * FILE_BYTES, name="a.csv"),
    "a row without end": Attempt(lambda: b"x," * (FILE_BYTES // 2), name="a.csv"),
    "a quoted cell without end": Attempt(lambda: b'a,b\n1,"' + b"x\n" * (2 * MIB), name="a.csv"),
    "quotation marks without end": Attempt(lambda: b'"' * FILE_BYTES, name="a.csv"),
    "lines without end": Attempt(lambda: b"\n" * (FILE_BYTES - 1) + b"x", name="a.csv"),
}
