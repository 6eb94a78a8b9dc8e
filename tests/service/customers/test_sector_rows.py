"""Rows of a sectors file become sectors: parents anywhere in the file, cycles and taken names as row errors."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from shared.contracts.classification import SectorChanged
from shared.contracts.events import ActorReference
from shared.contracts.imports import AppliedRow, ConfirmedRow, ImportRowsApplied, ImportRowsConfirmed
from shared.identity import IMPORT, SETTINGS
from tests.service.customers.conftest import Team

API = "/api/v1/sectors"


def new(row: int, code: str | None, name: str, parent: str | None = None) -> ConfirmedRow:
    """A row that creates."""
    values = {"name": name} | ({"parent_code": parent} if parent is not None else {})
    return ConfirmedRow(row=row, action="create", customer_id=None, code=code, values=values)


def over(row: int, code: str, values: dict[str, Any], old: dict[str, Any] | None = None) -> ConfirmedRow:
    """A row that overwrites by code."""
    return ConfirmedRow(row=row, action="update", customer_id=None, code=code, values=values, old=old or {})


def chunk(team: Team, *rows: ConfirmedRow, permission: str = SETTINGS, **more: Any) -> ImportRowsConfirmed:
    """A chunk as `imports` sends it."""
    values: dict[str, Any] = {
        "import_id": uuid4(),
        "kind": "sectors",
        "chunk": 1,
        "chunks": 1,
        "actor": ActorReference(kind="user", id=str(team.ids["binh"]), permissions=(permission,)),
        "confirmed_at": datetime.now(UTC),
        "file_name": "linh-vuc.xlsx",
        "options": {},
        "rows": rows,
    }
    return ImportRowsConfirmed(**values | more)


async def applied(team: Team, *rows: ConfirmedRow, **more: Any) -> list[AppliedRow]:
    """The outcomes of a chunk."""
    await team.harness.deliver(chunk(team, *rows, **more))
    answers: list[ImportRowsApplied] = await team.harness.told(ImportRowsApplied)
    return list(answers[-1].rows)


def words(rows: list[AppliedRow]) -> list[str]:
    """Each row's outcome, or its error."""
    return [row.errors[0].code if row.errors else row.outcome for row in rows]


async def tree(team: Team) -> dict[str, tuple[str, str | None, str]]:
    """What is stored: name, parent's code and state by code."""
    found = await team.harness.sql(
        "SELECT i.code, i.name, p.code AS parent, i.state FROM classification_item i"
        " LEFT JOIN classification_item p ON p.id = i.parent_id WHERE i.kind = 'sector'"
    )
    return {row.code: (row.name, row.parent, row.state) for row in found}


async def test_a_parent_may_stand_in_an_earlier_or_a_later_row(team: Team) -> None:
    """G6: the order of rows does not matter; a missing code is made from the name; each is told and audited."""
    event = chunk(
        team, new(2, "CON", "Con", "CHA"), new(3, "CHAU", "Cháu", "CON"), new(4, "CHA", "Cha"), new(5, None, "Bán lẻ")
    )
    await team.harness.deliver(event)
    [answer] = await team.harness.told(ImportRowsApplied)
    assert [(row.outcome, row.code, row.version, row.customer_id) for row in answer.rows] == [
        ("created", "CON", 1, None),
        ("created", "CHAU", 1, None),
        ("created", "CHA", 1, None),
        ("created", "BAN-LE", 1, None),
    ]
    assert await tree(team) == {
        "CON": ("Con", "CHA", "active"),
        "CHAU": ("Cháu", "CON", "active"),
        "CHA": ("Cha", None, "active"),
        "BAN-LE": ("Bán lẻ", None, "active"),
    }
    told = await team.harness.told(SectorChanged)
    assert {e.state.id for e in told} == {row.item_id for row in answer.rows}
    assert {(e.cause.kind, e.cause.id) for e in told} == {("import", str(event.import_id))}
    await team.harness.deliver(event)
    first, second = await team.harness.told(ImportRowsApplied)
    assert first == second
    assert len(await team.harness.told(SectorChanged)) == 4


async def test_what_is_taken_is_an_error_of_its_row(team: Team) -> None:
    """G6: an existing code or live sibling name, an unknown parent, too deep; the neighbours are written."""
    await team.admin.post(API, json={"name": "Có rồi", "code": "CO"})
    chain = [
        new(20 + level, f"T{level}", f"Tầng {level}", f"T{level - 1}" if level > 1 else None) for level in range(1, 12)
    ]
    outcomes = await applied(
        team,
        new(2, "CO", "Khác"),
        new(3, "MOI", "CÓ RỒI"),
        new(4, "X", "X", "KHONG-CO"),
        new(5, "Y", "Y", "X"),
        new(6, "OK", "Được"),
        new(7, "OK2", "Có rồi", "OK"),
        ConfirmedRow(row=8, action="create", customer_id=None, code="Z", values={}),
        *chain,
    )
    assert words(outcomes[:7]) == [
        "code_taken",
        "name_taken",
        "unknown_option",
        "unknown_option",
        "created",
        "created",
        "validation_failed",
    ]
    assert words(outcomes[7:]) == ["created"] * 10 + ["validation_failed"]
    assert outcomes[-1].errors[0].field == "parent_id"


