"""Between upload and preview: headings, mappings that are kept, options."""

import asyncio
import io
from datetime import timedelta

import openpyxl
import pytest

from shared.database import run
from shared.envelope import new_id
from tests.conftest import MakeHarness
from tests.service.imports.desk import Desk
from tests.support.records import employee


async def test_headings_in_both_languages_are_proposed(desk: Desk) -> None:
    """M2: Vietnamese and English, whatever the case and tones."""
    vietnamese = ("MA KHACH HANG", "tên khách hàng (*)", "SĐT", "E-mail", "Người phụ trách", "Mối quan hệ")
    english = ("Customer Code", "Customer Name", "Phone", "Email", "Responsible Person", "Relationship")
    for header in (vietnamese, english):
        job = await desk.upload_sheet(header, ("", "Lan", "", "", "", ""))
        fields = [column["field"] for column in job["mapping"]["columns"]]
        assert fields == ["code", "name", "phones", "emails", "manager", "relationship"]
        assert job["header"] == list(header)


async def test_system_fields_are_ignored_with_a_warning(desk: Desk) -> None:
    """M7: whatever the uploader maps them to, they are never written."""
    job = await desk.upload_sheet(("Tên khách hàng", "Tổng tương tác"), ("Lan", "99"))
    assert job["warnings"] == [{"code": "system_field", "index": 1, "header": "Tổng tương tác"}]
    columns = [{"index": 0, "field": "name"}, {"index": 1, "field": "interaction_count"}]
    await desk.http.put(f"/api/v1/imports/{job['id']}/mapping", json={"columns": columns})
    await desk.work()
    assert [warning["code"] for warning in (await desk.read(job["id"]))["warnings"]] == ["system_field"]
    [row] = await desk.rows(job["id"])
    assert row["changes"] == {"name": {"old": None, "new": "Lan"}}


@pytest.mark.parametrize(
    ("mapping", "pointer"),
    [
        ({"columns": [{"index": 2, "field": "name"}]}, "/columns/0/index"),
        ({"columns": [{"index": -1, "field": "name"}]}, "/columns/0/index"),
        ({"columns": [{"index": 0, "field": "colour"}]}, "/columns/0/field"),
        ({"columns": [{"index": 0, "field": "name"}, {"index": 1, "field": "name"}]}, "/columns/1/field"),
        ({"columns": [{"index": 0, "field": "name"}, {"index": 0, "field": "code"}]}, "/columns/1/index"),
        ({"columns": [], "header_row": 9}, "/header_row"),
        ({"columns": [], "header_row": 10**12}, "/header_row"),
    ],
)
async def test_a_mapping_that_cannot_be_is_refused(desk: Desk, mapping: dict[str, object], pointer: str) -> None:
    """Each fault by its place; the import stays as it was."""
    job = await desk.upload_sheet(("A", "B"), ("1", "2"))
    answer = await desk.http.put(f"/api/v1/imports/{job['id']}/mapping", json=mapping)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await desk.read(job["id"]))["version"] == job["version"]


async def test_another_row_can_be_the_header(desk: Desk) -> None:
    """M2: rows above it are titles, not data."""
    job = await desk.upload_sheet(("Danh sách", "2026"), ("Họ tên", "Số"), ("Lan", "0901234567"))
    assert (job["mapping"]["header_row"], job["total"]) == (2, 1)
    path = f"/api/v1/imports/{job['id']}/mapping"
    await desk.http.put(path, json={"header_row": 1, "columns": [{"index": 0, "field": "name"}]})
    await desk.work()
    assert [row["row"] for row in await desk.rows(job["id"])] == [2, 3]
    await desk.http.put(path, json={"header_row": 2, "columns": [{"index": 0, "field": "name"}]})
    await desk.work()
    assert [row["row"] for row in await desk.rows(job["id"])] == [3]
    assert (await desk.http.get(path)).json()["header"] == ["Họ tên", "Số"]


async def test_the_same_mapping_again_changes_nothing_until_the_preview_is_old(desk: Desk) -> None:
    """Equal values keep the ETag; an expired preview is made anew."""
    job = await desk.preview(("Tên khách hàng",), ("Lan",))
    path = f"/api/v1/imports/{job['id']}/mapping"
    assert (await desk.http.put(path, json=job["mapping"])).json()["version"] == job["version"]
    await desk.harness.sql("UPDATE import SET validated_at = validated_at - $1::interval", timedelta(hours=25))
    assert (await desk.http.put(path, json=job["mapping"])).json()["state"] == "validating"


