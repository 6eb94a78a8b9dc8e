"""What every file of people obeys (M14): no cell is taken for a formula, a link or a number by itself; texts are clean.

Loads nothing, since processes of their own write and read files with little memory.
"""

import re
import unicodedata

MAX_CELL_CHARACTERS = 32_767
"""A longer text would be dropped whole by a spreadsheet, without a word."""

TEXT_ONLY = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}
"""Options of a workbook whose texts stay texts and whose rows are written as they come."""

# A spreadsheet set to another separator than ours splits cells where it stands, whatever quotes are around them; a
# quotation mark behind it is then the spreadsheet's own.
_FORMULA_LIKE = re.compile(r"""^(?='*[=+\-@\t\r])|(?<=[;|\t\n\r])(?=['"]*[=+\-@\t\r])""")
_GUARDED = re.compile(r"""^'(?='*[=+\-@\t\r])|(?<=[;|\t\n\r])'(?=['"]*[=+\-@\t\r])""")

CLEAR_TEXT = "#CLEAR"
"""What a cell says to empty its field (M5)."""

_CLEAR_LIKE = re.compile(f"'*{CLEAR_TEXT}")

# PostgreSQL refuses NUL in text, and no person typed the other control characters.
_CONTROL_CHARACTERS = {code: None for code in range(32) if chr(code) not in "\t\n"}


def guard_formula(text: str) -> str:
    """A cell of a .csv that no spreadsheet takes for a formula, nor any part of it behind ; | tab or line break.

    A text that begins with ' before such a character gets one more, so that reading takes back
    exactly what writing gave.
    """
    return _FORMULA_LIKE.sub("'", text)


def unguard_formula(cell: str) -> str:
    """What a cell of a .csv says: the exact inverse of `guard_formula`."""
    return _GUARDED.sub("", cell) if "'" in cell else cell


def guard_clear(text: str) -> str:
    """A cell of any re-importable file that says its text, also where that is `#CLEAR` (M5): it gets a leading '.

    The comparison is the reader's, who takes space and control characters away first.
    """
    if "#" not in text:
        return text
    read = clean_text(text).strip()
    return f"'{read}" if _CLEAR_LIKE.fullmatch(read) else text


def unguard_clear(text: str) -> str:
    """What a cell that was read says: the inverse of `guard_clear`."""
    return text[1:] if text.startswith("'") and _CLEAR_LIKE.fullmatch(text) else text


def clean_text(text: str) -> str:
    """The text in NFC (phones and Macs send tones as separate marks), without control characters."""
    if text.isprintable() and unicodedata.is_normalized("NFC", text):
        return text
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", lines).translate(_CONTROL_CHARACTERS)
