"""Telling somebody that a hidden customer has a number: said, because it must be; limited, counted, audited."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.customers.commands.imports import apply_import_rows
from shared.contracts.events import ActorReference
from shared.contracts.imports import (
    ImportPhonesRevealed,
    ImportRowsApplied,
    ImportRowsConfirmed,
    ImportUndoApplied,
    RevealedPhone,
    RowPhonesRevealed,
)
from shared.identity import DELETE, ERASE, IMPORT, VIEW_ALL
from tests.service.customers.conftest import Team
from tests.service.customers.test_confirmed_rows import confirmed, new
from tests.service.customers.test_import_undo import overwrite, read, undo

CUSTOMERS = "/api/v1/customers"
CHECK = f"{CUSTOMERS}/check"
LOOK_SECONDS = 0.3


def number(index: int) -> str:
    """A distinct Vietnamese mobile number."""
    return f"+8490{index:07d}"


def chunk_of(team: Team, *indexes: int, **changes: Any) -> ImportRowsConfirmed:
    """A chunk of new customers with these numbers, one each."""
    rows = [new(row, "Ai", phones=[number(index)]) for row, index in enumerate(indexes, start=2)]
    return confirmed(team, *rows, **changes)


@pytest.fixture
async def few(team: Team) -> Team:
    """A team where three answers an hour may reveal, four in imports, and Dũng has customers with numbers 0 to 9."""
    harness = team.harness
    harness.settings.reveal_single_per_hour = 3  # pyright: ignore[reportAttributeAccessIssue]  # this service's own settings
    harness.settings.reveal_batch_per_hour = 4  # pyright: ignore[reportAttributeAccessIssue]  # this service's own settings
    for index in range(10):
        await team.create(team.dung, phones=[number(index)])
    return team


async def states(client: httpx.AsyncClient, *phones: str) -> Any:
    """What a check says of phones, or its refusal."""
    answer = await client.post(CHECK, json={"phones": list(phones)})
    body = answer.json()
    return [item["state"] for item in body["phones"]] if answer.status_code == 200 else body["code"]


async def create(client: httpx.AsyncClient, phone: str) -> tuple[int, str | None]:
    """Status and code of a creation with a phone."""
    answer = await client.post(CUSTOMERS, json={"name": "Ai đó", "phones": [phone]})
    return answer.status_code, answer.json().get("code") if answer.status_code != 201 else None


async def test_a_check_says_free_taken_invalid_and_whose_only_to_those_who_see(few: Team) -> None:
    """R3, C2: phones in whatever form, the customer's id for who may see it; codes as they are stored."""
    own = await few.create(few.binh, phones=["0912345678"], code="vip-1")
    answer = await few.binh.post(
        CHECK, json={"phones": ["0912 345 678", "090 000 0000", "0999999999", "abc"], "code": "vip-1"}
    )
    assert answer.json() == {
        "phones": [
            {"phone": "0912 345 678", "state": "taken", "customer_id": own["id"]},
            {"phone": "090 000 0000", "state": "taken", "customer_id": None},
            {"phone": "0999999999", "state": "free", "customer_id": None},
            {"phone": "abc", "state": "invalid", "customer_id": None},
        ],
        "code": {"code": "VIP-1", "state": "taken", "customer_id": own["id"]},
    }
    other = (await few.chi.post(CHECK, json={"code": "VIP-1"})).json()
    assert other == {"phones": [], "code": {"code": "VIP-1", "state": "taken", "customer_id": None}}
    free = (await few.chi.post(CHECK, json={"code": "VIP-2"})).json()
    assert free["code"]["state"] == "free"
    many = await few.chi.post(CHECK, json={"phones": ["0912345678"] * 101})
    assert (many.status_code, many.json()["code"]) == (422, "too_many_items")


async def test_each_distinct_number_counts_once_then_no_number_is_told(few: Team) -> None:
    """R3: three distinct revealing answers; repeated and free ones cost nothing; then 429, for free numbers too."""
    for _ in range(3):
        assert await states(few.binh, number(0), number(500), number(1)) == ["taken", "free", "taken"]
    assert await create(few.binh, number(2)) == (409, "phone_taken")
    assert await states(few.binh, number(3)) == "rate_limited"
    assert await states(few.binh, number(600)) == "rate_limited"
    assert await create(few.binh, number(3)) == (429, "rate_limited")
    assert await create(few.binh, number(600)) == (429, "rate_limited")
    assert await states(few.binh, number(0)) == ["taken"], "told already"
    assert await create(few.binh, number(2)) == (409, "phone_taken")
    answer = await few.binh.post(CUSTOMERS, json={"name": "Không số"})
    assert answer.status_code == 201
    patched = await few.binh.patch(f"{CUSTOMERS}/{answer.json()['id']}", json={"phones": [number(4)]})
    assert (patched.status_code, patched.json()["code"]) == (429, "rate_limited")
    assert await states(few.chi, number(3)) == ["taken"], "everybody has their own hour"


