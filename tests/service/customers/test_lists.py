"""Lists show what the asker may see, page without gaps, and find what people type."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.customers.queries import customers
from shared.contracts.events import Cause
from shared.contracts.interactions import Contact, InteractionSummaryChanged, SummaryState
from shared.identity import DELETE, VIEW_ALL
from tests.service.customers.conftest import Team


async def names(team: Team, client: Any, **parameters: Any) -> list[str]:
    """Names on the first page of a list."""
    answer = await client.get("/api/v1/customers", params=parameters)
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


async def test_a_list_shows_own_subordinates_and_viewed_customers_only(team: Team) -> None:
    """A2: responsible, superior, viewer and view_all see; nobody else does, nor in the total."""
    await team.create(team.binh, name="Của Bình")
    await team.create(team.chi, name="Của Chi", viewer_ids=[str(team.ids["dung"])])
    assert await names(team, team.binh) == ["Của Bình"]
    assert await names(team, team.an) == ["Của Chi", "Của Bình"]
    assert await names(team, team.dung) == ["Của Chi"]
    assert await names(team, team.as_("dung", VIEW_ALL)) == ["Của Chi", "Của Bình"]
    counted = (await team.dung.get("/api/v1/customers", params={"total": "true"})).json()
    assert counted["total"] == 1


async def test_a_viewer_of_a_subordinate_gives_the_superior_no_sight(team: Team) -> None:
    """A2: superiors see through the responsible person only, not through viewers."""
    await team.create(team.dung, name="Của Dũng", viewer_ids=[str(team.ids["binh"])])
    assert await names(team, team.binh, q="dung") == ["Của Dũng"]
    assert await names(team, team.an) == []
    assert await names(team, team.an, q="dung") == []


@pytest.mark.parametrize(
    "text",
    ["nguyen thi hoa", "Nguyễn Thị Hoa", "hoa nguy", "HOA", "0901 234", "4567", "901234567", "hoa@vidu", "kh0000"],
)
async def test_text_finds_words_without_tones_and_pieces_of_phones(team: Team, text: str) -> None:
    """P4: folded word prefixes over name, code, e-mail; a phone by any four digits in a row."""
    await team.create(team.binh, name="Nguyễn Thị Hoa", phones=["0901234567"], emails=["hoa@vidu.vn"])
    await team.create(team.binh, name="Phạm Đức", phones=["0988111222"], code="ZZ1")
    assert await names(team, team.binh, q=text) == ["Nguyễn Thị Hoa"]


@pytest.mark.parametrize("text", ["%", "'", "\\", "a' | 'b", "---", "(", "😀", ":*", "' OR 1=1 --"])
async def test_odd_text_is_a_search_like_any_other(team: Team, text: str) -> None:
    """P4: nothing typed into a search is an error or finds everything."""
    await team.create(team.binh, name="Nguyễn Thị Hoa")
    answer = await team.binh.get("/api/v1/customers", params={"q": text})
    assert (answer.status_code, answer.json()["items"]) == (200, [])


async def test_pages_follow_each_other_without_gap_or_repetition(team: Team) -> None:
    """P5: keyset pages in every sort, stable while nothing changes."""
    for number in range(7):
        await team.create(team.binh, name=f"Khách {number % 3}")
    for sort in ("-created_at", "created_at", "name", "-name", "-code", "-last_contact_at", "interaction_count"):
        seen: list[str] = []
        cursor = None
        while True:
            parameters = {"limit": 2, "sort": sort} | ({"cursor": cursor} if cursor else {})
            page = (await team.binh.get("/api/v1/customers", params=parameters)).json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert (sort, len(seen), len(set(seen))) == (sort, 7, 7)


async def test_text_pages_follow_each_other_too(team: Team) -> None:
    """P4, P5: the walk and the index give one order."""
    for number in range(5):
        await team.create(team.binh, name=f"Hoa {number}")
        await team.create(team.binh, name=f"Lan {number}")
    seen: list[str] = []
    cursor = None
    while True:
        parameters = {"q": "hoa", "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await team.binh.get("/api/v1/customers", params=parameters)).json()
        seen += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"Hoa {number}" for number in reversed(range(5))]


@pytest.mark.parametrize("cursor", ["x", "AAAA", "eyJhIjoxfQ", "A" * 900])
async def test_a_forged_cursor_is_refused(team: Team, cursor: str) -> None:
    """P5: bad_cursor, whatever it looks like."""
    answer = await team.binh.get("/api/v1/customers", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor")


async def test_a_cursor_belongs_to_its_filter(team: Team) -> None:
    """P5: a cursor of another filter or sort is refused."""
    for _ in range(3):
        await team.create(team.binh)
    cursor = (await team.binh.get("/api/v1/customers", params={"limit": 1})).json()["next_cursor"]
    answer = await team.binh.get("/api/v1/customers", params={"limit": 1, "cursor": cursor, "sort": "name"})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor")


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=0",
        "limit=99999999999999999999",
        "limit=x",
        "unknown=1",
        "sort=;drop",
        "manager=1",
        "created_from=31/12/2026",
        "q=%00",
    ],
)
async def test_wrong_parameters_are_named(team: Team, query: str) -> None:
    """422 with a pointer for every parameter that is none."""
    answer = await team.binh.get(f"/api/v1/customers?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["errors"][0]["pointer"].startswith("?")


async def test_filters_narrow_by_manager_nobody_creation_and_last_contact(team: Team) -> None:
    """P4: manager, unassigned, created and last-contact ranges, days inclusive in the tenant's zone."""
    first = await team.create(team.binh, name="Một")
    await team.create(team.chi, name="Hai")
    await team.create(team.an, name="Ba", manager_id=None)
    assert await names(team, team.an, manager=str(team.ids["binh"])) == ["Một"]
    assert await names(team, team.an, unassigned="true") == ["Ba"]
    assert set(await names(team, team.an, unassigned="false")) == {"Một", "Hai"}
    today = datetime.now(team.harness.settings.zone).date()
    assert len(await names(team, team.an, created_from=str(today), created_to=str(today))) == 3
    assert await names(team, team.an, created_from=str(today + timedelta(days=1))) == []
    await team.harness.deliver(summary(first["id"], 5, today))
    assert await names(team, team.an, last_contact_from=str(today), last_contact_to=str(today)) == ["Một"]