async def test_options_are_chosen_before_and_after_the_preview(desk: Desk) -> None:
    """M4: a preview is made anew when they change, and only then."""
    job = await desk.upload_sheet(("Tên khách hàng",), ("Lan",))
    path = f"/api/v1/imports/{job['id']}"
    answer = (await desk.http.put(f"{path}/options", json={"overwrite": True})).json()
    assert (answer["state"], answer["options"]["overwrite"]) == ("awaiting_mapping", True)
    await desk.http.put(f"{path}/mapping", json=job["mapping"])
    assert (await desk.http.put(f"{path}/options", json={})).json()["code"] == "wrong_state"
    await desk.work()
    ready = await desk.read(job["id"])
    same = await desk.http.put(f"{path}/options", json={"overwrite": True})
    assert (same.json()["state"], same.headers["etag"]) == ("ready", f'"{ready["version"]}"')
    changed = await desk.http.put(f"{path}/options", json={"overwrite": False})
    assert changed.json()["state"] == "validating"


async def test_a_responsible_person_must_be_active(desk: Desk) -> None:
    """A6: unknown and inactive employees are 422; an active one takes every row."""
    gone, here = new_id(), new_id()
    await desk.harness.deliver(employee(gone, active=False), employee(here, name="Minh"))
    job = await desk.upload_sheet(("Tên khách hàng",), ("Lan",))
    path = f"/api/v1/imports/{job['id']}"
    for nobody in (gone, new_id()):
        answer = await desk.http.put(f"{path}/options", json={"employee_id": str(nobody)})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "inactive_employee")
    await desk.http.put(f"{path}/options", json={"employee_id": str(here)})
    await desk.http.put(f"{path}/mapping", json=job["mapping"])
    await desk.work()
    [row] = await desk.rows(job["id"])
    assert row["changes"]["manager"] == {"old": None, "new": "Minh"}


async def test_a_saved_mapping_fits_the_next_file_with_the_same_headings(desk: Desk) -> None:
    """`save_as` keeps it by headings, whatever their order; it is its owner's alone."""
    job = await desk.upload_sheet(("Cột A", "Cột B"), ("Lan", "0901234567"))
    columns = [{"index": 0, "field": "name"}, {"index": 1, "field": "phones"}]
    body = {"columns": columns, "save_as": "Hằng tuần"}
    await desk.http.put(f"/api/v1/imports/{job['id']}/mapping", json=body)
    again = await desk.upload_sheet(("cot b", "CỘT A"), ("0901234567", "Lan"))
    assert [column["field"] for column in again["mapping"]["columns"]] == ["phones", "name"]

    other = await Desk(desk.harness).open()
    assert (await other.http.get("/api/v1/import-mappings")).json() == {"items": []}
    [saved] = (await desk.http.get("/api/v1/import-mappings")).json()["items"]
    assert (saved["name"], [column["field"] for column in saved["columns"]]) == ("Hằng tuần", ["name", "phones"])
    path = f"/api/v1/import-mappings/{saved['id']}"
    assert (await other.http.delete(path)).status_code == 404
    assert (await desk.http.delete(path)).status_code == 204
    assert (await desk.http.delete(path)).status_code == 404


async def test_fields_and_templates_can_be_had(desk: Desk) -> None:
    """M1: what columns may be called; an empty file that maps itself."""
    fields = {field["field"]: field for field in (await desk.http.get("/api/v1/imports/fields")).json()["items"]}
    assert fields["code"]["headers"][:2] == ["Mã khách hàng", "Customer Code"]
    assert (fields["name"]["required"], fields["interaction_count"]["system"]) == (True, True)
    for language in ("vi", "en"):
        for file_format in ("xlsx", "csv"):
            template = await desk.http.get(
                "/api/v1/imports/template", params={"format": file_format}, headers={"Accept-Language": language}
            )
            job = (await desk.upload(template.content, f"mau.{file_format}")).json()
            await desk.work()
            mapped = {column["field"] for column in (await desk.read(job["id"]))["mapping"]["columns"]}
            assert mapped == {name for name, field in fields.items() if not field["system"]}


