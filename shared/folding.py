"""Comparing names as people do: lower case, no tone marks, đ = d. Done in Python, stored in columns.

Folding in one place keeps the search, the uniqueness of names and the matching of files equal;
PostgreSQL's `unaccent` would fold differently and per database.
"""

import re
import unicodedata

_WORD = re.compile(r"[0-9a-z]+")
_EXTRA = str.maketrans({"đ": "d", "ð": "d", "ø": "o", "ł": "l", "ß": "ss", "æ": "ae", "œ": "oe"})


class _Bare(dict[int, int | str | None]):
    """What becomes of each decomposed letter, found out once: asking for each is most of a fold's time."""

    def __missing__(self, code: int) -> int | None:
        self[code] = bare = None if unicodedata.combining(chr(code)) else code
        return bare


_BARE = _Bare(_EXTRA)


def fold(text: str) -> str:
    """The text as it is compared: `Nguyễn Thị ĐÀO` becomes `nguyen thi dao`; inner spaces single."""
    if text.isascii():
        return " ".join(text.lower().split())
    return " ".join(unicodedata.normalize("NFKD", text.casefold()).translate(_BARE).split())


def words(text: str) -> list[str]:
    """The folded words of a text, letters and digits only, in order, repeated ones kept."""
    return _WORD.findall(fold(text))


def composed(text: str) -> str:
    """The text in NFC with surrounding space removed, as names are stored."""
    return unicodedata.normalize("NFC", text).strip()
