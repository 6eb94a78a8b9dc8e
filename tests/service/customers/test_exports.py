"""Exports: what people see in a file, who may have one, how its making survives, and that it can come back."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID, uuid4

import httpx
import openpyxl

from services.customers.commands.exports import claim_export, store_part
from services.customers.domain.relationships import FIRST_RELATIONSHIPS
from services.customers.settings import CustomersSettings
from services.customers.worker import export_next
from shared.contracts.campaigns import CampaignChanged, CampaignState, OpportunityCreated, OpportunityState
from shared.contracts.classification import ClassificationItemState, GroupChanged
from shared.contracts.customers import CustomerCreated
from shared.contracts.events import Cause
from shared.identity import DELETE, DOWNLOAD, EDIT_ALL, IMPORT, VIEW_ALL
from tests.conftest import MakeHarness
from tests.service.customers.conftest import Team
from tests.service.imports.desk import Desk
from tests.support.records import employee

EXPORTS = "/api/v1/exports"
NASTY = ("=1+1", "+84", "-5", "@cmd", "\ttab", "'=quoted", "1e5", "007", "http://a.vn")


def settings_of(team: Team) -> CustomersSettings:
    """The service's own settings."""
    assert isinstance(team.harness.settings, CustomersSettings)
    return team.harness.settings


async def make(team: Team) -> None:
    """Let the worker make all files that wait."""
    while await export_next(team.harness.database, settings_of(team)):
        pass


async def exported(team: Team, client: httpx.AsyncClient, **body: Any) -> tuple[dict[str, Any], bytes]:
    """The export's record and its file."""
    answer = await client.post(EXPORTS, json=body)
    assert answer.status_code == 202, answer.text
    await make(team)
    record = (await client.get(answer.headers["location"])).json()
    assert record["state"] == "finished", record
    return record, (await client.get(f"{answer.headers['location']}/file")).content


def csv_rows(content: bytes) -> list[list[str]]:
    """The cells of a .csv."""
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def xlsx_rows(content: bytes) -> list[list[Any]]:
    """The cells of an .xlsx, as a spreadsheet takes them."""
    sheet = openpyxl.load_workbook(io.BytesIO(content), data_only=False).active
    assert sheet is not None
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


async def a_campaign(team: Team, relevant_ids: tuple[UUID, ...] = (), staff_ids: tuple[UUID, ...] = ()) -> UUID:
    """A campaign that An manages."""
    state = CampaignState(
        id=uuid4(), code="TET", name="Tết", state="active", starts_on=None, ends_on=None,
        manager_ids=(team.ids["an"],), relevant_ids=relevant_ids, staff_ids=staff_ids,
        allow_repeat=False, statuses=(),
    )  # fmt: skip
    await team.harness.deliver(CampaignChanged(version=1, state=state, cause=Cause(kind="user")))
    return state.id


async def add(
    team: Team, campaign_id: UUID, *customer_ids: str, state: Literal["open", "suspended", "removed"] = "open"
) -> None:
    """Opportunities of customers in a campaign, owned by nobody."""
    for customer_id in customer_ids:
        opportunity = OpportunityState(
            id=uuid4(), campaign_id=campaign_id, customer_id=UUID(customer_id), status_id=uuid4(), owner_id=None,
            owner_assigned_at=None, manager_policy="replace", keep_previous_as_viewer=False, value=None,
            probability=None, state=state, created_at=datetime.now(UTC),
        )  # fmt: skip
        await team.harness.deliver(OpportunityCreated(version=1, state=opportunity, cause=Cause(kind="user")))


async def test_a_file_has_headings_in_the_language_the_id_first_and_national_phones(team: Team) -> None:
    """M14: labels of the request's language, Customer ID first, columns in their order, numbers as numbers."""
    one = await team.create(
        team.binh, name="Trần Bưởi", phones=["0901234567", "+12025550123"], type="company", gender="female",
        birth_date="1990-03-25", address={"line": "1 Lê Lợi", "province": "Huế"},
    )  # fmt: skip
    columns = ["name", "phones", "type", "gender", "birth_date", "address", "province", "manager", "interaction_count"]
    client = team.as_("binh", DOWNLOAD)
    record, content = await exported(team, client, filter={"and": []}, columns=columns, format="xlsx")
    assert (record["total"], record["left_out"], record["columns"]) == (1, 0, ["customer_id", *columns])
    header, row = xlsx_rows(content)
    assert header[:4] == ["ID khách hàng", "Tên khách hàng", "Số điện thoại", "Loại khách hàng"]
    assert row == [
        one["id"], "Trần Bưởi", "0901234567, +12025550123", "Công ty", "Nữ", "1990-03-25", "1 Lê Lợi", "Huế", "Binh", 1,
    ]  # fmt: skip
    client.headers["Accept-Language"] = "en"
    _, content = await exported(team, client, filter={"and": []}, columns=["type"], format="csv")
    assert csv_rows(content) == [["Customer ID", "Customer Type"], [one["id"], "Company"]]
    labels = (await client.get(f"{EXPORTS}/columns")).json()["items"]
    assert labels[0] == {"field": "customer_id", "label": "Customer ID"}