async def test_deleted_customers_are_listed_to_holders_of_the_right(team: Team) -> None:
    """C4: `?state=deleted` needs customers:delete, and sight."""
    record = await team.create(team.binh, name="Cũ")
    keeper = team.as_("binh", DELETE)
    await keeper.delete(f"/api/v1/customers/{record['id']}")
    assert await names(team, team.binh) == []
    assert (await team.binh.get("/api/v1/customers", params={"state": "deleted"})).status_code == 403
    assert await names(team, keeper, state="deleted") == ["Cũ"]
    assert await names(team, keeper, state="deleted", q="cu") == ["Cũ"]
    assert await names(team, team.as_("dung", DELETE), state="deleted") == []


async def test_summaries_show_absolute_numbers_and_old_ones_change_nothing(team: Team) -> None:
    """I10: count, last contact and as_of follow the summaries by version, without moving the ETag."""
    record = await team.create(team.binh)
    today = datetime.now(team.harness.settings.zone).date()
    await team.harness.deliver(summary(record["id"], 7, today, version=5))
    await team.harness.deliver(summary(record["id"], 3, today, version=4))
    shown = (await team.binh.get(f"/api/v1/customers/{record['id']}")).json()
    assert (shown["interaction_count"], shown["version"]) == (7, 1)
    assert shown["last_contact"]["kind"] == "call"
    assert shown["days_left"] == 30


def summary(customer_id: Any, count: int, day: Any, version: int = 2) -> InteractionSummaryChanged:
    """A summary with a call at noon UTC of a day."""
    at = datetime(day.year, day.month, day.day, 4, 0, tzinfo=UTC)
    call = Contact(at=at, kind="call", employee_id=None, source_system="x", source_id="1")
    state = SummaryState(
        customer_id=UUID(str(customer_id)),
        interaction_count=count,
        last_contact=call,
        last_two_way_contact=call,
        as_of=at,
        ruleset=1,
    )
    return InteractionSummaryChanged(version=version, state=state, cause=Cause(kind="system"))


async def test_a_superior_counts_whom_they_look_at_once(team: Team) -> None:
    """A2: the total of all that one sees has customers of subordinates and looked-at ones, each once."""
    await team.create(team.binh, name="Của Bình", viewer_ids=[str(team.ids["an"])])
    await team.create(team.dung, name="Của Dũng", viewer_ids=[str(team.ids["an"])])
    await team.create(team.dung, name="Chỉ của Dũng")
    counted = (await team.an.get("/api/v1/customers", params={"total": "true"})).json()
    assert counted["total"] == len(counted["items"]) == 2


async def test_a_total_that_takes_too_long_is_null(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """P5: the page is answered all the same, and the connection serves the next request."""
    await team.create(team.binh, name="Của Bình")
    monkeypatch.setattr(customers, "TOTAL_SECONDS", 0.0)
    answer = (await team.binh.get("/api/v1/customers", params={"total": "true"})).json()
    assert (answer["total"], [item["name"] for item in answer["items"]]) == (None, ["Của Bình"])
    searched = (await team.binh.post("/api/v1/customers/search", json={"total": True})).json()
    assert (searched["total"], len(searched["items"])) == (None, 1)
    assert "total" not in (await team.binh.get("/api/v1/customers")).json()
