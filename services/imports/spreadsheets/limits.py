"""Every limit on a file that is read, in one place; a caller's settings replace what it wants to.

The defaults let 98 % of some two thousand real workbooks through and refuse each of 48 bombs tried
on the reader. Imports only `dataclasses`: the child process loads it on every import.
"""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True)
class Limits:
    """Sizes in the unit that ends the name, everything else a count; all are inclusive."""

    file_bytes: int = 5 * MIB
    data_rows: int = 2_000
    heading_rows: int = 5  # title lines above the header, which are no data (M1 counts data rows)
    row_index: int = 10_000  # the reader makes a dense grid: one cell far away would cost gigabytes
    columns: int = 256
    cells: int = 512_000
    text_characters: int = 32_767  # what a spreadsheet cell can hold
    merges: int = 20_000

    entries: int = 2_000
    part_bytes: int = 64 * MIB
    total_bytes: int = 128 * MIB
    structure_part_bytes: int = 1 * MIB  # workbook, relationships, content types
    expansion_ratio: int = 200
    expansion_free_bytes: int = 8 * MIB  # small parts of blank cells honestly shrink far more than 200 times

    sheets: int = 100
    shared_strings: int = 200_000
    styles: int = 65_536
    depth: int = 64
    attributes: int = 256
    token_bytes: int = 256 * KIB

    child_memory_bytes: int = 512 * MIB
    child_cpu_seconds: int = 10
    child_wall_seconds: float = 15
    answer_bytes: int = 32 * MIB

    @classmethod
    def of(cls, file_bytes: int, data_rows: int) -> "Limits":
        """The limits for files of this size: what grows with rows follows a larger number of rows."""
        more_rows = max(data_rows - cls.data_rows, 0)
        return cls(
            file_bytes=file_bytes,
            data_rows=data_rows,
            row_index=cls.row_index + 2 * more_rows,
            cells=cls.cells + 64 * more_rows,
            shared_strings=cls.shared_strings + 16 * more_rows,
            part_bytes=cls.part_bytes + 2 * KIB * more_rows,
            total_bytes=cls.total_bytes + 4 * KIB * more_rows,
            child_memory_bytes=cls.child_memory_bytes + 16 * KIB * more_rows,
            child_cpu_seconds=cls.child_cpu_seconds + more_rows // 1_000,
            child_wall_seconds=cls.child_wall_seconds + more_rows / 500,
            answer_bytes=cls.answer_bytes + 2 * KIB * more_rows,
        )
