"""What the campaigns service is made of: the only place where its parts are put together."""

from services.campaigns import consumers
from services.campaigns.api import automations, campaigns, distribution, long_work, opportunities, staff, statuses
from services.campaigns.commands.republishing import SOURCES
from services.campaigns.jobs import distribute_waiting, purge_of_campaigns
from services.campaigns.settings import CampaignsSettings
from services.campaigns.worker import automate, work
from shared.messaging import subscriptions_in
from shared.service import Service

SERVICE = Service(
    name="campaigns",
    title="Rapport: campaigns",
    description="Campaigns, their staff and opportunities, and the distribution of opportunities, automation rules.",
    package="services.campaigns",
    routers=(
        campaigns.routes,
        staff.routes,
        statuses.routes,
        distribution.routes,
        opportunities.routes,
        long_work.routes,
        automations.routes,
    ),
    subscriptions=subscriptions_in(consumers),
    settings=CampaignsSettings,
    jobs={"distribute-waiting": distribute_waiting, "purge": purge_of_campaigns},
    republished=SOURCES,
    workers=(work, automate),
)
