"""Files of sectors: template, preview of the tree, confirm."""

from typing import Any

import pytest

from services.imports.commands.chunks import FIRST_CHUNK_ROWS, resend_silent_chunks
from shared.contracts.classification import ClassificationItemState, SectorChanged
from shared.contracts.imports import AppliedRow, ImportRowsApplied
from shared.envelope import new_id
from shared.identity import IMPORT, SETTINGS
from tests.service.imports.desk import Desk, csv_file
from tests.support.records import BY_SYSTEM

HEADER = ("Tên lĩnh vực", "Mã lĩnh vực", "Mã lĩnh vực cha")


def sector(code: str, name: str, parent: SectorChanged | None = None, state: str = "active") -> SectorChanged:
    """A sector as `customers` tells it."""
    item = ClassificationItemState(
        id=new_id(),
        kind="sector",
        code=code,
        name=name,
        parent_id=parent.state.id if parent else None,
        state=state,  # pyright: ignore[reportArgumentType]  # pydantic checks the words
    )
    return SectorChanged(version=1, state=item, cause=BY_SYSTEM)


@pytest.fixture
async def office(desk: Desk) -> Desk:
    """A desk of somebody who may change settings; some sectors are there."""
    food = sector("FOOD", "Thực phẩm")
    await desk.harness.deliver(food, sector("DRINK", "Đồ uống", food), sector("OLD", "Cũ", None, "disabled"))
    desk.permissions = (SETTINGS,)
    return desk


async def preview(desk: Desk, *rows: tuple[str, ...], overwrite: bool = False) -> list[dict[str, Any]]:
    """The rows of a sectors file as they are judged."""
    job = await desk.upload_sheet(HEADER, *rows, kind="sectors")
    path = f"/api/v1/imports/{job['id']}"
    assert [column["field"] for column in job["mapping"]["columns"]] == ["name", "code", "parent_code"]
    await desk.http.put(f"{path}/options", json={"overwrite": overwrite})
    await desk.http.put(f"{path}/mapping", json={"columns": job["mapping"]["columns"]})
    await desk.work()
    assert (await desk.read(job["id"]))["state"] == "ready"
    return await desk.rows(job["id"])


def codes(rows: list[dict[str, Any]]) -> list[Any]:
    """Each row's outcome, or its first error."""
    return [(row["errors"][0]["field"], row["errors"][0]["code"]) if row["errors"] else row["outcome"] for row in rows]


async def test_a_parent_may_stand_in_an_earlier_or_later_row_and_cycles_are_errors(office: Desk) -> None:
    """M12, G6: the tree is judged as a whole."""
    rows = await preview(
        office,
        ("Trà", "TEA", "HOT"),
        ("Nóng", "HOT", "DRINK"),
        ("A", "A", "B"),
        ("B", "B", "A"),
        ("Lạ", "X", "NONE"),
        ("Dưới mục tắt", "Y", "OLD"),
        ("Không mã", "", "FOOD"),
    )
    cycle = ("parent_code", "cycle")
    unknown, disabled = ("parent_code", "unknown_option"), ("parent_code", "parent_disabled")
    assert codes(rows) == ["create", "create", cycle, cycle, unknown, disabled, "create"]


async def test_existing_codes_and_names_are_errors_without_overwrite(office: Desk) -> None:
    """M12, G6, G1: also the second of a code or name in the file."""
    rows = await preview(
        office,
        ("Khác", "food", ""),
        ("THUC PHAM", "NEW", ""),
        ("Thực phẩm", "SUB", "FOOD"),
        ("Mới", "N1", ""),
        ("mới", "N2", ""),
        ("Gì đó", "N1", ""),
        ("", "N3", ""),
        ("Cũ", "OLD", ""),
    )
    twice = [("name", "duplicate_in_file"), ("code", "duplicate_in_file")]
    exists = ("code", "already_exists")
    assert codes(rows) == [exists, ("name", "name_taken"), "create", "create", *twice, ("name", "required"), exists]


