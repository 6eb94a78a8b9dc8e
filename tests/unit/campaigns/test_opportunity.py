"""What an opportunity allows and tells (K2, K3, K7)."""

from datetime import UTC, datetime, timedelta

import pytest

from services.campaigns.domain.campaign import FIRST_STATUSES, Campaign
from services.campaigns.domain.errors import CustomerAway, OpportunityClosed
from services.campaigns.domain.opportunity import Opportunity
from services.campaigns.domain.people import Employee
from shared.contracts.campaigns import OpportunityOwnerAssigned
from shared.contracts.events import Cause, Money
from shared.envelope import new_id
from shared.errors import InactiveEmployee

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
CAUSE = Cause(kind="user", id="somebody")
REASON = {"code": "by_hand"}


@pytest.fixture
def campaign() -> Campaign:
    """A campaign with New, Won and Lost."""
    campaign = Campaign(
        id=new_id(),
        code="CP000001",
        name="Tết",
        state="active",
        manager_ids=[],
        relevant_ids=[],
        allow_repeat=False,
        manager_policy="replace",
        keep_previous_as_viewer=False,
    )
    campaign.begin(CAUSE, FIRST_STATUSES)
    return campaign


@pytest.fixture
def opportunity(campaign: Campaign) -> Opportunity:
    """A new opportunity that was told once."""
    opportunity = Opportunity.begin(campaign, new_id(), NOW)
    opportunity.created(CAUSE)
    return opportunity


def somebody(*, active: bool = True) -> Employee:
    """An employee."""
    return Employee(id=new_id(), code="NV1", name="Lan", active=active)


def test_each_assignment_is_later_than_the_one_before_even_when_the_clock_stands(opportunity: Opportunity) -> None:
    """K3: a second assignment at the same or an earlier time of the clock still compares as later."""
    times = []
    for at in (NOW, NOW, NOW - timedelta(hours=1)):
        [event] = opportunity.assign_owner(somebody(), at, REASON, CAUSE)
        assert isinstance(event, OpportunityOwnerAssigned)
        times.append(event.state.owner_assigned_at)
    assert times == sorted(set(times))


def test_an_assignment_carries_the_policy_of_its_moment(opportunity: Opportunity, campaign: Campaign) -> None:
    """K3: the campaign's policy is settled with the assignment; changing it later decides nothing anew."""
    campaign.manager_policy = "only_if_unassigned"
    [assigned] = opportunity.assign_owner(somebody(), NOW, REASON, CAUSE)
    campaign.manager_policy = "replace"
    [revised] = opportunity.revise(CAUSE, {"probability": 40})
    assert isinstance(assigned, OpportunityOwnerAssigned)
    assert assigned.state.manager_policy == revised.state.manager_policy == "only_if_unassigned"


def test_the_same_owner_again_changes_nothing(opportunity: Opportunity) -> None:
    """K2: who owns it already is not assigned again: same version, no event."""
    owner = somebody()
    opportunity.assign_owner(owner, NOW, REASON, CAUSE)
    version = opportunity.version
    assert opportunity.assign_owner(owner, NOW, REASON, CAUSE) == []
    assert opportunity.version == version


def test_inactive_people_closed_and_resting_opportunities_are_refused(
    opportunity: Opportunity, campaign: Campaign
) -> None:
    """A6, K7: nobody inactive receives anything; won ones and those of deleted customers take no owner."""
    with pytest.raises(InactiveEmployee):
        opportunity.assign_owner(somebody(active=False), NOW, REASON, CAUSE)
    opportunity.suspend(CAUSE)
    with pytest.raises(CustomerAway):
        opportunity.assign_owner(somebody(), NOW, REASON, CAUSE)
    opportunity.resume(CAUSE)
    opportunity.revise(CAUSE, {"status_id": campaign.statuses[1].id})
    with pytest.raises(OpportunityClosed):
        opportunity.assign_owner(somebody(), NOW, REASON, CAUSE)


def test_several_changes_raise_the_version_once_each(opportunity: Opportunity, campaign: Campaign) -> None:
    """K2: every event has a version of its own, and names what it changed with the old value."""
    [first] = opportunity.revise(CAUSE, {"value": Money(amount=5_000_000), "probability": 30})
    [second] = opportunity.revise(CAUSE, {"value": None})
    assert (first.version, second.version) == (2, 3)
    assert set(first.changed) == {"value", "probability"}
    assert second.before == {"value": Money(amount=5_000_000)}
    assert opportunity.revise(CAUSE, {"value": None}) == []
