"""What a deployment can set for imports; units end the names."""

from typing import Self

from pydantic import model_validator

from shared.settings import Positive, Seconds, Settings

MIB = 1024 * 1024

BESIDE_A_FILE_BYTES = 64 * 1024
"""What the other parts of an upload may take."""


class ImportsSettings(Settings):
    """Settings of the imports service.

    `max_body_bytes`, unless it is set, leaves room for the other parts of an upload beside a file of
    `import_max_file_bytes`, so that a file just over its limit is told apart from a flood; the limits of the
    reading process follow `import_max_rows`. A dead worker's import is taken over when its lease ends.
    """

    import_max_file_bytes: Positive = 5 * MIB
    import_max_rows: Positive = 2_000
    import_preview_hours: Positive = 24
    import_repeat_days: Positive = 30
    import_unconfirmed_days: Positive = 7
    import_content_days: Positive = 30
    import_undo_days: Positive = 7
    reveal_batch_per_hour: Positive = 5_000

    import_work_at_once: Positive = 2
    import_work_poll_seconds: Seconds = 1
    import_work_attempts: Positive = 3
    import_work_pause_seconds: Seconds = 2
    import_lease_seconds: Seconds = 25
    import_silence_seconds: Seconds = 120
    import_silence_poll_seconds: Seconds = 15

    import_stream_poll_seconds: Seconds = 0.1
    import_stream_idle_poll_seconds: Seconds = 1
    import_stream_seconds: Seconds = 600

    @model_validator(mode="after")
    def _body_of_a_file(self) -> Self:
        if "max_body_bytes" not in self.model_fields_set:
            self.max_body_bytes = self.import_max_file_bytes + BESIDE_A_FILE_BYTES
        return self
