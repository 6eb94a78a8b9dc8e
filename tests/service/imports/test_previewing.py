"""Previews against this service's copies: sight, options, names, pages of rows."""

import time

from shared.contracts.classification import (
    ClassificationItemState,
    GroupChanged,
    RelationshipChanged,
    RelationshipNames,
    RelationshipState,
    relationship_id,
)
from shared.contracts.imports import NewOption
from shared.envelope import new_id
from shared.identity import IMPORT, SETTINGS
from tests.service.imports.desk import Desk
from tests.support.records import BY_SYSTEM, customer, employee

FLOOR_SECONDS = 5.0
"""Generous for machines under load: what is measured is in `make bench`."""


def group(name: str, code: str, state: str = "active") -> GroupChanged:
    """A customer group."""
    item = ClassificationItemState(id=new_id(), kind="group", code=code, name=name, parent_id=None, state=state)  # pyright: ignore[reportArgumentType]  # pydantic checks the words
    return GroupChanged(version=1, state=item, cause=BY_SYSTEM)


def relationship(key: str, vietnamese: str, english: str) -> RelationshipChanged:
    """One of the fixed relationships."""
    state = RelationshipState(
        id=relationship_id(key),
        key=key,
        names=RelationshipNames(vi=vietnamese, en=english),
        color="#00aa00",
        position=1,
        forget_after_days=30,
        state="active",
    )
    return RelationshipChanged(version=1, state=state, cause=BY_SYSTEM)


async def test_what_the_uploader_may_do_follows_the_copies(desk: Desk) -> None:
    """A2, A3, M3: own, a subordinate's, a watched and a foreign customer in one file."""
    below = new_id()
    await desk.harness.deliver(employee(below, superior_id=desk.employee_id))
    await desk.harness.deliver(
        customer(code="OWN", manager_id=desk.employee_id),
        customer(code="BELOW", manager_id=below),
        customer(code="WATCHED", viewer_ids=(desk.employee_id,)),
        customer(code="FOREIGN", manager_id=new_id()),
    )
    sheet = [(code, "Tên mới") for code in ("OWN", "BELOW", "WATCHED", "FOREIGN")]
    job = await desk.preview(("Mã khách hàng", "Tên khách hàng"), *sheet, overwrite=True)
    rows = await desk.rows(job["id"])
    assert [(row["outcome"], [error["code"] for error in row["errors"]]) for row in rows] == [
        ("update", []),
        ("update", []),
        ("error", ["forbidden"]),
        ("error", ["code_taken"]),
    ]
    assert [row["customer_id"] is None for row in rows] == [False, False, False, True]


async def test_all_rows_in_error_is_still_ready(desk: Desk) -> None:
    """M2: the uploader sees why."""
    job = await desk.preview(("Email",), ("xyz",), ("abc",))
    assert (job["state"], job["counts"]) == ("ready", {"error": 2})


async def test_ids_are_shown_as_names(desk: Desk) -> None:
    """M6, M8: groups, relationship and people in the reader's words; stored as ids."""
    vip, gold = group("VIP", "VIP"), group("Vàng", "GOLD")
    await desk.harness.deliver(vip, gold, relationship("hot", "Nóng", "Hot"))
    lan = employee(name="Lan", code="NV1")
    await desk.harness.deliver(lan)
    known = customer(code="KH000001", manager_id=desk.employee_id, group_ids=(vip.state.id,))
    await desk.harness.deliver(known)
    job = await desk.preview(
        ("Mã khách hàng", "Nhóm", "Mối quan hệ", "Người phụ trách"),
        ("KH000001", "vang, VIP", "hot", "nv1"),
        overwrite=True,
    )
    assert job["changed_columns"] == {"groups": 1, "relationship": 1, "manager": 1}
    answer = await desk.http.get(f"/api/v1/imports/{job['id']}/rows", headers={"Accept-Language": "en"})
    [row] = answer.json()["items"]
    assert row["changes"]["groups"] == {"old": ["VIP"], "new": ["Vàng", "VIP"]}
    assert row["changes"]["relationship"]["new"] == "Hot"
    assert row["changes"]["manager"] == {"old": "Phạm Quản Lý", "new": "Lan"}

    await desk.confirm(job["id"])
    [chunk] = await desk.confirmed()
    [sent] = chunk.rows
    assert sent.values == {
        "group_ids": [str(gold.state.id), str(vip.state.id)],
        "relationship_id": str(relationship_id("hot")),
    }
    assert sent.employee_id == lan.state.id
    assert sent.old == {
        "group_ids": [str(vip.state.id)],
        "relationship_id": str(relationship_id("new")),
        "manager_id": str(desk.employee_id),
    }


