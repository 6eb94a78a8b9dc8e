"""What `campaigns` tells again, by topic, removed opportunities too, to repair the copies of others."""

from collections.abc import Mapping, Sequence

from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.opportunity import Opportunity
from shared.contracts.campaigns import CAMPAIGNS, OPPORTUNITIES
from shared.contracts.events import Event
from shared.republishing import Source, rows_of


def _again(one: Campaign | Opportunity) -> Event:
    return one.told_again()


SOURCES: Mapping[str, Sequence[Source]] = {
    CAMPAIGNS.name: (rows_of(Campaign, _again),),
    OPPORTUNITIES.name: (rows_of(Opportunity, _again),),
}
