"""What a deployment can set for campaigns, beside what all services share."""

from shared.settings import Seconds, Settings


class CampaignsSettings(Settings):
    """The settings of this service: how often it looks for work, and how long it rests after a fault."""

    long_work_poll_seconds: Seconds = 0.2
    automation_poll_seconds: Seconds = 0.1
    long_work_pause_seconds: Seconds = 2
