"""Relationships: the seven that exist from the first start, and what rules know of them (G4).

Their order is a list of positions from 1 on; whoever changes one holds the lock of all.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped as Column
from sqlalchemy.orm import mapped_column

from services.customers.domain.errors import InUse, NotRestorable
from services.customers.domain.mapping import Mapped
from shared.contracts.classification import RelationshipChanged, RelationshipNames, RelationshipState, relationship_id
from shared.contracts.events import Cause
from shared.errors import Invalid
from shared.folding import fold
from shared.versioned import Versioned

NEW = relationship_id("new")
CLOSED = relationship_id("closed")
DONT_FORGET = relationship_id("dont_forget")

DEFAULT_FORGET_DAYS = 30
DEFAULT_COLOR = "#64748b"

NEVER_DISABLED = frozenset({"new", "closed", "dont_forget"})
"""Rules need these: where customers begin, what counts as success, where the forgotten wait (G4)."""


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
    name_vi_folded: Column[str]
    name_en_folded: Column[str]
    color: Column[str]
    position: Column[int]
    forget_after_days: Column[int | None]
    state: Column[str]
    version: Column[int]

    @classmethod
    def create(cls, item_id: UUID, names: dict[str, str], color: str, forget_after_days: int | None) -> "Relationship":
        """A new, enabled relationship, without a place in the order yet; told by `tell_created`."""
        return cls(
            id=item_id,
            key=None,
            names=names,
            color=color,
            position=0,
            forget_after_days=forget_after_days,
            state="active",
            version=0,
        )

    @property
    def names(self) -> dict[str, str]:
        """The name in both languages of the product: `vi` and `en`."""
        return {"vi": self.name_vi, "en": self.name_en}

    @names.setter
    def names(self, names: dict[str, str]) -> None:
        self.name_vi, self.name_en = names["vi"], names["en"]
        self.name_vi_folded, self.name_en_folded = fold(self.name_vi), fold(self.name_en)

    @property
    def live(self) -> bool:
        """Whether customers may newly get it."""
        return self.state == "active"

    def public_state(self) -> RelationshipState:
        """What other services know of it."""
        return RelationshipState(
            id=self.id,
            key=self.key,
            names=RelationshipNames(**self.names),
            color=self.color,
            position=self.position,
            forget_after_days=self.forget_after_days,
            state="active" if self.state == "active" else "disabled",
        )

    def tell_created(self, position: int, cause: Cause) -> RelationshipChanged:
        """The first event of the relationship, at its place."""
        self.position = position
        return self.tell(RelationshipChanged, cause)

    def require_editable(self, values: dict[str, Any]) -> None:
        """Raises Invalid for days given to Don't Forget, which never forgets (G5)."""
        if self.id == DONT_FORGET and values.get("forget_after_days") is not None:
            raise Invalid.at("/forget_after_days", detail="Don't Forget has none")

    def edit(self, values: dict[str, Any], cause: Cause) -> list[RelationshipChanged]:
        """Other names, colour, place or days; equal values change nothing (G4)."""
        return self.change(RelationshipChanged, cause, **values)

    def disable(self, cause: Cause) -> list[RelationshipChanged]:
        """Nobody can newly choose it; who has it keeps it, and comes back to it (G2, G5). Raises InUse."""
        if self.key in NEVER_DISABLED:
            raise InUse
        return self.change(RelationshipChanged, cause, state="disabled")

    def restore(self, position: int, cause: Cause) -> list[RelationshipChanged]:
        """It can be chosen again, at this place. Raises NotRestorable."""
        if self.live:
            raise NotRestorable
        return self.change(RelationshipChanged, cause, state="active", position=position)
