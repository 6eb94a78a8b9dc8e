"""Cells fixed in place, and what is judged again for it."""

from typing import Any

import pytest

from services.imports.spreadsheets.limits import Limits
from shared.envelope import new_id
from tests.service.imports.desk import Desk
from tests.support.records import customer, employee

HEADER = ("Tên khách hàng", "SĐT", "Nghề nghiệp")


async def fix(desk: Desk, job: dict[str, Any], status: int = 200, **change: Any) -> dict[str, Any]:
    """Change rows of a preview."""
    answer = await desk.http.patch(f"/api/v1/imports/{job['id']}/rows", json=change)
    assert answer.status_code == status, answer.text
    return answer.json()


async def outcomes(desk: Desk, job: dict[str, Any]) -> list[str]:
    """The rows' outcomes in the file's order."""
    return [row["outcome"] for row in await desk.rows(job["id"])]


async def test_a_cell_is_fixed_in_place_and_its_row_judged_again(desk: Desk) -> None:
    """M2: one cell by row and field; counts follow; the result file holds the corrected cell."""
    job = await desk.preview(HEADER, ("Lan", "xyz", ""), ("Minh", "0901234567", ""))
    answer = await fix(desk, job, items=[{"row": 2, "cells": {"phones": "0907654321"}}])
    assert (answer["changed"], answer["import"]["counts"]) == (1, {"create": 2})
    assert answer["items"][0]["changes"]["phones"]["new"] == ["+84907654321"]
    assert answer["import"]["version"] == job["version"] + 1
    result = (await desk.http.get(f"/api/v1/imports/{job['id']}/result-file")).text
    assert "0907654321" in result
    assert "xyz" not in result


async def test_only_rows_that_were_touched_are_judged_again(desk: Desk) -> None:
    """M2: a row nobody touched keeps its old values, also where its customer has changed meanwhile."""
    lan = customer(code="K1", name="Lan", occupation="A", manager_id=desk.employee_id)
    minh = customer(code="K2", name="Minh", occupation="A", manager_id=desk.employee_id)
    await desk.harness.deliver(lan, minh)
    header = ("Mã KH", "Nghề nghiệp")
    job = await desk.preview(header, ("K1", "B"), ("K2", "B"), overwrite=True)
    for known in (lan, minh):
        state = known.state.model_copy(update={"occupation": "C"})
        await desk.harness.deliver(known.model_copy(update={"state": state, "version": 2}))
    await fix(desk, job, items=[{"row": 3, "cells": {"occupation": "D"}}])
    first, second = await desk.rows(job["id"])
    assert first["changes"]["occupation"] == {"old": "A", "new": "B"}
    assert second["changes"]["occupation"] == {"old": "C", "new": "D"}


async def test_a_duplicate_further_down_is_found_and_freed(desk: Desk) -> None:
    """M3: rows that share a phone with a fixed one are judged again; the first of them has it."""
    job = await desk.preview(HEADER, ("A", "0901000001", ""), ("B", "0901000001", ""), ("C", "0901000002", ""))
    assert await outcomes(desk, job) == ["create", "error", "create"]
    await fix(desk, job, items=[{"row": 2, "cells": {"phones": "0901000002"}}])
    assert await outcomes(desk, job) == ["create", "create", "error"]
    await fix(desk, job, items=[{"row": 2, "cells": {"phones": ""}}, {"row": 3, "cells": {"phones": "0901000002"}}])
    assert await outcomes(desk, job) == ["create", "create", "error"]
    await fix(desk, job, items=[{"row": 4, "cells": {"phones": None}}])
    assert await outcomes(desk, job) == ["create", "create", "create"]


