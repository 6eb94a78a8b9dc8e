"""The limits of imports that a deployment may set, as the layers below the settings see them."""

from typing import Protocol


class ImportLimits(Protocol):
    """`settings.py` provides these; units end the names, everything else is a count."""

    @property
    def import_max_file_bytes(self) -> int: ...

    @property
    def import_max_rows(self) -> int: ...

    @property
    def import_preview_hours(self) -> int: ...

    @property
    def import_repeat_days(self) -> int: ...

    @property
    def import_undo_days(self) -> int: ...

    @property
    def import_stream_seconds(self) -> float: ...

    @property
    def import_stream_poll_seconds(self) -> float: ...

    @property
    def import_stream_idle_poll_seconds(self) -> float: ...
