"""No text of a customer becomes a formula in an export or a word of imports, whichever column it stands in."""

import io
from typing import Any
from uuid import UUID, uuid4

import openpyxl
import pytest

from services.customers.domain.relationships import FIRST_RELATIONSHIPS
from shared.contracts.campaigns import CampaignChanged, CampaignState
from shared.contracts.classification import ClassificationItemState, GroupChanged, SectorChanged, SourceChanged
from shared.contracts.customers import CustomerCreated
from shared.contracts.events import Cause
from shared.identity import DOWNLOAD, EDIT_ALL, IMPORT, VIEW_ALL
from tests.conftest import MakeHarness
from tests.service.customers.conftest import Team
from tests.service.customers.test_exports import csv_rows, exported
from tests.service.imports.desk import Desk
from tests.support.records import employee

STARTS = ("=", "+", "-", "@", "'=")
CLEARS = ("#CLEAR", "'#CLEAR", "''#CLEAR")
TEXTS = ("name", "occupation", "company_name", "tax_code", "website", "description", "income_band")
ITEMS: dict[Any, Any] = {"group": GroupChanged, "source": SourceChanged, "sector": SectorChanged}


def command(start: str, field: str) -> str:
    """What a spreadsheet would run."""
    return f"{start}cmd|'/C calc'!{field}"


@pytest.fixture
async def filled(team: Team) -> dict[str, UUID]:
    """Customers with a command in every text column, one for each start, others whose every text is a word of imports.

    Answers ids of options by kind.
    """
    ids = {kind: uuid4() for kind in ITEMS}
    for kind, item_id in ids.items():
        await team.harness.sql(
            "INSERT INTO classification_item (id, kind, code, name, name_folded, state, version)"
            " VALUES ($1, $2, $3, $4, lower($4), 'active', 1)",
            item_id, kind, f"X{kind}".upper(), command("=", kind),
        )  # fmt: skip
    for number, start in enumerate(STARTS):
        fields: dict[str, Any] = {name: command(start, name) for name in TEXTS}
        await team.create(
            team.binh, **fields, phones=[f"+1202555012{number}", f"090123456{number}"], emails=[f"-{number}@b.vn"],
            address={"line": command(start, "line"), "province": command(start, "province")},
            group_ids=[str(ids["group"])], source_ids=[str(ids["source"])], sector_ids=[str(ids["sector"])],
        )  # fmt: skip
    for clear in CLEARS:
        await team.create(team.binh, **dict.fromkeys(TEXTS, clear), address={"line": clear, "province": clear})
    return ids


@pytest.mark.parametrize("whole_campaign", [False, True], ids=["list", "campaign"])
async def test_no_column_of_an_export_holds_a_formula(
    team: Team, filled: dict[str, UUID], whole_campaign: bool
) -> None:
    """M14, K6: texts, options, people, phones and addresses, from a list and from a campaign, in both forms."""
    chosen: dict[str, Any] = {"filter": {"and": []}}
    if whole_campaign:
        chosen = {"campaign_id": await _in_a_campaign(team)}
    client = team.as_("binh", DOWNLOAD)
    _, content = await exported(team, client, **chosen, format="csv")
    rows = csv_rows(content)
    assert len(rows) == 1 + len(STARTS) + len(CLEARS)
    assert [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    _, content = await exported(team, client, **chosen, format="xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s", "n"}
    assert [cell for cell in cells if cell.hyperlink is not None] == []
    held = {str(cell.value) for cell in cells}
    assert {command(start, name) for start in STARTS for name in TEXTS} <= held, "as they are, nothing before them"
    assert {f"'{clear}" for clear in CLEARS} <= held, "with one exception"
    assert "#CLEAR" not in held


async def test_what_looks_like_a_formula_or_a_word_of_imports_comes_back_unchanged(
    team: Team, filled: dict[str, UUID], make_harness: MakeHarness
) -> None:
    """M14, M5: the leading ' is taken away again, and only that; a text `#CLEAR` empties nothing."""
    imports = await make_harness("imports")
    await imports.deliver(*(relationship.event() for relationship in FIRST_RELATIONSHIPS))
    for kind, event in ITEMS.items():
        state = ClassificationItemState(
            id=filled[kind], kind=kind, code=f"X{kind}".upper(), name=command("=", kind), parent_id=None, state="active"
        )  # fmt: skip
        await imports.deliver(event(version=1, state=state, cause=Cause(kind="user")))
    for told in await team.harness.told(CustomerCreated):
        await imports.deliver(told)
    await imports.deliver(employee(team.ids["binh"], name="Binh", code="NV0002"))
    desk = Desk(imports, team.ids["binh"], (IMPORT, VIEW_ALL, EDIT_ALL))
    for file_format in ("csv", "xlsx"):
        _, content = await exported(team, team.as_("binh", DOWNLOAD), filter={"and": []}, format=file_format)
        job = await desk.upload(content, f"xuat.{file_format}")
        await desk.work()
        path = f"/api/v1/imports/{job.json()['id']}"
        await desk.http.put(f"{path}/options", json={"overwrite": True})
        columns = (await desk.read(job.json()["id"]))["mapping"]["columns"]
        assert (await desk.http.put(f"{path}/mapping", json={"columns": columns})).status_code == 200
        await desk.work()
        rows = await desk.rows(job.json()["id"])
        assert [(row["outcome"], row["errors"], row["changes"]) for row in rows] == [("unchanged", [], {})] * len(
            (*STARTS, *CLEARS)
        )


async def _in_a_campaign(team: Team) -> str:
    """A campaign of Bình's that all customers are in."""
    campaign_id = uuid4()
    state = CampaignState(
        id=campaign_id, code="TET", name="=Tết", state="active", starts_on=None, ends_on=None,
        manager_ids=(team.ids["binh"],), relevant_ids=(), staff_ids=(), allow_repeat=False, statuses=(),
    )  # fmt: skip
    await team.harness.deliver(CampaignChanged(version=1, state=state, cause=Cause(kind="user")))
    await team.harness.sql(
        "INSERT INTO opportunity (id, campaign_id, customer_id, status_id, state, version)"
        " SELECT gen_random_uuid(), $1, id, $1, 'open', 1 FROM customer",
        campaign_id,
    )
    return str(campaign_id)