async def test_headings_only_the_uploader_knows_are_proposed_from_their_earlier_imports(desk: Desk) -> None:
    """M2: as they mapped them last, heading by heading; nobody else's word counts."""
    header = ("Tên khách hàng", "Quý danh bạ")
    job = await desk.upload_sheet(header, ("Lan", "Y tá"))
    columns = [{"index": 0, "field": "name"}, {"index": 1, "field": "occupation"}]
    await desk.http.put(f"/api/v1/imports/{job['id']}/mapping", json={"columns": columns})
    again = await desk.upload_sheet(("quy danh ba", "Ghi chú", "Tên KH"), ("Bác sĩ", "x", "Minh"))
    assert [column["field"] for column in again["mapping"]["columns"]] == ["occupation", "description", "name"]
    other = await Desk(desk.harness).open()
    foreign = await other.upload_sheet(header, ("Hoa", "Y tá"))
    assert [column["field"] for column in foreign["mapping"]["columns"]] == ["name", None]


async def test_a_mapping_is_saved_also_where_it_is_the_one_that_was_chosen_already(desk: Desk) -> None:
    """M2: nothing is judged again, and the next file is recognised."""
    job = await desk.preview(("Tên khách hàng",), ("Lan",))
    body = {"columns": job["mapping"]["columns"], "save_as": "Hằng tuần"}
    answer = (await desk.http.put(f"/api/v1/imports/{job['id']}/mapping", json=body)).json()
    assert (answer["state"], answer["version"]) == ("ready", job["version"])
    [saved] = (await desk.http.get("/api/v1/import-mappings")).json()["items"]
    assert saved["name"] == "Hằng tuần"


async def test_mappings_saved_under_one_name_at_the_same_moment_are_one(desk: Desk) -> None:
    """M2: the later replaces the earlier, nobody is told of a fault."""
    job = await desk.upload_sheet(("Cột A",), ("Lan",))
    body = {"columns": [{"index": 0, "field": "name"}], "save_as": "Chung"}
    async with desk.harness.database.transaction() as session:
        await run(
            session,
            "INSERT INTO import_mapping (id, owner, name, name_folded, kind, columns, created_at)"
            " VALUES ($1, $2, 'CHUNG', 'chung', 'customers', '[]', clock_timestamp())",
            new_id(),
            f"user/{desk.employee_id}",
        )
        saving = asyncio.create_task(desk.http.put(f"/api/v1/imports/{job['id']}/mapping", json=body))
        await asyncio.wait({saving}, timeout=0.5)
    assert (await saving).status_code == 200
    [saved] = (await desk.http.get("/api/v1/import-mappings")).json()["items"]
    assert (saved["name"], len(saved["columns"])) == ("Chung", 1)


async def test_no_more_mappings_are_kept_than_the_limit_says(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """M2: one more is 422 at `/save_as`; one that is there can still be replaced."""
    monkeypatch.setattr("services.imports.commands.preparation.MAX_SAVED", 1)
    job = await desk.preview(("Tên khách hàng",), ("Lan",))
    path = f"/api/v1/imports/{job['id']}/mapping"
    for name, status in (("Một", 200), ("Hai", 422), ("MỘT", 200)):
        answer = await desk.http.put(path, json={"columns": job["mapping"]["columns"], "save_as": name})
        assert answer.status_code == status, answer.text
        if status == 422:
            [error] = answer.json()["errors"]
            assert (error["pointer"], error["code"]) == ("/save_as", "too_many_items")
    [saved] = (await desk.http.get("/api/v1/import-mappings")).json()["items"]
    assert saved["name"] == "MỘT"


async def test_a_row_that_became_heading_claims_nothing_any_more(desk: Desk) -> None:
    """M3: what stood above the data is no duplicate of it."""
    header = ("Tên khách hàng", "SĐT")
    job = await desk.preview(header, ("Lan", "0901234567"), ("Minh", "0901234567"))
    assert [row["outcome"] for row in await desk.rows(job["id"])] == ["create", "error"]
    body = {"header_row": 2, "columns": job["mapping"]["columns"]}
    await desk.http.put(f"/api/v1/imports/{job['id']}/mapping", json=body)
    await desk.work()
    [row] = await desk.rows(job["id"])
    assert (row["row"], row["outcome"], row["errors"]) == (3, "create", [])


async def test_a_template_says_how_many_rows_this_deployment_takes(make_harness: MakeHarness) -> None:
    """M1: the limit is a setting."""
    desk = await Desk(await make_harness("imports", import_max_rows=345)).open()
    content = (await desk.http.get("/api/v1/imports/template", headers={"Accept-Language": "en"})).content
    sheet = openpyxl.load_workbook(io.BytesIO(content)).worksheets[1]
    assert "Only the first sheet is read, at most 345 rows." in [cell.value for row in sheet.rows for cell in row]