async def test_added_options_are_named_as_such(desk: Desk) -> None:
    """M6: the preview shows the whole set, the event what is added."""
    vip, gold = group("VIP", "VIP"), group("Vàng", "GOLD")
    await desk.harness.deliver(vip, gold)
    await desk.harness.deliver(customer(code="K1", manager_id=desk.employee_id, group_ids=(vip.state.id,)))
    job = await desk.preview(("Mã KH", "Nhóm"), ("K1", "Vàng"), overwrite=True, append_multi_select=True)
    [row] = await desk.rows(job["id"])
    assert row["changes"]["groups"] == {"old": ["VIP"], "new": ["VIP", "Vàng"]}
    await desk.confirm(job["id"])
    [chunk] = await desk.confirmed()
    assert (chunk.rows[0].append, chunk.rows[0].values) == (("group_ids",), {"group_ids": [str(gold.state.id)]})


async def test_rows_come_in_pages_by_outcome(desk: Desk) -> None:
    """P5: keyset by row, bound to the outcomes asked for."""
    job = await desk.preview(("Tên khách hàng", "Email"), *((f"Khách {i}", "" if i % 2 else "xyz") for i in range(5)))
    path = f"/api/v1/imports/{job['id']}/rows"
    first = (await desk.http.get(path, params={"outcome": "error", "limit": 2, "total": True})).json()
    assert ([row["row"] for row in first["items"]], first["total"]) == ([2, 4], 3)
    more = {"outcome": "error", "limit": 2, "cursor": first["next_cursor"]}
    second = (await desk.http.get(path, params=more)).json()
    assert ([row["row"] for row in second["items"]], second["next_cursor"]) == ([6], None)
    assert (await desk.http.get(path, params=more | {"outcome": "create"})).json()["code"] == "bad_cursor"
    both = (await desk.http.get(path, params=[("outcome", "error"), ("outcome", "create")])).json()
    assert len(both["items"]) == 5
    assert (await desk.http.get(path, params={"outcome": "dragon"})).status_code == 422


async def test_an_uploader_who_left_gets_no_preview(desk: Desk) -> None:
    """A6, R2: their right to see ended; the import fails with the reason."""
    job = await desk.upload_sheet(("Tên khách hàng",), ("Lan",))
    await desk.http.put(f"/api/v1/imports/{job['id']}/mapping", json=job["mapping"])
    await desk.harness.deliver(employee(desk.employee_id, version=2, active=False))
    await desk.work()
    assert await desk.harness.sql("SELECT state, error_code FROM import") == [("failed", "inactive_employee")]


async def test_two_thousand_rows_of_twenty_columns_are_previewed_quickly(desk: Desk) -> None:
    """Lookups are made in bulk: the number of statements does not grow with the rows."""
    headings = (
        "Mã KH,Tên khách hàng,SĐT,Email,Giới tính,Ngày sinh,Nghề nghiệp,Thu nhập,Tên công ty,MST,Website,Địa chỉ,"
        "Tỉnh thành,Ghi chú,Nhóm,Nguồn,Lĩnh vực,Quan hệ,Người giới thiệu,Phụ trách"
    )
    await desk.harness.deliver(
        *(customer(code=f"K{i}", manager_id=desk.employee_id, phones=(f"+849120{i:05}",)) for i in range(500))
    )
    cells = ["Nam", "1/2/1990", "Kỹ sư", "A", "Công ty", "0101", "", "1 Lê Lợi", "Huế", "x" * 50, *[""] * 6]
    sheet = [(f"K{i}", f"Khách {i}", f"0912{i:06}", f"k{i}@example.vn", *cells) for i in range(2_000)]
    started = time.perf_counter()
    job = await desk.preview(headings.split(","), *sheet, overwrite=True)
    assert time.perf_counter() - started < FLOOR_SECONDS
    assert job["counts"] == {"update": 500, "create": 1_500}


async def test_unknown_options_are_created_only_where_chosen_and_permitted(desk: Desk) -> None:
    """M6, R2: `unknown_option` by default; with the choice a warning, and the names travel with the row."""
    vip = group("VIP", "VIP")
    await desk.harness.deliver(vip)
    sheet = (("Tên KH", "Nhóm khách hàng"), ("Lan", "VIP, Khách Mới"))
    job = await desk.preview(*sheet)
    assert (await desk.rows(job["id"]))[0]["errors"] == [{"field": "groups", "code": "unknown_option"}]
    path, choice = f"/api/v1/imports/{job['id']}", {"create_missing_options": True}
    assert (await desk.http.put(f"{path}/options", json=choice)).status_code == 403
    desk.permissions = (IMPORT, SETTINGS)
    assert (await desk.http.put(f"{path}/options", json=choice)).status_code == 200
    await desk.work()
    [row] = await desk.rows(job["id"])
    assert row["changes"]["groups"] == {"old": None, "new": ["VIP", "Khách Mới"]}
    assert row["warnings"] == [{"field": "groups", "code": "option_created"}]
    desk.permissions = (IMPORT,)
    assert (await desk.confirm(job["id"])).status_code == 403
    desk.permissions = (IMPORT, SETTINGS)
    assert (await desk.confirm(job["id"])).status_code == 202
    [chunk] = await desk.confirmed()
    assert chunk.rows[0].values["group_ids"] == [str(vip.state.id)]
    assert chunk.rows[0].new_options == (NewOption(field="group_ids", name="Khách Mới"),)