async def test_a_column_is_fixed_by_find_and_replace_or_with_one_value(desk: Desk) -> None:
    """M2: wherever a text occurs, or all cells; of rows with one outcome where asked."""
    job = await desk.preview(HEADER, ("A", "sai", "Bác sỹ"), ("B", "", "Bác sỹ khoa"), ("C", "", ""))
    answer = await fix(desk, job, field="occupation", find="Bác sỹ", replace="Bác sĩ")
    assert answer["changed"] == 2
    news = [row["changes"].get("occupation", {}).get("new") for row in await desk.rows(job["id"], outcome="create")]
    assert news == ["Bác sĩ khoa", None]
    assert (await fix(desk, job, field="occupation", find="", replace="Khác"))["changed"] == 1
    assert (await fix(desk, job, field="phones", replace="", outcome="error"))["changed"] == 1
    assert await outcomes(desk, job) == ["create"] * 3
    assert (await fix(desk, job, field="occupation", replace="Y tá"))["changed"] == 3
    assert (await fix(desk, job, field="occupation", replace="Y tá"))["changed"] == 0


async def test_a_responsible_person_is_set_for_all_or_some_rows(desk: Desk) -> None:
    """M2, M8: what is set wins over the cell; taken away, the cell holds again."""
    lan, minh = new_id(), new_id()
    await desk.harness.deliver(employee(lan, name="Lan"), employee(minh, name="Minh", code="NV2"))
    job = await desk.preview(("Tên KH", "Người phụ trách"), ("A", "NV2"), ("B", ""))
    await fix(desk, job, all=True, employee_id=str(lan))
    assert [row["changes"]["manager"]["new"] for row in await desk.rows(job["id"])] == ["Lan", "Lan"]
    await fix(desk, job, items=[{"row": 2, "employee_id": None}, {"row": 3, "employee_id": str(minh)}])
    assert [row["changes"]["manager"]["new"] for row in await desk.rows(job["id"])] == ["Minh", "Minh"]
    await desk.confirm(job["id"])
    [chunk] = await desk.confirmed()
    assert [row.employee_id for row in chunk.rows] == [minh, minh]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"items": [{"row": 9, "cells": {"name": "x"}}]}, "/items/0/row"),
        ({"items": [{"row": 2, "cells": {"website": "x"}}]}, "/items/0/cells/website"),
        ({"items": [{"row": 2, "employee_id": str(new_id())}]}, "/items/0/employee_id"),
        ({"all": True, "employee_id": str(new_id())}, "/employee_id"),
        ({"field": "website", "replace": "x"}, "/field"),
        ({"field": "name"}, ""),
        ({"all": True}, ""),
        ({}, ""),
    ],
)
async def test_changes_that_cannot_be_are_refused_as_a_whole(desk: Desk, change: dict[str, Any], pointer: str) -> None:
    """M2: no such row, no column for the field, nobody active, none of the three ways."""
    job = await desk.preview(HEADER, ("Lan", "", ""))
    answer = await fix(desk, job, 422, **change)
    assert answer["errors"][0]["pointer"] == pointer
    assert (await desk.read(job["id"]))["version"] == job["version"]


async def test_only_a_ready_preview_of_ones_own_can_be_fixed(desk: Desk) -> None:
    """R1, API: 404 for others, 409 elsewhere, 412 for a version that is gone."""
    job = await desk.preview(HEADER, ("Lan", "", ""))
    path, change = f"/api/v1/imports/{job['id']}/rows", {"field": "name", "replace": "x"}
    other = await Desk(desk.harness).open()
    assert (await other.http.patch(path, json=change)).status_code == 404
    stale = await desk.http.patch(path, json=change, headers={"If-Match": '"1"'})
    assert stale.json()["code"] == "version_conflict"
    await desk.confirm(job["id"])
    assert (await fix(desk, job, 409, **change))["code"] == "wrong_state"


