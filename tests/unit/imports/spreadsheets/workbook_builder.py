"""Builds workbooks part by part, honest ones and such as no program would write."""

import io
import zipfile
from collections.abc import Iterable, Mapping

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
SHEET_PATH = "xl/worksheets/sheet1.xml"

WORKBOOK_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"


def content_types(workbook_type: str = WORKBOOK_TYPE) -> str:
    """The part that says what kind of document the container holds."""
    return (
        f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{workbook_type}"/></Types>'
    )


def relationships(targets: Mapping[str, tuple[str, str]]) -> str:
    """A relationships part: id → (last word of the type, target)."""
    items = "".join(
        f'<Relationship Id="{key}" Type="{RELATIONSHIPS}/{kind}" Target="{target}"/>'
        for key, (kind, target) in targets.items()
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{items}</Relationships>'


def workbook(sheets: str = '<sheet name="A" sheetId="1" r:id="rId1"/>') -> str:
    """The list of sheets."""
    return f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONSHIPS}"><sheets>{sheets}</sheets></workbook>'


def sheet(rows: str, after: str = "") -> str:
    """A worksheet of the given rows; `after` follows the cells, as merged ranges do."""
    return f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData>{after}</worksheet>'


def row(number: int, *cells: str) -> str:
    """A row of texts from column A on."""
    inside = "".join(
        f'<c r="{"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index]}{number}" t="inlineStr"><is><t>{cell}</t></is></c>'
        for index, cell in enumerate(cells)
    )
    return f'<row r="{number}">{inside}</row>'


def parts(**changed: str | None) -> dict[str, str | bytes]:
    """The parts of a small honest workbook; keyword `sheet`, `workbook`, `types`, … replaces one."""
    names = {
        "types": "[Content_Types].xml",
        "package": "_rels/.rels",
        "workbook": "xl/workbook.xml",
        "targets": "xl/_rels/workbook.xml.rels",
        "strings": "xl/sharedStrings.xml",
        "styles": "xl/styles.xml",
        "sheet": SHEET_PATH,
    }
    honest: dict[str, str | None] = {
        "types": content_types(),
        "package": relationships({"rId1": ("officeDocument", "xl/workbook.xml")}),
        "workbook": workbook(),
        "targets": relationships({"rId1": ("worksheet", "worksheets/sheet1.xml")}),
        "strings": None,
        "styles": None,
        "sheet": sheet(row(1, "Name", "Phone") + row(2, "Lan", "0901234567")),
    }
    return {names[key]: text for key, text in (honest | changed).items() if text is not None}


def packed(entries: Mapping[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The container of these entries."""
    return packed_pairs(entries.items(), method)


def packed_pairs(entries: Iterable[tuple[str, str | bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The container of entries that may share a name."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return target.getvalue()


def build(**changed: str | None) -> bytes:
    """A workbook with some parts replaced."""
    return packed(parts(**changed))