async def test_a_refused_creation_counts_although_nothing_of_it_stays(few: Team) -> None:
    """R3, A5: each 409 of a hidden customer's number is counted and stands in that customer's trail."""
    for index in range(3):
        assert await create(few.binh, number(index)) == (409, "phone_taken")
    assert await create(few.binh, number(3)) == (429, "rate_limited")
    [row] = await few.harness.sql("SELECT customer_id FROM customer_phone WHERE phone = $1", number(0))
    trail = (await few.dung.get(f"{CUSTOMERS}/{row[0]}/audit")).json()["items"]
    assert trail[0]["actor"] == {"kind": "user", "id": str(few.ids["binh"])}
    assert trail[0]["changes"] == {"phone_revealed": {"old": None, "new": number(0)}}
    [unseen] = await few.harness.sql("SELECT customer_id FROM customer_phone WHERE phone = $1", number(3))
    assert len((await few.dung.get(f"{CUSTOMERS}/{unseen[0]}/audit")).json()["items"]) == 1


async def test_at_once_no_more_is_told_than_one_by_one(few: Team) -> None:
    """R3: parallel questions share the hour."""
    answers = await asyncio.gather(*(create(few.binh, number(index)) for index in range(8)))
    assert sorted(answer[0] for answer in answers) == [409] * 3 + [429] * 5


async def test_visible_customers_and_view_all_reveal_nothing(few: Team) -> None:
    """R3: only what the asker cannot see counts."""
    for index in range(10):
        assert await states(few.dung, number(index)) == ["taken"]
        assert await states(few.as_("binh", VIEW_ALL), number(index)) == ["taken"]
    assert await states(few.as_("binh", VIEW_ALL), number(700)) == ["free"]
    assert await few.harness.sql("SELECT 1 FROM revealed_phone") == []


async def test_an_hour_later_the_counting_begins_anew(few: Team) -> None:
    """R3: the limit is per hour."""
    assert await states(few.binh, number(0), number(1), number(2)) == ["taken"] * 3
    assert await states(few.binh, number(3)) == "rate_limited"
    await few.harness.sql("UPDATE revealed_phone SET revealed_at = revealed_at - interval '61 minutes'")
    assert await states(few.binh, number(3)) == ["taken"]


async def test_restoring_tells_of_phones_within_the_limit_too(few: Team) -> None:
    """R3, C4: the refusal of a restore, and the phones it drops, are answers like any other."""
    mine = await few.create(few.binh, phones=[number(50)])
    boss = few.as_("binh", DELETE)
    assert (await boss.delete(f"{CUSTOMERS}/{mine['id']}")).status_code == 204
    await few.create(few.dung, phones=[number(50)])
    restore = f"{CUSTOMERS}/{mine['id']}/restore"
    taken = await boss.post(restore)
    assert (taken.status_code, taken.json()["code"], "customer_id" in taken.json()) == (409, "phone_taken", False)
    assert len(await few.harness.sql("SELECT 1 FROM revealed_phone")) == 1
    assert await states(few.binh, number(0), number(1)) == ["taken", "taken"]
    back = await boss.post(restore, json={"drop_phones": True})
    assert (back.status_code, back.json()["phones"]) == (200, [])


async def test_rows_of_files_have_an_hour_of_their_own(few: Team) -> None:
    """R3, M3: after the limit a row with any unseen number is `rate_limited`, be the number taken or free."""
    assert await states(few.binh, number(0), number(1), number(2)) == ["taken"] * 3
    await few.harness.deliver(chunk_of(few, 800, *range(4), 4, 801, 0))
    [applied] = await few.harness.told(ImportRowsApplied)
    outcomes = [row.errors[0].code if row.errors else row.outcome for row in applied.rows]
    assert outcomes == ["created", *["phone_taken"] * 4, "rate_limited", "rate_limited", "phone_taken"]
    phones = await few.harness.sql("SELECT 1 FROM customer_phone WHERE phone = $1", number(801))
    assert phones == [], "a refused row keeps no number"


