"""JSON bodies as they must be: what PostgreSQL or a 64-bit reader could not take is refused at the door.

NaN, 1e999, integers of 30 digits, NUL and lone surrogates each gave a 500 somewhere behind; here
they give `validation_failed` before any rule has looked at them.
"""

import re
from typing import Any

import msgspec

from shared.errors import FieldError, Invalid

MAX_DEPTH = 64
MAX_INTEGER = 2**63 - 1

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def decode(body: bytes) -> Any:
    """The value of a JSON body. Raises Invalid."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(errors=(FieldError("", "malformed_json", str(error)[:200]),)) from None
    _check(value, "", 0)
    return value


def _check(value: Any, pointer: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Invalid.at(pointer[:200], detail=f"deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        if not text_is_storable(value):
            raise Invalid.at(pointer, detail="a text holds NUL or a lone surrogate")
    elif isinstance(value, dict):
        for key, part in value.items():
            if not text_is_storable(key):
                raise Invalid.at(pointer, detail="a name holds NUL or a lone surrogate")
            _check(part, f"{pointer}/{key}", depth + 1)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            _check(part, f"{pointer}/{index}", depth + 1)
    elif isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise Invalid.at(pointer, detail="an integer beyond 64 bits")


def text_is_storable(text: str) -> bool:
    """Whether a text can be stored: no NUL, no half of a surrogate pair."""
    return _UNSTORABLE.search(text) is None
