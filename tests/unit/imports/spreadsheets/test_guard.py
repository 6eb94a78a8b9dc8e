"""The guard lets honest workbooks through and names the reason for every other."""

import io
import re
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.imports.spreadsheets.errors import UnreadableFile
from services.imports.spreadsheets.guard import check_workbook
from services.imports.spreadsheets.limits import MIB, Limits
from services.imports.spreadsheets.workbook import read_workbook
from tests.unit.imports.spreadsheets.workbook_builder import (
    MAIN,
    SHEET_PATH,
    build,
    content_types,
    packed,
    packed_pairs,
    parts,
    relationships,
    row,
    sheet,
    workbook,
)

LIMITS = Limits()
WORDS_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
MACRO_TYPE = "application/vnd.ms-excel.sheet.macroEnabled.main+xml"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512)


def refusal(content: bytes, limits: Limits = LIMITS) -> UnreadableFile:
    """Why a file is refused."""
    with pytest.raises(UnreadableFile) as caught:
        check_workbook(content, limits)
    return caught.value


def strings(*items: str, attributes: str = "") -> str:
    return f'<sst xmlns="{MAIN}" {attributes}>{"".join(f"<si><t>{item}</t></si>" for item in items)}</sst>'


def merges(count: int) -> str:
    return "<mergeCells>" + '<mergeCell ref="A1:B2"/>' * count + "</mergeCells>"


def nested(depth: int) -> str:
    return sheet("<row>" + "<x>" * depth + "</x>" * depth + "</row>")


def test_an_honest_workbook_passes_with_only_the_parts_a_reader_needs():
    """What was not checked is not handed on: pictures, other sheets, links to other files."""
    entries = parts() | {
        "xl/media/image1.png": b"\x89PNG",
        "xl/externalLinks/externalLink1.xml": "<externalLink/>",
        "xl/worksheets/sheet2.xml": "<!DOCTYPE x><x/>",
    }
    checked = check_workbook(packed(entries), LIMITS)
    with zipfile.ZipFile(io.BytesIO(checked.content)) as archive:
        assert SHEET_PATH in archive.namelist()
        assert not any("media" in name or "external" in name or "sheet2" in name for name in archive.namelist())