async def test_overwrite_renames_moves_and_brings_back(office: Desk) -> None:
    """M12, G6: by code; a disabled sector comes back only so; what is equal is unchanged."""
    rows = await preview(
        office,
        ("Đồ ăn", "FOOD", ""),
        ("", "DRINK", "#CLEAR"),
        ("Cũ", "OLD", "FOOD"),
        ("", "drink2", ""),
        overwrite=True,
    )
    assert codes(rows)[:3] == ["update", "update", "update"]
    assert rows[0]["changes"] == {"name": {"old": "Thực phẩm", "new": "Đồ ăn"}}
    assert rows[1]["changes"] == {"parent_code": {"old": "FOOD", "new": None}}
    assert rows[2]["changes"] == {
        "parent_code": {"old": None, "new": "FOOD"},
        "state": {"old": "disabled", "new": "active"},
    }
    assert codes(await preview(office, ("Đồ uống", "DRINK", "FOOD"), overwrite=True)) == ["unchanged"]


async def test_a_parent_behind_its_children_is_sent_in_an_earlier_chunk(office: Desk) -> None:
    """G6, M12: chunks are applied in their order, so a file of children first would find no parent."""
    children = [(f"Trà {number}", f"TEA{number}", "HOT") for number in range(FIRST_CHUNK_ROWS + 20)]
    await preview(office, *children, ("Nóng", "HOT", "WARM"), ("Ấm", "WARM", "DRINK"))
    [job] = (await office.http.get("/api/v1/imports")).json()["items"]
    await office.confirm(job["id"])
    [first] = await office.confirmed()
    assert [row.code for row in first.rows if row.code in ("HOT", "WARM")] == ["HOT", "WARM"]
    assert len(first.rows) == FIRST_CHUNK_ROWS


async def test_a_parent_that_comes_back_is_sent_before_the_children_that_stay_below_it(office: Desk) -> None:
    """G6, M12: a row that only brings a sector back does not say its parent; the parent is where it is."""
    top = sector("TOP", "Trên", None, "disabled")
    children = [sector(f"C{number}", f"Con {number}", top, "disabled") for number in range(FIRST_CHUNK_ROWS + 20)]
    await office.harness.deliver(top, *children)
    rows = [(child.state.name, str(child.state.code), "") for child in children]
    await preview(office, *rows, ("Trên", "TOP", ""), overwrite=True)
    [job] = (await office.http.get("/api/v1/imports")).json()["items"]
    await office.confirm(job["id"])
    [first] = await office.confirmed()
    assert "TOP" in [row.code for row in first.rows]
    assert len(first.rows) == FIRST_CHUNK_ROWS


