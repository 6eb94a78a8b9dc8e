"""What `campaigns` tells again, by topic, removed opportunities too, to repair the copies of others."""

from collections.abc import Mapping, Sequence

from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.opportunity import Opportunity
from shared.contracts.campaigns import CAMPAIGNS, OPPORTUNITIES
from shared.republishing import Source, rows_of

SOURCES: Mapping[str, Sequence[Source]] = {
    CAMPAIGNS.name: (rows_of(Campaign, Campaign.told_again),),
    OPPORTUNITIES.name: (rows_of(Opportunity, Opportunity.told_again),),
}