async def test_no_cell_is_ever_a_formula(team: Team) -> None:
    """M14: .xlsx texts stay texts as they are, .csv cells that look like formulas get a leading '."""
    for text in NASTY:
        await team.create(team.binh, name="Ai", occupation=text)
    client = team.as_("binh", DOWNLOAD)
    stored = [text.strip() for text in NASTY]
    _, content = await exported(team, client, filter={"and": []}, columns=["occupation"], format="xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    cells = [row[1] for row in sheet.iter_rows(min_row=2)]
    assert [cell.value for cell in cells] == stored
    assert {cell.data_type for cell in cells} == {"s"}
    assert all(cell.hyperlink is None for cell in cells)
    _, content = await exported(team, client, filter={"and": []}, columns=["occupation"], format="csv")
    dangerous = ("=", "+", "-", "@", "'=")
    expected = [f"'{text}" if text.startswith(dangerous) else text for text in stored]
    assert [row[1] for row in csv_rows(content)[1:]] == expected


async def test_only_visible_customers_are_in_it_and_the_rest_is_a_number(team: Team) -> None:
    """M14, A2: ids that the maker does not see are left out and counted, also those lost before the file is made."""
    mine = [str((await team.create(team.binh))["id"]) for _ in range(3)]
    foreign = str((await team.create(team.dung))["id"])
    client = team.as_("binh", DOWNLOAD)
    answer = await client.post(
        EXPORTS, json={"customer_ids": [mine[2], foreign, mine[0], mine[1]], "columns": ["name"]}
    )
    assert (answer.json()["total"], answer.json()["left_out"]) == (3, 1)
    await team.an.put(f"/api/v1/customers/{mine[0]}/manager", json={"employee_id": str(team.ids["dung"])})
    await make(team)
    record = (await client.get(answer.headers["location"])).json()
    assert (record["state"], record["total"], record["left_out"]) == ("finished", 2, 2)
    rows = xlsx_rows((await client.get(f"{answer.headers['location']}/file")).content)
    assert [row[0] for row in rows[1:]] == [mine[2], mine[1]], "in the order asked"


async def test_permission_is_asked_again_at_download_and_the_file_is_its_makers(team: Team) -> None:
    """M14, R1: 403 without the right, at the request and at the download; 404 for everybody else."""
    await team.create(team.binh)
    assert (await team.binh.post(EXPORTS, json={"filter": {"and": []}})).status_code == 403
    client = team.as_("binh", DOWNLOAD)
    answer = await client.post(EXPORTS, json={"filter": {"and": []}})
    path = answer.headers["location"]
    early = await client.get(f"{path}/file")
    assert (early.status_code, early.json()["code"]) == (409, "wrong_state")
    await make(team)
    assert (await team.binh.get(path)).status_code == 200
    assert (await team.binh.get(f"{path}/file")).status_code == 403
    assert (await team.as_("an", DOWNLOAD, VIEW_ALL).get(f"{path}/file")).status_code == 404
    file = await client.get(f"{path}/file")
    assert file.headers["content-disposition"].endswith('.xlsx"')
    assert [item["id"] for item in (await client.get(EXPORTS)).json()["items"]] == [answer.json()["id"]]
    trail = (await client.get(f"/api/v1/employees/{team.ids['binh']}/audit")).json()["items"]
    assert [next(iter(entry["changes"])) for entry in trail[:2]] == ["download", "export"]
    await team.harness.sql("UPDATE long_work SET expires_at = clock_timestamp()")
    assert (await client.get(f"{path}/file")).status_code == 404
    assert (await client.get(EXPORTS)).json()["items"] == []


async def test_a_bad_request_has_a_pointer(team: Team) -> None:
    """Unknown columns and formats, nothing chosen: 422 before anything is made."""
    client = team.as_("binh", DOWNLOAD)
    column = await client.post(EXPORTS, json={"filter": {"and": []}, "columns": ["name", "shoe"]})
    assert (column.status_code, column.json()["errors"][0]["pointer"]) == (422, "/columns/1")
    for body in ({}, {"filter": {"and": []}, "format": "pdf"}, {"filter": {"and": []}, "columns": []}):
        assert (await client.post(EXPORTS, json=body)).status_code == 422
    assert await team.harness.sql("SELECT 1 FROM long_work") == []


async def test_a_campaign_is_exported_by_its_people_only(team: Team) -> None:
    """K6, R3: a filter with a campaign needs a relevant person of it, a whole campaign its manager; else 403."""
    campaign_id = await a_campaign(team, relevant_ids=(team.ids["chi"],), staff_ids=(team.ids["binh"],))
    chosen = {"filter": {"not": {"opportunity": {"campaign_id": str(campaign_id)}}}}
    whole = {"campaign_id": str(campaign_id)}
    answers = {
        name: [(await team.as_(name, DOWNLOAD).post(EXPORTS, json=body)).status_code for body in (chosen, whole)]
        for name in ("an", "chi", "binh", "dung")
    }
    assert answers == {"an": [202, 202], "chi": [202, 403], "binh": [403, 403], "dung": [403, 403]}
    unknown = {"filter": {"opportunity": {"campaign_id": str(uuid4())}}}
    assert (await team.as_("an", DOWNLOAD).post(EXPORTS, json=unknown)).status_code == 403


async def test_of_a_campaign_its_manager_gets_who_is_visible_and_hears_how_many_are_not(team: Team) -> None:
    """K6, M14, A2: also with a filter; deleted customers, ended opportunities, other campaigns count for nothing."""
    mine = [str((await team.create(team.binh, name=name))["id"]) for name in ("Một", "Hai", "Ba", "Bốn")]
    foreign = [str((await team.create(team.dung))["id"]) for _ in range(3)]
    unassigned = str((await team.create(team.dung, manager_id=None))["id"])
    campaign_id, other_id = await a_campaign(team), await a_campaign(team)
    await add(team, campaign_id, *mine[:2], mine[1], *foreign[:2], unassigned)
    await add(team, campaign_id, mine[2], foreign[2], state="removed")
    await add(team, other_id, mine[3], foreign[2])
    await team.as_("dung", DELETE).delete(f"/api/v1/customers/{foreign[1]}")
    client = team.as_("an", DOWNLOAD)
    for chosen, expected in (
        ({}, mine[:2]),
        ({"filter": {"field": "name", "op": "eq", "value": "Hai"}}, mine[1:2]),
    ):
        record, content = await exported(team, client, campaign_id=str(campaign_id), format="csv", **chosen)
        assert [row[0] for row in csv_rows(content)[1:]] == sorted(expected)
        assert (record["total"], record["left_out"]) == (len(expected), 2), chosen
    everything, _ = await exported(team, team.as_("an", DOWNLOAD, VIEW_ALL), campaign_id=str(campaign_id))
    assert (everything["total"], everything["left_out"]) == (4, 0)


async def test_ids_of_a_campaign_are_cut_to_it_and_the_others_are_left_out(team: Team) -> None:
    """K6, M14: who was not asked for is not in the file, who is not in the campaign neither, nor who is not seen."""
    mine = [str((await team.create(team.binh))["id"]) for _ in range(4)]
    foreign = str((await team.create(team.dung))["id"])
    campaign_id = await a_campaign(team)
    await add(team, campaign_id, *mine[:3], foreign)
    client, asked = team.as_("an", DOWNLOAD), [mine[2], mine[3], foreign, mine[0], mine[2]]
    record, content = await exported(
        team, client, campaign_id=str(campaign_id), customer_ids=asked, format="csv", columns=["name"]
    )
    assert [row[0] for row in csv_rows(content)[1:]] == [mine[2], mine[0]], "in the order asked"
    assert (record["total"], record["left_out"]) == (2, 2)
    none, _ = await exported(team, client, campaign_id=str(campaign_id), customer_ids=[mine[3]])
    assert (none["total"], none["left_out"]) == (0, 1)


async def test_an_export_whose_process_died_is_made_anew(team: Team, monkeypatch: Any) -> None:
    """M14: half a file is thrown away when the lease ends; too many deaths end the export."""
    await team.create(team.binh, name="Sống")
    client = team.as_("binh", DOWNLOAD)
    answer = await client.post(EXPORTS, json={"filter": {"and": []}, "columns": ["name"], "format": "csv"})
    async with team.harness.database.transaction() as session:
        dead = await claim_export(session, 60)
        assert dead is not None
        await store_part(session, dead, 0, b"half a file", 60)
    assert not await export_next(team.harness.database, settings_of(team)), "somebody is at it"
    await team.harness.sql("UPDATE long_work SET leased_until = clock_timestamp() - interval '1 second'")
    await make(team)
    content = (await client.get(f"{answer.headers['location']}/file")).content
    assert [row[1] for row in csv_rows(content)] == ["Tên khách hàng", "Sống"]
    again = await client.post(EXPORTS, json={"filter": {"and": []}})
    await team.harness.sql("UPDATE long_work SET attempts = 3 WHERE state = 'running'")
    await make(team)
    record = (await client.get(again.headers["location"])).json()
    assert (record["state"], record["error"]) == ("failed", {"code": "internal_error"})


async def test_a_maker_who_was_let_go_gets_no_file(team: Team) -> None:
    """R2: the directory of the moment decides when the file is made."""
    await team.create(team.binh)
    answer = await team.as_("binh", DOWNLOAD).post(EXPORTS, json={"filter": {"and": []}})
    await team.admin.post(f"/api/v1/employees/{team.ids['binh']}/deactivate")
    await make(team)
    [row] = await team.harness.sql("SELECT state, error FROM long_work WHERE id = $1", UUID(answer.json()["id"]))
    assert (row[0], row[1]) == ("failed", "inactive_employee")


async def test_a_long_file_comes_in_parts_and_is_whole(team: Team, monkeypatch: Any) -> None:
    """M14: chunks of rows go in, parts of the file come out, in their order."""
    monkeypatch.setattr("services.customers.commands.long_work.CHUNK", 3)
    monkeypatch.setattr("services.customers.spreadsheets.writing.PART_BYTES", 100)
    ids = sorted([str((await team.create(team.binh, description="x" * 50))["id"]) for _ in range(8)])
    record, content = await exported(
        team, team.as_("binh", DOWNLOAD), filter={"and": []}, columns=["description"], format="csv"
    )
    assert [row[0] for row in csv_rows(content)[1:]] == ids
    assert len(await team.harness.sql("SELECT 1 FROM export_part")) > 5
    assert record["total"] == 8


async def test_what_was_exported_and_uploaded_again_is_unchanged(team: Team, make_harness: MakeHarness) -> None:
    """M14, M3, M6: every row of a file that nobody edited comes back `unchanged`, in both forms."""
    groups = [("VIP", "Khách, quý"), ("A", 'Nhóm "A"'), ("TRUNG", "Trùng"), ("TRUNG-2", "Trùng")]
    group_ids = [uuid4() for _ in groups]
    for group_id, (code, name) in zip(group_ids, groups, strict=True):
        await team.harness.sql(
            "INSERT INTO classification_item (id, kind, code, name, name_folded, parent_id, state, version)"
            " VALUES ($1, 'group', $2, $3, lower($3), $4, 'active', 1)",
            group_id, code, name, group_ids[0] if code == "TRUNG-2" else None,
        )  # fmt: skip
    referrer = await team.create(team.binh, name="Người giới thiệu")
    for number, extra in enumerate(
        (
            {"group_ids": list(map(str, group_ids[:3])), "phones": ["0901234567", "+12025550123"], "type": "company"},
            {"occupation": "=1+1", "company_name": "'x", "description": 'hai\ndòng, "trích"', "gender": "other"},
            {"referrer_customer_id": referrer["id"], "birth_date": "1990-03-25", "emails": ["a@b.vn", "c@d.vn"]},
            {"address": {"line": "+84 đường", "province": "Huế"}, "manager_id": None, "tax_code": "0101234567"},
        )
    ):
        await team.create(team.binh, name=f"Khách {number}", **extra)
    imports = await make_harness("imports")
    await imports.deliver(*(relationship.event() for relationship in FIRST_RELATIONSHIPS))
    for group_id, (code, name) in zip(group_ids, groups, strict=True):
        state = ClassificationItemState(id=group_id, kind="group", code=code, name=name, parent_id=None, state="active")
        await imports.deliver(GroupChanged(version=1, state=state, cause=Cause(kind="user")))
    for event in await team.harness.told(CustomerCreated):
        await imports.deliver(event)
    await imports.deliver(employee(team.ids["binh"], name="Binh", code="NV0002"))
    desk = Desk(imports, team.ids["binh"], (IMPORT, VIEW_ALL, EDIT_ALL))
    for file_format in ("csv", "xlsx"):
        _, content = await exported(team, team.as_("binh", DOWNLOAD), filter={"and": []}, format=file_format)
        uploaded = await desk.upload(content, f"xuat.{file_format}", repeat="true")
        await desk.work()
        path = f"/api/v1/imports/{uploaded.json()['id']}"
        job = (await desk.http.get(path)).json()
        await desk.http.put(f"{path}/options", json={"overwrite": True})
        mapped = await desk.http.put(f"{path}/mapping", json={"columns": job["mapping"]["columns"]})
        assert mapped.status_code == 200, mapped.text
        await desk.work()
        rows = await desk.rows(uploaded.json()["id"])
        assert [row["outcome"] for row in rows] == ["unchanged"] * 5, json.dumps(rows, ensure_ascii=False)