async def test_chunks_at_once_are_told_no_more_than_one_by_one(few: Team) -> None:
    """R3, M9: who tells of hidden customers waits for whoever else tells the same asker, and counts what was told."""
    first, second = chunk_of(few, 0, 1, 2), chunk_of(few, 3, 4, 5)
    async with few.harness.database.transaction() as session:
        await apply_import_rows(session, few.harness.envelope(first))
        delivering = asyncio.create_task(few.harness.deliver(second))
        await asyncio.sleep(LOOK_SECONDS)
    await delivering
    told = [[row.errors[0].code for row in one.rows] for one in await few.harness.told(ImportRowsApplied)]
    assert told == [["phone_taken"] * 3, ["phone_taken", "rate_limited", "rate_limited"]]


async def test_what_rows_told_is_told_to_imports_once(few: Team) -> None:
    """R3, C8: each new number with its customer, to whom previews count it; a chunk that comes again tells nothing."""
    chunks = [chunk_of(few, 0, 1, 900, 0) for _ in range(2)]
    for chunk in (chunks[0], chunks[0], chunks[1]):
        await few.harness.deliver(chunk)
    [told] = await few.harness.told(RowPhonesRevealed)
    assert (told.import_id, told.actor.id) == (chunks[0].import_id, str(few.ids["binh"]))
    assert [row.phone for row in told.rows] == [number(0), number(1)]
    erased = await few.as_("dung", ERASE).post(f"{CUSTOMERS}/{told.rows[0].customer_id}/erase")
    assert erased.status_code == 202, erased.text
    [told] = await few.harness.told(RowPhonesRevealed)
    assert [row.phone for row in told.rows] == [None, number(1)], "not sent yet, and now without the number"


async def test_what_a_preview_told_counts_with_what_rows_tell(few: Team) -> None:
    """R3, A5: once each, in the trail of the customer; one that is gone, or erased meanwhile, is passed over."""
    owners = {
        row.phone: row.customer_id for row in await few.harness.sql("SELECT phone, customer_id FROM customer_phone")
    }
    actor = ActorReference(kind="user", id=str(few.ids["binh"]), permissions=(IMPORT,))
    told = [RevealedPhone(customer_id=owners[number(index)], phone=number(index)) for index in range(4)]
    told += [RevealedPhone(customer_id=uuid4(), phone=number(9)), RevealedPhone(customer_id=uuid4(), phone=None)]
    event = ImportPhonesRevealed(import_id=uuid4(), actor=actor, rows=tuple(told))
    await few.harness.deliver(event)
    trail = (await few.dung.get(f"{CUSTOMERS}/{owners[number(0)]}/audit")).json()["items"]
    assert trail[0]["changes"] == {"phone_revealed": {"old": None, "new": number(0)}}
    assert trail[0]["actor"] == {"kind": "user", "id": str(few.ids["binh"])}
    assert trail[0]["cause"] == {"kind": "import", "id": str(event.import_id)}
    await few.harness.deliver(chunk_of(few, 3, 4, 801, import_id=event.import_id))
    [applied] = await few.harness.told(ImportRowsApplied)
    assert [row.errors[0].code for row in applied.rows] == ["phone_taken", "rate_limited", "rate_limited"]


async def test_an_undo_that_tells_of_numbers_counts_them(few: Team) -> None:
    """R3, M10: an old number that a hidden customer has now is told, counted and in their trail; then nothing more is.

    The second undo learns nothing of its old number, though that is free: the hour was used up.
    """
    customers = [await few.create(few.binh, phones=[f"0912{index:06d}"]) for index in range(2)]
    imports: list[UUID] = []
    for index, customer in enumerate(customers):
        imports.append(await overwrite(few, customer, {"phones": [f"+84913{index:06d}"]}))
    few.harness.settings.reveal_batch_per_hour = 1  # pyright: ignore[reportAttributeAccessIssue]  # this service's own settings
    taker = await few.create(few.dung, phones=["0912000000"])
    for import_id in imports:
        await few.harness.deliver(undo(few, import_id, 2))
    answers = [answer.rows[0] for answer in (await few.harness.told(ImportUndoApplied))]
    assert [(row.outcome, row.reason) for row in answers] == [("kept", "phone_taken"), ("kept", "rate_limited")]
    [told] = await few.harness.told(RowPhonesRevealed)
    assert (told.import_id, told.rows) == (
        imports[0],
        (RevealedPhone(customer_id=UUID(str(taker["id"])), phone="+84912000000"),),
    )
    trail = (await few.dung.get(f"{CUSTOMERS}/{taker['id']}/audit")).json()["items"]
    assert trail[0]["changes"] == {"phone_revealed": {"old": None, "new": "+84912000000"}}
    for index, customer in enumerate(customers):
        assert (await read(few, customer))["phones"] == [f"+84913{index:06d}"], "nothing came back"
