"""The topics as they are agreed with everybody who reads them: key, cleanup, partitions, who writes what."""

from dataclasses import dataclass

import pytest

from shared.contracts.catalogue import SERVICES, TOPICS, find, published_by, read_by
from shared.contracts.events import Topic, types_on
from shared.kafka import COMPACTED, DAY_MS


@dataclass(frozen=True)
class Agreed:
    """One line of the agreement. `days` is None where records are compacted."""

    key: str
    days: int | None
    partitions: int
    types: str


AGREEMENT = {
    "crm.customers": Agreed(
        "customer id",
        None,
        12,
        "customer.created .updated .manager_changed .viewers_changed .relationship_changed .deleted .restored .erased",
    ),
    "crm.classification": Agreed(
        "item id", None, 1, "group.changed source.changed sector.changed relationship.changed"
    ),
    "crm.directory": Agreed("employee id", None, 1, "employee.changed"),
    "crm.interaction-summaries": Agreed("customer id", None, 12, "interaction_summary.changed"),
    "crm.documents": Agreed("document id", None, 12, "document.changed"),
    "crm.campaigns": Agreed("campaign id", None, 1, "campaign.changed"),
    "crm.opportunities": Agreed(
        "opportunity id", None, 12, "opportunity.created .owner_assigned .status_changed .removed"
    ),
    "crm.interactions": Agreed("customer id", 30, 12, "interaction.recorded comment.posted"),
    "crm.interactions.ingest": Agreed("customer id", 7, 12, "interaction_fact.reported document.reported"),
    "crm.automation-actions": Agreed("customer id", 30, 12, "automation_action.decided"),
    "crm.erasures": Agreed("customer id", 30, 12, "erasure.completed"),
    "crm.selections": Agreed("selection id", 7, 6, "selection.chunk_resolved selection.resolved"),
    "crm.imports": Agreed("import id", 14, 6, "import_rows.confirmed import_phones.revealed import_undo.requested"),
    "crm.import-results": Agreed("import id", 14, 6, "import_rows.applied .phones_revealed import_undo.applied"),
}


def _full_names(types: str) -> list[str]:
    names: list[str] = []
    for short in types.split():
        noun = names[-1].split(".")[1] if short.startswith(".") else ""
        names.append(f"crm.{noun}{short}.v1")
    return names


def test_the_catalogue_holds_the_agreed_topics() -> None:
    """No topic without an agreement, no agreement without a topic."""
    assert {topic.name for topic in TOPICS} == set(AGREEMENT)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_is_as_agreed(topic: Topic) -> None:
    """Key, cleanup and partitions never change once a topic exists: order and copies hang on them."""
    agreed = AGREEMENT[topic.name]
    assert (topic.key, topic.partitions, topic.retention_days) == (agreed.key, agreed.partitions, agreed.days)
    assert topic.holds_state == (agreed.days is None)
    assert [cls.ce_type for cls in types_on(topic)] == _full_names(agreed.types)


def test_compacted_topics_keep_what_a_slow_reader_needs() -> None:
    """A reader has 30 days to see a tombstone; a record is compacted after 7 days at the earliest, 14 at the latest."""
    days = {name: int(value) / DAY_MS for name, value in COMPACTED.items() if value.isdecimal()}
    assert COMPACTED["cleanup.policy"] == "compact"
    assert days == {
        "min.compaction.lag.ms": 7,
        "max.compaction.lag.ms": 14,
        "segment.ms": 1,
        "delete.retention.ms": 30,
    }


def test_state_has_one_writer() -> None:
    """Two writers of one aggregate would race: a compacted topic belongs to one service."""
    for topic in TOPICS:
        assert not topic.holds_state or len(topic.producers) == 1, topic.name
        assert set(topic.producers) <= {*SERVICES, "connectors"}
        assert not set(topic.producers) & set(topic.consumers), f"{topic.name}: a service reads its own words"


def test_who_publishes_and_who_reads() -> None:
    """The catalogue answers by service, and every topic of ours is found by its name."""
    assert [topic.name for topic in published_by("imports")] == ["crm.erasures", "crm.imports"]
    assert [topic.name for topic in read_by("imports")] == [
        "crm.customers",
        "crm.classification",
        "crm.directory",
        "crm.import-results",
    ]
    assert find("crm.customers").dead_letters("imports") == "imports.crm.customers.dlq"
    with pytest.raises(KeyError):
        find("crm.unknown")
