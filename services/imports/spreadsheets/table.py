"""A file as a table of texts, whatever it was: what `reader.py` returns and `header.py` looks at."""

import msgspec


class Row(msgspec.Struct, frozen=True, array_like=True):
    """One filled row. `number` is the one a spreadsheet shows in its margin, counting from 1."""

    number: int
    cells: list[str]


class Table(msgspec.Struct, frozen=True):
    """The filled rows of a file in order, all of one width; header and titles are rows like others."""

    rows: list[Row]
