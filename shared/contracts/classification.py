"""Events of `crm.classification`: groups, sources, relationships, sectors. Disabled items stay."""

from typing import Literal
from uuid import UUID, uuid5

from shared.contracts.events import Published, StateEvent, Topic

CLASSIFICATION = Topic(
    name="crm.classification",
    key="item id",
    cleanup="compact",
    partitions=1,
    producers=("customers",),
    consumers=("imports", "campaigns"),
    description="The values customers are classified by, enabled or disabled.",
)

ItemState = Literal["active", "disabled"]

_NAMESPACE = UUID("6d7b1f0e-6f0b-5d5c-9c0e-2f6f3a1b7c55")


def relationship_id(key: str) -> UUID:
    """The fixed id of one of the seven relationships that exist from the first start (G4)."""
    return uuid5(_NAMESPACE, f"relationship/{key}")


class ClassificationItemState(Published):
    """A group, sector or source. Groups and sectors are trees (G1); a source has no parent."""

    id: UUID
    kind: Literal["group", "sector", "source"]
    code: str
    name: str
    parent_id: UUID | None
    state: ItemState


class RelationshipNames(Published):
    """A relationship's name in both languages of the product."""

    vi: str
    en: str


class RelationshipState(Published):
    """A relationship; the seven fixed ones carry a `key` that rules use (G4)."""

    id: UUID
    kind: Literal["relationship"] = "relationship"
    key: str | None
    names: RelationshipNames
    color: str
    position: int
    forget_after_days: int | None
    state: ItemState


class GroupChanged(StateEvent[ClassificationItemState], topic=CLASSIFICATION, type="crm.group.changed.v1"):
    """A customer group was created, edited, moved, disabled or restored."""


class SourceChanged(StateEvent[ClassificationItemState], topic=CLASSIFICATION, type="crm.source.changed.v1"):
    """A customer source was created, edited, disabled or restored."""


class SectorChanged(StateEvent[ClassificationItemState], topic=CLASSIFICATION, type="crm.sector.changed.v1"):
    """A business sector was created, edited, moved, disabled or restored."""


class RelationshipChanged(StateEvent[RelationshipState], topic=CLASSIFICATION, type="crm.relationship.changed.v1"):
    """A relationship was created, edited, reordered, disabled or restored."""
