"""Limits that a deployment sets and rules name: what commands and routes ask of the settings."""

from typing import Protocol


class RevealLimits(Protocol):
    """How many answers an hour may tell one employee that a hidden customer has a number (R3)."""

    reveal_single_per_hour: int
    reveal_batch_per_hour: int


class ExportLimits(Protocol):
    """How large exports may become, and how long their files stay (M14)."""

    export_max_rows: int
    export_file_days: int
