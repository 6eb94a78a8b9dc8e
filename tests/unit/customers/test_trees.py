"""The rules of trees, compared with plain statements of them over everything that may happen."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.customers.domain.errors import CodeTaken, NameTaken, ParentDisabled, TreeCycle
from services.customers.domain.trees import MAX_DEPTH, MAX_ITEMS, Node, Tree
from shared.errors import Invalid

IDS = [UUID(int=number) for number in range(1, 15)]
Move = tuple[int, int | None, str, bool]


def levels(parents: dict[UUID, UUID | None], item: UUID | None) -> int:
    """How deep an item stands; more than there are items means a cycle."""
    count = 0
    while item is not None and count <= len(parents):
        item, count = parents.get(item), count + 1
    return count


def legal(nodes: dict[UUID, Node]) -> bool:
    """G1 and G2 said plainly: no cycle, ten levels, live ones under live ones, no name twice among live siblings."""
    parents = {node.id: node.parent_id for node in nodes.values()}
    live = [node for node in nodes.values() if node.live]
    places = [(node.parent_id, node.name_folded) for node in live]
    return (
        all(levels(parents, item) <= min(MAX_DEPTH, len(nodes)) for item in nodes)
        and all(node.parent_id is None or nodes[node.parent_id].live for node in live)
        and len(places) == len(set(places))
    )


moves = st.lists(
    st.tuples(
        st.integers(0, len(IDS) - 1),
        st.one_of(st.none(), st.integers(0, len(IDS) - 1)),
        st.sampled_from("ab"),
        st.booleans(),
    ),
    max_size=60,
)


@given(moves)
def test_what_is_refused_is_exactly_what_would_break_the_tree(wanted: list[Move]) -> None:
    """G1, G2: any history of creating, moving, renaming, disabling and restoring."""
    tree, nodes = Tree(), dict[UUID, Node]()
    for number, parent, name, live in wanted:
        item, parent_id = IDS[number], IDS[parent] if parent is not None else None
        if parent_id is not None and parent_id not in nodes and parent_id != item:
            with pytest.raises(Invalid):
                tree.require_parent(parent_id, item)
            continue
        known = nodes.get(item)
        if known is None and parent_id == item:
            continue
        node = Node(item, parent_id, str(number), name, live)
        if known is not None and not live and tree.live_children(item):
            continue  # refused as in use
        try:
            tree.require_parent(parent_id, item if known is not None else None)
            tree.require_place(parent_id, name if live else None, item)
            allowed = True
        except (Invalid, TreeCycle, NameTaken, ParentDisabled):
            allowed = False
        after = nodes | {item: node}
        moved_under_disabled = not live and parent_id is not None and not nodes[parent_id].live
        assert allowed == (legal(after) and not moved_under_disabled)
        if allowed:
            nodes = after
            tree.put(node)
            assert {one.id for one in tree.below(item)} == {one for one in nodes if item in _path(nodes, one)}
            assert [one.id for one in tree.above(item)] == _path(nodes, item)
    assert legal(nodes)


def _path(nodes: dict[UUID, Node], item: UUID) -> list[UUID]:
    path, at = [], item
    while at is not None:
        path.append(at)
        at = nodes[at].parent_id
    return path


@given(st.lists(st.text(max_size=60), max_size=30))
def test_codes_from_any_names_are_distinct_and_well_formed(names: list[str]) -> None:
    """G1: whatever a name holds, its code is new and 1 to 32 of the letters that codes have."""
    tree = Tree()
    for number, name in enumerate([*names, *names]):
        code = tree.new_code(name, "GROUP")
        assert 1 <= len(code) <= 32
        assert set(code) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")
        tree.require_code(code)
        tree.put(Node(UUID(int=number), None, code, name, True))
        with pytest.raises(CodeTaken):
            tree.require_code(code)


def test_long_names_leave_room_for_the_number() -> None:
    """G1: clashes of cut codes get -2, -3 within 32 characters."""
    tree, name = Tree(), "Khách hàng doanh nghiệp vừa và nhỏ miền Trung"
    codes = []
    for number in range(3):
        codes.append(tree.new_code(name, "GROUP"))
        tree.put(Node(UUID(int=number), None, codes[-1], str(number), True))
    assert codes == [
        "KHACH-HANG-DOANH-NGHIEP-VUA-VA-N",
        "KHACH-HANG-DOANH-NGHIEP-VUA-VA-2",
        "KHACH-HANG-DOANH-NGHIEP-VUA-VA-3",
    ]


def test_a_kind_has_a_limit() -> None:
    """Every change looks at all of a kind, so there are at most ten thousand."""
    tree = Tree(Node(UUID(int=number), None, str(number), str(number), False) for number in range(MAX_ITEMS - 1))
    tree.require_room()
    tree.put(Node(UUID(int=MAX_ITEMS), None, "last", "last", True))
    with pytest.raises(Invalid) as refused:
        tree.require_room()
    assert refused.value.code == "too_many_items"
