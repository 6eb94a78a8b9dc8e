"""What every file for people obeys (M14): no cell is ever taken for a formula, a link or a number by itself.

Loads nothing, since processes of their own write and read files with little memory.
"""

import re

MAX_CELL_CHARACTERS = 32_767
"""A longer text would be dropped whole by a spreadsheet, without a word."""

TEXT_ONLY = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}
"""Options of a workbook whose texts stay texts and whose rows are written as they come."""

_FORMULA_LIKE = re.compile(r"'*[=+\-@\t\r]")


def guard_formula(text: str) -> str:
    """A cell of a .csv that no spreadsheet takes for a formula.

    A text that begins with ' before such a character gets one more, so that reading takes back
    exactly what writing gave.
    """
    return f"'{text}" if _FORMULA_LIKE.match(text) else text
