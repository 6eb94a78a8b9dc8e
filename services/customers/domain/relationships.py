"""Relationships: the seven that exist from the first start, and what rules know of them (G4)."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped as Column
from sqlalchemy.orm import mapped_column

from services.customers.domain.mapping import Mapped
from shared.contracts.classification import RelationshipChanged, RelationshipNames, RelationshipState, relationship_id
from shared.contracts.events import Cause
from shared.versioned import Versioned

NEW = relationship_id("new")
CLOSED = relationship_id("closed")
DONT_FORGET = relationship_id("dont_forget")

DEFAULT_FORGET_DAYS = 30


@dataclass(frozen=True)
class FirstRelationship:
    """One of the seven relationships of a fresh system."""

    key: str
    name_vi: str
    name_en: str
    color: str
    position: int
    forget_after_days: int | None = DEFAULT_FORGET_DAYS

    def row(self) -> dict[str, Any]:
        """Its row, for the migration."""
        return {**vars(self), "id": relationship_id(self.key)}

    def event(self) -> RelationshipChanged:
        """Its first event, told by the migration."""
        state = RelationshipState(
            id=relationship_id(self.key),
            key=self.key,
            names=RelationshipNames(vi=self.name_vi, en=self.name_en),
            color=self.color,
            position=self.position,
            forget_after_days=self.forget_after_days,
            state="active",
        )
        return RelationshipChanged(version=1, state=state, cause=Cause(kind="system"))


FIRST_RELATIONSHIPS = (
    FirstRelationship("new", "Mới", "New", "#3b82f6", 1),
    FirstRelationship("approached", "Đã tiếp cận", "Approached", "#06b6d4", 2),
    FirstRelationship("hot", "Nóng", "Hot", "#ef4444", 3),
    FirstRelationship("potential", "Tiềm năng", "Potential", "#f59e0b", 4),
    FirstRelationship("lost", "Đã mất", "Lost", "#6b7280", 5),
    FirstRelationship("closed", "Đã chốt", "Closed", "#22c55e", 6),
    FirstRelationship("dont_forget", "Đừng quên", "Don't Forget", "#a855f7", 7, None),
)


class Relationship(Versioned, Mapped):
    """How far a customer is; exactly one per customer (C3)."""

    __tablename__ = "relationship"

    id: Column[UUID] = mapped_column(primary_key=True)
    key: Column[str | None]
    name_vi: Column[str]
    name_en: Column[str]
    color: Column[str]
    position: Column[int]
    forget_after_days: Column[int | None]
    state: Column[str]
    version: Column[int]

    def public_state(self) -> RelationshipState:
        """What other services know of it."""
        return RelationshipState(
            id=self.id,
            key=self.key,
            names=RelationshipNames(vi=self.name_vi, en=self.name_en),
            color=self.color,
            position=self.position,
            forget_after_days=self.forget_after_days,
            state="active" if self.state == "active" else "disabled",
        )
