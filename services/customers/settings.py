"""What a deployment can set for customers, beside what all services share."""

from shared.settings import Seconds, Settings


class CustomersSettings(Settings):
    """The settings of this service; units end the names."""

    long_work_poll_seconds: Seconds = 0.2
    long_work_pause_seconds: Seconds = 2
