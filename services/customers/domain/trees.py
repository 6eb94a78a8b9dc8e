"""The shape that groups, sectors and sources may have (G1): trees without cycles, at most ten levels deep,
names unique among live siblings, codes unique for ever.

A `Tree` is what is stored of one kind, as far as these rules look; whoever changes the kind holds its
lock, so that what was checked here still holds when it is written. Sources are a tree of one level.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from services.customers.domain.errors import CodeTaken, NameTaken, ParentDisabled, TreeCycle
from shared.errors import Invalid
from shared.folding import words

MAX_DEPTH = 10
MAX_ITEMS = 10_000
"""Of one kind, disabled ones counted: all of them are looked at for every change."""
MAX_CODE_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Node:
    """One group, sector or source, as far as the shape of its tree is concerned."""

    id: UUID
    parent_id: UUID | None
    code: str
    name_folded: str
    live: bool


class Tree:
    """All items of one kind, disabled ones too. `put` keeps it in step with what is about to be written."""

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self._nodes: dict[UUID, Node] = {}
        self._codes: dict[str, UUID] = {}
        self._names: dict[tuple[UUID | None, str], UUID] = {}
        self._children: dict[UUID | None, dict[UUID, None]] = {}
        for node in nodes:
            self.put(node)

    def get(self, item_id: UUID) -> Node | None:
        """An item of this kind."""
        return self._nodes.get(item_id)

    def by_code(self, code: str) -> Node | None:
        """The item that has a code, disabled ones too."""
        found = self._codes.get(code)
        return self._nodes[found] if found is not None else None

    def put(self, node: Node) -> None:
        """The item is like this from now on."""
        known = self._nodes.get(node.id)
        if known is not None:
            self._children[known.parent_id].pop(node.id)
            if self._names.get((known.parent_id, known.name_folded)) == node.id:
                del self._names[known.parent_id, known.name_folded]
        self._nodes[node.id] = node
        self._codes[node.code] = node.id
        self._children.setdefault(node.parent_id, {})[node.id] = None
        if node.live:
            self._names[node.parent_id, node.name_folded] = node.id

    def above(self, item_id: UUID | None) -> Iterator[Node]:
        """The item and its parents, nearest first."""
        while item_id is not None:
            node = self._nodes[item_id]
            yield node
            item_id = node.parent_id

    def below(self, item_id: UUID) -> list[Node]:
        """The item and everything below it, parents first."""
        found = [self._nodes[item_id]]
        for node in found:
            found.extend(self._nodes[child] for child in self._children.get(node.id, ()))
        return found

    def live_children(self, item_id: UUID) -> bool:
        """Whether disabling the item alone would leave live ones under a disabled parent."""
        return any(self._nodes[child].live for child in self._children.get(item_id, ()))

    def require_room(self) -> None:
        """Raises Invalid when there are as many items as a kind may have."""
        if len(self._nodes) >= MAX_ITEMS:
            raise Invalid("too_many_items")

    def require_parent(self, parent_id: UUID | None, item_id: UUID | None = None) -> None:
        """Raises Invalid for a parent that is not there, or under which `item_id` (or a new item) gets too deep.

        A parent below the item itself is `require_place`'s to refuse.
        """
        if parent_id is None:
            return
        if parent_id not in self._nodes:
            raise Invalid.at("/parent_id", detail="unknown parent")
        path = list(self.above(parent_id))
        if all(node.id != item_id for node in path) and len(path) + self._height(item_id) > MAX_DEPTH:
            raise Invalid.at("/parent_id", detail=f"more than {MAX_DEPTH} levels")

    def require_place(self, parent_id: UUID | None, name_folded: str | None, item_id: UUID | None = None) -> None:
        """Raises TreeCycle, ParentDisabled or NameTaken for a place that an item cannot have.

        A disabled item's name may be anybody's: None.
        """
        path = list(self.above(parent_id))
        if any(node.id == item_id for node in path):
            raise TreeCycle
        if path and not path[0].live:
            raise ParentDisabled
        if name_folded is not None and self._names.get((parent_id, name_folded), item_id) != item_id:
            raise NameTaken

    def require_code(self, code: str) -> None:
        """Raises CodeTaken, also for a disabled item's code."""
        if code in self._codes:
            raise CodeTaken

    def new_code(self, name: str, otherwise: str) -> str:
        """A code from a name: `Khách VIP` is `KHACH-VIP`, then `KHACH-VIP-2`; `otherwise` for names without letters."""
        stem = "-".join(words(name)).upper()[:MAX_CODE_LENGTH].strip("-") or otherwise
        code, number = stem, 1
        while code in self._codes:
            number += 1
            suffix = f"-{number}"
            code = stem[: MAX_CODE_LENGTH - len(suffix)] + suffix
        return code

    def _height(self, item_id: UUID | None) -> int:
        """Levels that the item brings with it."""
        levels, level = 0, [item_id]
        while level:
            levels += 1
            level = [child for parent in level if parent is not None for child in self._children.get(parent, ())]
        return levels
