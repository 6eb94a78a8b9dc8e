"""What the campaigns service is made of: the only place where its parts are put together."""

from services.campaigns import consumers
from services.campaigns.api import campaigns, distribution, opportunities, staff, statuses
from services.campaigns.commands.publishing import republish
from services.campaigns.jobs import distribute_waiting, purge_with_selections
from shared.messaging import subscriptions_in
from shared.service import Service

SERVICE = Service(
    name="campaigns",
    title="Rapport: campaigns",
    description="Campaigns, their staff and opportunities, and the distribution of opportunities.",
    package="services.campaigns",
    routers=(campaigns.routes, staff.routes, statuses.routes, distribution.routes, opportunities.routes),
    subscriptions=subscriptions_in(consumers),
    jobs={"distribute-waiting": distribute_waiting, "purge": purge_with_selections},
    republish=republish,
)
