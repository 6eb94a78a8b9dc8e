"""Keyset cursors that carry nothing readable, are bound to their filter and sort, and cannot be forged.

A cursor is the last row's sort values, encrypted and authenticated (AES-GCM) together with a digest
of the query it belongs to; every replica of a deployment shares the key.
"""

import base64
import hashlib
import os
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import Invalid

NONCE_BYTES = 12
MAX_CURSOR_LENGTH = 6_000
"""Two texts of 500 characters by which a list is sorted, in whichever script."""


class Cursors:
    """Makes and reads cursors with one deployment's key (32 bytes, base64url)."""

    def __init__(self, key: str) -> None:
        raw = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
        self._cipher = AESGCM(hashlib.sha256(raw).digest())

    def make(self, query: Any, position: list[Any]) -> str:
        """A cursor to continue `query` (anything JSON) behind the row with these sort values."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, msgspec.json.encode(position), _digest(query))
        return base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def read(self, query: Any, cursor: str | None) -> list[Any] | None:
        """The position in a cursor; None for the first page. Raises Invalid `bad_cursor`."""
        if cursor is None:
            return None
        try:
            if len(cursor) > MAX_CURSOR_LENGTH:
                raise ValueError
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            return msgspec.json.decode(self._cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _digest(query)))
        except (ValueError, InvalidTag):
            raise Invalid("bad_cursor") from None


def _digest(query: Any) -> bytes:
    return hashlib.sha256(msgspec.json.encode(query, order="deterministic")).digest()
