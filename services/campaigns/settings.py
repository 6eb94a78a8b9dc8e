"""What a deployment can set for campaigns, beside what all services share."""

from shared.settings import Settings


class CampaignsSettings(Settings):
    """The settings of this service."""
