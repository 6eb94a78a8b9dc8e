"""Groups, sectors and sources: what customers are classified by beside their relationship (G1–G3).

An item knows its own life (named, moved, disabled, restored) and tells it; whether the place it is
given is free is the `Tree`'s to say.
"""

from typing import Any, Literal
from uuid import UUID

from sqlalchemy.orm import Mapped as Column
from sqlalchemy.orm import mapped_column

from services.customers.domain.mapping import Mapped
from services.customers.domain.trees import Node
from shared.contracts.classification import (
    ClassificationItemState,
    GroupChanged,
    SectorChanged,
    SourceChanged,
)
from shared.contracts.events import Cause
from shared.folding import fold
from shared.versioned import Versioned

ItemKind = Literal["group", "sector", "source"]
TreeKind = Literal["group", "sector"]

ITEM_EVENTS: dict[str, type[GroupChanged] | type[SectorChanged] | type[SourceChanged]] = {
    "group": GroupChanged,
    "sector": SectorChanged,
    "source": SourceChanged,
}


class ClassificationItem(Versioned, Mapped):
    """One group, sector or source. Its code never changes; customers keep it when it is disabled (G2)."""

    __tablename__ = "classification_item"

    id: Column[UUID] = mapped_column(primary_key=True)
    kind: Column[str]
    code: Column[str]
    name: Column[str]
    name_folded: Column[str]
    parent_id: Column[UUID | None]
    state: Column[str]
    version: Column[int]

    @classmethod
    def create(
        cls, item_id: UUID, kind: ItemKind, code: str, name: str, parent_id: UUID | None
    ) -> "ClassificationItem":
        """A new, enabled item; told by `tell_created`."""
        return cls(
            id=item_id,
            kind=kind,
            code=code,
            name=name,
            name_folded=fold(name),
            parent_id=parent_id,
            state="active",
            version=0,
        )

    @property
    def live(self) -> bool:
        """Whether customers may newly choose it."""
        return self.state == "active"

    @property
    def node(self) -> Node:
        """The item as a part of its tree."""
        return Node(self.id, self.parent_id, self.code, self.name_folded, self.live)

    def public_state(self) -> ClassificationItemState:
        """What other services know of it."""
        return ClassificationItemState(
            id=self.id,
            kind=self.kind,  # pyright: ignore[reportArgumentType]  # pydantic checks the words
            code=self.code,
            name=self.name,
            parent_id=self.parent_id,
            state=self.state,  # pyright: ignore[reportArgumentType]  # pydantic checks the words
        )

    def tell_created(self, cause: Cause) -> Any:
        """The first event of the item."""
        return self.tell(ITEM_EVENTS[self.kind], cause)

    def edit(self, values: dict[str, Any], cause: Cause) -> list[Any]:
        """Another name or parent; equal values change nothing."""
        return self._change(cause, **values)

    def disable(self, cause: Cause) -> list[Any]:
        """Nobody can newly choose it; who has it keeps it (G2)."""
        return self._change(cause, state="disabled")

    def restore(self, cause: Cause) -> list[Any]:
        """It can be chosen again; what stands below it is not touched (G2)."""
        return self._change(cause, state="active")

    def _change(self, cause: Cause, **values: Any) -> list[Any]:
        also = {"name_folded": fold(values.get("name", self.name))}
        return self.change(ITEM_EVENTS[self.kind], cause, also, **values)
