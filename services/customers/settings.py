"""What a deployment can set for customers, beside what all services share."""

from shared.settings import Positive, Seconds, Settings


class CustomersSettings(Settings):
    """The settings of this service; units end the names.

    `import_row_days` is how long rows of imports are known by their numbers, with what they wrote over (M9, M10):
    longer than they can be undone at `imports`, and than the broker and its dead letters could bring them again.
    `max_body_bytes` lets 100,000 ids in (R1).
    """

    max_body_bytes: Positive = 5 * 1_048_576

    reveal_single_per_hour: Positive = 60
    reveal_batch_per_hour: Positive = 5_000

    import_row_days: Positive = 45

    export_max_rows: Positive = 1_000_000
    export_file_days: Positive = 7
    export_attempts: Positive = 3
    export_lease_seconds: Seconds = 60
    export_seconds: Seconds = 900

    long_work_poll_seconds: Seconds = 0.2
    long_work_pause_seconds: Seconds = 2