async def test_more_rows_than_a_request_can_judge_are_judged_beside_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import validates again and comes back with the same answer a small one has at once."""
    monkeypatch.setattr("services.imports.commands.edits.PORTION_ROWS", 2)
    monkeypatch.setattr("services.imports.commands.validation.PORTION_ROWS", 2)
    job = await desk.preview(HEADER, *((f"Khách {n}", "0901000001", "") for n in range(5)))
    assert await outcomes(desk, job) == ["create", *["error"] * 4]
    answer = await fix(desk, job, field="phones", replace="")
    assert (answer["changed"], answer["import"]["state"]) == (5, "validating")
    await desk.work()
    assert await outcomes(desk, job) == ["create"] * 5
    assert (await desk.read(job["id"]))["counts"] == {"create": 5}


async def test_fixing_some_cells_does_not_make_an_old_preview_young(desk: Desk) -> None:
    """M2: the rows nobody touched are as old as they were."""
    job = await desk.preview(HEADER, ("Lan", "", ""), ("Minh", "", ""))
    await desk.harness.sql("UPDATE import SET validated_at = validated_at - interval '24 hours'")
    await fix(desk, job, items=[{"row": 2, "cells": {"name": "Lan Anh"}}])
    assert (await desk.confirm(job["id"])).json()["code"] == "preview_expired"


@pytest.mark.parametrize(("texts", "find"), [(["a" * 30_000] * 20, "aa"), (["aa", "b"], "a")])
async def test_a_replacement_that_no_cell_can_hold_is_refused_before_anything_is_replaced(
    desk: Desk, texts: list[str], find: str
) -> None:
    """M2: it would multiply a text beyond what a cell holds, and many of them beyond any memory."""
    job = await desk.preview(HEADER, *((f"Khách {n}", "", text) for n, text in enumerate(texts)))
    before = await desk.harness.sql("SELECT row, cells::text, stale FROM import_row ORDER BY row")
    answer = await fix(desk, job, 422, field="occupation", find=find, replace="b" * 32_767)
    assert [(error["pointer"], error["code"]) for error in answer["errors"]] == [("/replace", "validation_failed")]
    assert await desk.harness.sql("SELECT row, cells::text, stale FROM import_row ORDER BY row") == before
    assert (await desk.read(job["id"]))["version"] == job["version"]
    whole = await fix(desk, job, field="occupation", find=texts[0], replace="b" * 32_767)
    assert whole["changed"] == texts.count(texts[0])


async def test_cells_do_not_grow_beyond_what_a_file_may_hold(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """M2: all texts of an import together, however they are fixed; making them shorter is always possible."""
    job = await desk.preview(HEADER, ("Lan", "", "x" * 900), ("Minh", "", ""))
    monkeypatch.setattr(Limits, "answer_bytes", 1_000)
    longer = [
        ({"items": [{"row": 3, "cells": {"occupation": "y" * 200}}]}, "/items"),
        ({"field": "occupation", "find": "", "replace": "y" * 200}, "/replace"),
        ({"field": "occupation", "replace": "y" * 700}, "/replace"),
        ({"field": "occupation", "find": "x", "replace": "yy"}, "/replace"),
    ]
    for change, pointer in longer:
        answer = await fix(desk, job, 422, **change)
        assert answer["errors"][0]["pointer"] == pointer, change
    assert (await desk.read(job["id"]))["version"] == job["version"]
    assert (await fix(desk, job, field="occupation", find="xx", replace="y"))["changed"] == 1
    assert (await fix(desk, job, items=[{"row": 3, "cells": {"occupation": "y" * 200}}]))["changed"] == 1


async def test_rows_that_were_not_touched_stay_as_old_as_they_were(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """M2: also where more are touched than one request judges; a preview made anew as a whole is young again."""
    monkeypatch.setattr("services.imports.commands.edits.PORTION_ROWS", 1)
    job = await desk.preview(HEADER, ("A", "", "x"), ("B", "", "x"), ("C", "", ""))
    await desk.harness.sql("UPDATE import SET validated_at = validated_at - interval '25 hours'")
    answer = await fix(desk, job, field="occupation", find="x", replace="y")
    assert (answer["changed"], answer["import"]["state"]) == (2, "validating")
    await desk.work()
    assert (await desk.confirm(job["id"])).json()["code"] == "preview_expired"
    assert (await fix(desk, job, field="occupation", replace="z"))["changed"] == 3
    await desk.work()
    assert (await desk.confirm(job["id"])).status_code == 202
