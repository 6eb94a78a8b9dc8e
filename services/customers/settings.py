"""What a deployment can set for customers, beside what all services share."""

from shared.settings import Positive, Seconds, Settings


class CustomersSettings(Settings):
    """The settings of this service; units end the names."""

    reveal_single_per_hour: Positive = 60
    reveal_batch_per_hour: Positive = 5_000

    long_work_poll_seconds: Seconds = 0.2
    long_work_pause_seconds: Seconds = 2
