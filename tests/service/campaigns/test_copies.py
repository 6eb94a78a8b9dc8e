"""Copies of others' state, and telling our own again to repair theirs."""

from services.campaigns.app import SERVICE
from shared.contracts.campaigns import CAMPAIGNS, OPPORTUNITIES, OpportunityOwnerAssigned, OpportunityRemoved
from shared.contracts.catalogue import read_by
from shared.contracts.classification import (
    ClassificationItemState,
    GroupChanged,
    RelationshipChanged,
    RelationshipNames,
    RelationshipState,
    relationship_id,
)
from shared.contracts.events import Cause, Topic
from shared.envelope import new_id
from tests.service.campaigns.conftest import API, Office

CAUSE = Cause(kind="system")


def test_every_topic_that_campaigns_reads_is_consumed() -> None:
    """Readiness waits for each of them."""
    assert {s.topic.name for s in SERVICE.subscriptions} == {topic.name for topic in read_by("campaigns")}


async def test_the_newest_version_of_an_item_stays_whatever_comes_later(office: Office) -> None:
    """An older version changes nothing, the same one may repair; groups and relationships lie side by side."""
    group_id = new_id()

    def group(version: int, name: str) -> GroupChanged:
        state = ClassificationItemState(
            id=group_id, kind="group", code="VIP", name=name, parent_id=None, state="active"
        )
        return GroupChanged(version=version, state=state, cause=CAUSE)

    hot = RelationshipState(
        id=relationship_id("hot"),
        key="hot",
        names=RelationshipNames(vi="Nóng", en="Hot"),
        color="#ef4444",
        position=3,
        forget_after_days=30,
        state="active",
    )
    await office.harness.deliver(group(3, "VIP"), RelationshipChanged(version=1, state=hot, cause=CAUSE))
    await office.harness.deliver(group(2, "old"))
    await office.harness.deliver(group(3, "Very important"))
    rows = await office.harness.sql("SELECT kind, code, name, version FROM classification ORDER BY kind")
    assert [tuple(row) for row in rows] == [("group", "VIP", "Very important", 3), ("relationship", "hot", "Nóng", 1)]


async def _republish(office: Office, topic: Topic, *, raise_version: bool = False) -> int:
    await office.harness.forget_told()
    return await office.harness.republish(topic, raise_version)


async def test_a_republish_tells_the_current_state_with_its_version(office: Office) -> None:
    """The version is unchanged, the record is marked as replayed, removed opportunities are told too."""
    campaign = await office.campaign()
    kept, removed = await office.add(campaign["id"], await office.customers(2))
    await office.give(kept, office.lan)
    await office.manager.delete(f"{API}/opportunities/{removed}")

    assert await _republish(office, OPPORTUNITIES) == 2
    told = {str(event.state.id): (headers, event) for headers, event in await office.harness.told_with_headers()}
    headers, event = told[kept]
    assert isinstance(event, OpportunityOwnerAssigned)
    assert (event.version, event.state.owner_id, headers["ce_replayed"]) == (2, office.lan, "true")
    assert isinstance(told[removed][1], OpportunityRemoved)
    assert await _republish(office, CAMPAIGNS) == 1
    [event] = await office.harness.told()
    assert (event.version, event.state.name) == (1, campaign["name"])


async def test_after_a_restore_from_backup_versions_jump_ahead(office: Office) -> None:
    """With raised versions copies that saw more than the backup holds take the state again."""
    campaign = await office.campaign()
    [one] = await office.add(campaign["id"], await office.customers(1))
    await _republish(office, OPPORTUNITIES, raise_version=True)
    [event] = await office.harness.told()
    assert event.version > 1_000
    assert (await office.opportunity(one))["version"] == event.version
