"""What a deployment can set for campaigns, beside what all services share."""

from shared.settings import Seconds, Settings


class CampaignsSettings(Settings):
    """The settings of this service: how often it looks for long work, and how long it rests after a fault."""

    long_work_poll_seconds: Seconds = 0.5
    long_work_pause_seconds: Seconds = 2