async def test_cycles_are_row_errors(team: Team) -> None:
    """G6, G1: between new rows, and by overwriting; nothing of such a row is written."""
    await team.admin.post(API, json={"name": "A", "code": "A"})
    assert words(await applied(team, new(2, "B", "B", "A"))) == ["created"]
    before = await tree(team)
    outcomes = await applied(
        team,
        new(2, "X", "X", "Y"),
        new(3, "Y", "Y", "Z"),
        new(4, "Z", "Z", "X"),
        new(5, "SELF", "Self", "SELF"),
        new(6, "UNDER", "Dưới vòng", "X"),
        over(7, "A", {"parent_code": "B", "name": "Đổi"}),
    )
    assert words(outcomes) == ["cycle", "cycle", "cycle", "cycle", "unknown_option", "cycle"]
    assert await tree(team) == before


async def test_overwriting_by_code_changes_what_the_row_has(team: Team) -> None:
    """G6, M2, M5: names and parents change, equal rows are unchanged, two sectors may change places."""
    await applied(team, new(2, "A", "A"), new(3, "B", "B", "A"), new(4, "C", "C", "B"))
    outcomes = await applied(
        team,
        over(2, "A", {"parent_code": "B"}, {"parent_code": None}),
        over(3, "B", {"parent_code": None}, {"parent_code": "A"}),
        over(4, "C", {"name": "C mới"}, {"name": "C"}),
        over(5, "GONE", {"name": "x"}),
    )
    assert words(outcomes) == ["updated", "updated", "updated", "not_found"]
    assert await tree(team) == {
        "A": ("A", "B", "active"),
        "B": ("B", None, "active"),
        "C": ("C mới", "B", "active"),
    }
    same = await applied(team, over(2, "C", {"name": "C mới", "parent_code": "B"}, {"name": "C", "parent_code": "B"}))
    assert words(same) == ["unchanged"]


async def test_a_stale_preview_is_a_conflict(team: Team) -> None:
    """M2: somebody renamed the sector between preview and confirm; nothing is written, both values shown."""
    await applied(team, new(2, "A", "A"))
    sector = (await team.admin.get(API)).json()["items"][0]
    await team.admin.patch(f"{API}/{sector['id']}", json={"name": "Người khác"})
    [row] = await applied(team, over(2, "A", {"name": "Tệp"}, {"name": "A"}))
    assert (row.outcome, row.current, row.item_id) == ("conflict", {"name": "Người khác"}, UUID(sector["id"]))
    assert (await tree(team))["A"][0] == "Người khác"


async def test_a_disabled_sector_comes_back_with_overwrite(team: Team) -> None:
    """G6, G2: with its name and parent as the row says; under a disabled parent it cannot."""
    await applied(team, new(2, "CHA", "Cha"), new(3, "CON", "Con", "CHA"))
    ids = {one["code"]: one["id"] for one in (await team.admin.get(API)).json()["items"]}
    await team.admin.delete(f"{API}/{ids['CHA']}", params={"cascade": "true"})
    back = over(2, "CON", {"state": "active", "name": "Con mới"}, {"state": "disabled", "name": "Con"})
    assert words(await applied(team, back)) == ["parent_disabled"]
    assert (await tree(team))["CON"] == ("Con", "CHA", "disabled")
    assert words(await applied(team, back, over(3, "CHA", {"state": "active"}))) == ["updated", "updated"]
    assert await tree(team) == {"CHA": ("Cha", None, "active"), "CON": ("Con mới", "CHA", "active")}


async def test_sectors_are_written_for_holders_of_crm_settings_only(team: Team) -> None:
    """R1, R2: customers:import is not enough."""
    outcomes = await applied(team, new(2, "A", "A"), permission=IMPORT)
    assert words(outcomes) == ["forbidden"]
    assert await tree(team) == {}


async def test_two_files_and_a_hand_at_once_make_one_tree(team: Team) -> None:
    """G1, G6: the kind's lock orders them; each code and name is given once."""
    rows = [
        new(number, f"S{number}", f"Ngành {number}", f"S{number - 1}" if number % 5 else None) for number in range(60)
    ]
    await asyncio.gather(
        team.harness.deliver(chunk(team, *rows)),
        team.harness.deliver(chunk(team, *rows)),
        *(team.admin.post(API, json={"name": f"Ngành {number}"}) for number in range(0, 60, 5)),
    )
    first, second = await team.harness.told(ImportRowsApplied)
    made = [row.code for answer in (first, second) for row in answer.rows if row.outcome == "created"]
    assert len(made) == len(set(made))
    names = await team.harness.sql(
        "SELECT name_folded FROM classification_item WHERE parent_id IS NULL GROUP BY 1 HAVING count(*) > 1"
    )
    assert names == []
