"""What a hand-written statement answers: rows whose columns have names, read once or many times."""

from collections.abc import Iterator
from typing import Any

import asyncpg


class Row(asyncpg.Record):
    """One row: by position, by name, or unpacked; equal to the tuple of its values."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __eq__(self, other: object) -> bool:
        return tuple(self) == (tuple(other) if isinstance(other, Row) else other)

    def __hash__(self) -> int:
        return hash(tuple(self))


class UnexpectedRows(RuntimeError):
    """A statement answered no row, or several, where its author promised one."""


class Rows:
    """All rows of an answer."""

    __slots__ = ("_rows",)

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def all(self) -> list[Row]:
        """Every row."""
        return self._rows

    def first(self) -> Row | None:
        """The first row, if any."""
        return self._rows[0] if self._rows else None

    def one(self) -> Row:
        """The only row. Raises UnexpectedRows."""
        if len(self._rows) != 1:
            raise UnexpectedRows(f"{len(self._rows)} rows instead of one")
        return self._rows[0]

    def one_or_none(self) -> Row | None:
        """The only row, if any. Raises UnexpectedRows for several."""
        return self.one() if self._rows else None

    def scalar_one(self) -> Any:
        """The first column of the only row. Raises UnexpectedRows."""
        return self.one()[0]

    def scalar_one_or_none(self) -> Any:
        """The first column of the only row, if any. Raises UnexpectedRows for several."""
        return self.one()[0] if self._rows else None

    def scalars(self) -> list[Any]:
        """The first column of every row."""
        return [row[0] for row in self._rows]