async def test_children_are_not_sent_before_their_parents_are_answered(
    office: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G6, M9: a chunk that got lost is sent again, and children sent meanwhile would have found no parent."""
    monkeypatch.setattr("services.imports.commands.chunks.FIRST_CHUNK_ROWS", 1)
    monkeypatch.setattr("services.imports.commands.chunks.ROW_CHUNK", 1)
    await preview(office, ("Lá", "LEAF", "TWIG"), ("Cành", "TWIG", "BRANCH"), ("Nhánh", "BRANCH", "FOOD"))
    [job] = (await office.http.get("/api/v1/imports")).json()["items"]
    await office.confirm(job["id"])
    for code in ("BRANCH", "TWIG", "LEAF"):
        await office.harness.sql("UPDATE import_chunk SET sent_at = sent_at - interval '1 day'")
        async with office.harness.database.transaction() as session:
            assert await resend_silent_chunks(session, 60) == 1
        first, again = await office.confirmed()
        assert first == again
        assert [row.code for row in again.rows] == [code]
        await office.harness.forget_told()
        await office.answer(again, customer_id=None)
    assert (await office.read(job["id"]))["state"] == "finished"


async def test_confirmed_sectors_go_to_customers_and_cannot_be_taken_back(office: Desk) -> None:
    """M12, M10: the chunk says it is of sectors; an undo of sectors is `not_restorable`."""
    [row] = await preview(office, ("Trà", "TEA", "DRINK"))
    [job] = (await office.http.get("/api/v1/imports")).json()["items"]
    await office.confirm(job["id"])
    [chunk] = await office.confirmed()
    assert (chunk.kind, chunk.rows[0].code, chunk.rows[0].values) == (
        "sectors",
        "TEA",
        {"name": "Trà", "parent_code": "DRINK"},
    )
    applied = AppliedRow(row=2, outcome="created", customer_id=None, code="TEA", version=1, item_id=new_id())
    await office.harness.deliver(ImportRowsApplied(import_id=chunk.import_id, chunk=0, rows=(applied,)))
    [row] = await office.rows(job["id"])
    assert (row["outcome"], row["code"], row["customer_id"]) == ("created", "TEA", None)
    answer = await office.http.post(f"/api/v1/imports/{job['id']}/undo")
    assert answer.json()["code"] == "not_restorable"


async def test_a_fixed_cell_lets_its_children_stand(office: Desk) -> None:
    """M2, G6: the whole tree is judged again."""
    await preview(office, ("Trà", "TEA", "HOT"), ("Nóng", "H0T", ""))
    [job] = (await office.http.get("/api/v1/imports")).json()["items"]
    change = {"items": [{"row": 3, "cells": {"code": "HOT"}}]}
    answer = await office.http.patch(f"/api/v1/imports/{job['id']}/rows", json=change)
    assert answer.json()["import"]["counts"] == {"create": 2}


async def test_sectors_need_the_settings_and_customers_the_import_permission(office: Desk) -> None:
    """R1: each kind its own."""
    file = csv_file(HEADER, ("Trà", "TEA", ""))
    for permissions, kind, status in (
        (SETTINGS, "customers", 403),
        (IMPORT, "sectors", 403),
        (SETTINGS, "sectors", 201),
    ):
        office.permissions = (permissions,)
        assert (await office.upload(file, kind=kind)).status_code == status


async def test_the_template_and_the_fields_are_those_of_sectors(office: Desk) -> None:
    """M12, G6: name, code and parent code."""
    fields = (await office.http.get("/api/v1/imports/fields", params={"kind": "sectors"})).json()["items"]
    assert [field["field"] for field in fields] == ["name", "code", "parent_code"]
    answer = await office.http.get("/api/v1/imports/template", params={"kind": "sectors", "format": "csv"})
    assert answer.text.removeprefix("\ufeff") == "Tên lĩnh vực *,Mã lĩnh vực,Mã lĩnh vực cha\r\n"


async def test_children_of_a_row_in_error_are_in_error_and_so_are_theirs(office: Desk) -> None:
    """G6, M12: nothing is promised that would find no parent; a parent that is there without its row is one."""
    rows = await preview(
        office,
        ("Nhánh", "BRANCH", ""),
        ("Cành", "TWIG", "BRANCH"),
        ("Lá", "LEAF", "TWIG"),
        ("Nhánh", "BRANCH2", ""),
        ("Chồi", "BUD", "BRANCH2"),
        ("Hoa", "BLOOM", "OLD"),
        ("", "OLD", ""),
        ("#CLEAR", "FOOD", ""),
        ("Bánh", "CAKE", "FOOD"),
        ("Nhánh", "BRANCH", ""),
        overwrite=True,
    )
    assert codes(rows) == [
        "create",
        "create",
        "create",
        ("name", "duplicate_in_file"),
        ("parent_code", "unknown_option"),
        "create",
        "update",
        ("name", "required"),
        "create",
        ("code", "duplicate_in_file"),
    ]
    rows = await preview(office, ("Lá", "LEAF", "TWIG"), ("Cành", "TWIG", "BRANCH"), ("Nhánh", "BRANCH", "NONE"))
    assert codes(rows) == [("parent_code", "unknown_option")] * 3
    rows = await preview(office, ("Hoa", "BLOOM", "OLD"), ("#CLEAR", "OLD", ""), overwrite=True)
    assert codes(rows) == [("parent_code", "parent_disabled"), ("name", "required")]