HOSTILE_MARKUP: dict[str, Callable[[], bytes]] = {
    "a document type": lambda: build(sheet='<!DOCTYPE x [<!ENTITY a "b">]>' + sheet(row(1, "&a;"))),
    "an external entity": lambda: build(workbook='<!DOCTYPE x SYSTEM "file:///etc/passwd">' + workbook()),
    "UTF-16": lambda: packed(parts() | {SHEET_PATH: sheet(row(1, "x")).encode("utf-16")}),
    "another encoding": lambda: build(sheet='<?xml version="1.0" encoding="windows-1252"?>' + sheet(row(1, "x"))),
    "nesting": lambda: build(sheet=nested(70)),
    "attributes": lambda: build(sheet=sheet("<row " + " ".join(f'a{n}=""' for n in range(300)) + "/>")),
    "an endless tag": lambda: build(sheet=sheet(f'<row spans="{"x" * 600_000}"/>')),
    "no end": lambda: build(sheet=sheet(row(1, "x"))[:-10]),
    "shared strings": lambda: build(strings=strings(*["x"] * 200_001)),
    "a claim of shared strings": lambda: build(strings=strings("x", attributes='uniqueCount="4000000000"')),
    "a long shared string": lambda: build(strings=strings("x" * 32_768)),
    "styles": lambda: build(styles=f'<styleSheet xmlns="{MAIN}"><cellXfs>{"<xf/>" * 65_537}</cellXfs></styleSheet>'),
    "sheets": lambda: build(workbook=workbook('<sheet name="A" sheetId="1" r:id="rId1"/>' * 101)),
    "merged ranges": lambda: build(sheet=sheet(row(1, "x"), merges(20_001))),
    "a cell far away": lambda: build(
        sheet=sheet(row(1, "x") + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')
    ),
    "a cell far right": lambda: build(sheet=sheet('<row r="1"><c r="IW1"><v>1</v></c></row>')),
    "cells without places": lambda: build(sheet=sheet("<row>" + "<c><v>1</v></c>" * 257 + "</row>")),
    "places that depend": lambda: build(sheet=sheet('<row r="1"><c r="XFD1"/><c><v>1</v></c></row>')),
    "an overflowing place": lambda: build(sheet=sheet('<row r="1"><c r="A4294967297"><v>1</v></c></row>')),
    "a place that is none": lambda: build(sheet=sheet('<row r="1"><c r="1A"><v>1</v></c></row>')),
    "cells": lambda: build(sheet=sheet("".join(f"<row>{'<c/>' * 257}</row>" for _ in range(2_000)))),
}


@pytest.mark.parametrize("make", HOSTILE_MARKUP.values(), ids=HOSTILE_MARKUP.keys())
def test_markup_beyond_the_limits_is_hostile(make: Callable[[], bytes]):
    """M1: nothing of a part beyond the limits reaches the reader."""
    assert refusal(make()).code == "hostile_file"


def doubled_name() -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zipfile warns of what this file is made to be
        return packed_pairs([*parts().items(), (SHEET_PATH, sheet(""))])


HOSTILE_CONTAINERS: dict[str, Callable[[], bytes]] = {
    "entries": lambda: packed(parts() | {f"xl/media/{number}": b"" for number in range(2_000)}),
    "two of one name": doubled_name,
    "two of one name but for case": lambda: packed(parts() | {SHEET_PATH.upper(): sheet("")}),
    "a path upwards": lambda: packed(parts() | {"xl/../../evil": b""}),
    "a path upwards with backslashes": lambda: packed(parts() | {"xl\\..\\..\\evil": b""}),
    "an absolute path": lambda: packed(parts() | {"/etc/evil": b""}),
    "an uncommon compression": lambda: packed(parts(), zipfile.ZIP_BZIP2),
    "a bomb by ratio": lambda: packed(parts() | {"xl/media/bomb": bytes(9 * MIB)}),
    "a bomb by size": lambda: packed(parts() | {"xl/media/bomb": bytes(65 * MIB)}),
    "a bomb inside a part that is read": lambda: build(sheet=sheet(" " * 9 * MIB)),
    "a large workbook part": lambda: build(workbook=workbook() + "<!--" + "x" * MIB + "-->"),
    "cut short": lambda: build()[:-40],
    "cut to its head": lambda: build()[:60],
    "flipped bytes": lambda: build().replace(b"\x00\x00xl/workbook.xml", b"\x00\x01xl/workbook.xml", 1)[:-1] + b"\xff",
    "a sheet that is missing": lambda: packed({name: text for name, text in parts().items() if name != SHEET_PATH}),
    "an external sheet": lambda: build(
        targets=relationships({"rId1": ("worksheet", "http://evil.example/sheet1.xml")})
    ),
    "larger than allowed": lambda: build() + bytes(5 * MIB),
}


@pytest.mark.parametrize("make", HOSTILE_CONTAINERS.values(), ids=HOSTILE_CONTAINERS.keys())
def test_containers_beyond_the_limits_are_hostile(make: Callable[[], bytes]):
    """M1: sizes, names and damage are judged before anything is unpacked."""
    assert refusal(make()).code == "hostile_file"


def test_many_bombs_together_are_hostile():
    """Parts that are small enough each may not be too much together."""
    limits = replace(LIMITS, total_bytes=2 * MIB)
    content = packed(parts() | {f"xl/media/{number}": bytes(MIB) for number in range(3)})
    assert refusal(content, limits).code == "hostile_file"


def test_a_lying_size_does_not_unpack_more_than_it_declares():
    """A directory that declares ten bytes for a bomb gets ten bytes read, which are damage."""
    content = build(sheet=sheet(row(1, "x" * 30_000)))
    true_size = len(sheet(row(1, "x" * 30_000))).to_bytes(4, "little")
    assert content.count(true_size) == 2
    assert refusal(content.replace(true_size, (10).to_bytes(4, "little"))).code == "hostile_file"


UNSUPPORTED: dict[str, Callable[[], bytes]] = {
    "a text": lambda: b"Name,Phone\n",
    "another container": lambda: packed({"mimetype": "application/epub+zip"}),
    "a document of words": lambda: build(types=content_types(WORDS_TYPE)),
    "a workbook with macros": lambda: build(types=content_types(MACRO_TYPE)),
    "macros under a plain type": lambda: packed(parts() | {"xl/vbaProject.bin": OLE}),
    "an old workbook": lambda: OLE + "Workbook".encode("utf-16-le"),
    "no worksheet": lambda: build(targets=relationships({"rId1": ("chartsheet", "chartsheets/sheet1.xml")})),
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("make", UNSUPPORTED.values(), ids=UNSUPPORTED.keys())
def test_other_kinds_of_files_are_unsupported(make: Callable[[], bytes]):
    """M1: .xlsx means a workbook without macros, whatever the name says."""
    assert refusal(make()).code == "unsupported_file"


def test_a_workbook_under_a_password_is_encrypted():
    """Spreadsheet programs wrap an encrypted workbook in the old container."""
    assert refusal(OLE).code == "encrypted_file"
    named = OLE + "EncryptedPackage".encode("utf-16-le") + "Workbook".encode("utf-16-le")
    assert refusal(named).code == "encrypted_file"


def test_an_encrypted_container_is_encrypted():
    """ZIP has a password of its own; the flag of any entry tells."""
    content = bytearray(build())
    for place in re.finditer(rb"PK\x01\x02", bytes(content)):
        content[place.start() + 8] |= 1
    assert refusal(bytes(content)).code == "encrypted_file"


def test_more_rows_than_the_grid_holds_are_too_many_not_hostile():
    """M1: a long list of customers is an honest mistake and gets an honest answer."""
    content = build(sheet=sheet("".join(row(number, "x") for number in range(1, 10_002))))
    assert refusal(content).code == "too_many_rows"


def test_formatted_but_empty_cells_far_down_do_no_harm():
    """People format whole columns; only values count against rows and columns."""
    far = '<row r="1048576"><c r="XFD1048576" s="1"/></row>'
    content = build(sheet=sheet(row(1, "Name", "Phone") + far))
    assert read_workbook(content, LIMITS) == [(1, ["Name", "Phone"])]


def test_the_first_visible_worksheet_is_read():
    """M1: charts and hidden sheets in front of it are not what anybody uploads."""
    entries = parts(
        workbook=workbook(
            '<sheet name="C" sheetId="1" r:id="rId1"/><sheet name="H" sheetId="2" state="hidden" r:id="rId2"/>'
            '<sheet name="A" sheetId="3" r:id="rId3"/>'
        ),
        targets=relationships(
            {
                "rId1": ("chartsheet", "chartsheets/sheet1.xml"),
                "rId2": ("worksheet", "worksheets/sheet2.xml"),
                "rId3": ("worksheet", "/xl/worksheets/sheet1.xml"),
            }
        ),
    ) | {"xl/worksheets/sheet2.xml": sheet(row(1, "hidden"))}
    assert read_workbook(packed(entries), LIMITS)[0] == (1, ["Name", "Phone"])


def test_prefixed_markup_is_counted_like_any_other():
    """A namespace prefix on every element hides no cell from the guard."""
    far = (
        f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row r="1048576"><x:c r="A1048576"><x:v>1</x:v></x:c>'
        "</x:row></x:sheetData></x:worksheet>"
    )
    assert refusal(build(sheet=far)).code == "hostile_file"


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(sorted(parts())))
def test_whatever_is_done_to_a_workbook_it_gives_rows_or_a_reason(seed: int, changed_part: str):
    """No damage to the markup or the container shows as an error of another kind."""
    random = Random(seed)
    entries = parts()
    text = list(str(entries[changed_part]))
    for _ in range(random.randint(1, 3)):
        place = random.randrange(len(text))
        text[place : place + random.randint(0, 8)] = random.choices('<>/"= rtcvA19-&;', k=random.randint(0, 8))
    content = bytearray(packed(entries | {changed_part: "".join(text)}))
    if random.random() < 0.3:
        content[random.randrange(len(content))] = random.randrange(256)
    with suppress(UnreadableFile):
        assert read_workbook(bytes(content), LIMITS)
