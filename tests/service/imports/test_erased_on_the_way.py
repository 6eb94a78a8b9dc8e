"""Rows on their way to `customers` while somebody they claim to be is erased (C8): topics come in any order.

Such a row names nobody by id. It may be refused for the erased customer, who was still there, or make somebody new.
"""

from collections.abc import Sequence
from typing import Any

import pytest

from shared.contracts.imports import AppliedRow, ImportRowsApplied, ImportRowsConfirmed, RowError
from tests.service.imports.desk import Desk, applied
from tests.service.imports.test_forgetting import erasure, traces
from tests.support.records import customer

HEADER = ("Mã KH", "Tên KH", "SĐT")
SECRETS = ("Bí Mật", "901234567", "KH9")


def refused(
    chunk: ImportRowsConfirmed, row: int, field: str = "phones", code: str = "phone_taken"
) -> ImportRowsApplied:
    """The answer of `customers` to a chunk of which one row is refused and the others are written."""
    refusal = AppliedRow(
        row=row, outcome="error", customer_id=None, code=None, version=None, errors=(RowError(field=field, code=code),)
    )
    answer = applied(chunk)
    rows = tuple(refusal if one.row == row else one for one in answer.rows)
    return answer.model_copy(update={"rows": rows})


async def _confirmed(desk: Desk, *rows: Sequence[str], **confirmation: Any) -> tuple[str, ImportRowsConfirmed]:
    """An import that is on its way, and its first chunk."""
    job = await desk.preview(HEADER, *rows)
    await desk.confirm(job["id"], **confirmation)
    [chunk] = await desk.confirmed()
    await desk.harness.forget_told()
    return job["id"], chunk


LAN = ("", "Lan Bí Mật", "0901234567")
MINH = ("", "Minh", "0907654321")


@pytest.mark.parametrize("first", ["answer", "erasure"])
@pytest.mark.parametrize("at_once", [False, True])
async def test_a_row_refused_for_somebody_who_is_erased_is_emptied_whatever_is_heard_first(
    desk: Desk, first: str, at_once: bool
) -> None:
    """C8: also where the customer was created and erased since this service last read along."""
    job_id, chunk = await _confirmed(desk, LAN, MINH)
    hidden = customer(code="KH9", name="Lan Bí Mật", phones=("+84901234567",))
    if first == "answer":
        await desk.harness.deliver(refused(chunk, 2))
    if at_once:
        await desk.harness.deliver(hidden, erasure(hidden.state.id))
    else:
        await desk.harness.deliver(hidden)
        await desk.harness.deliver(erasure(hidden.state.id))
    if first == "erasure":
        await desk.harness.deliver(refused(chunk, 2))
    assert await traces(desk, *SECRETS) == [], "a refused row still says who was erased"
    emptied, other = await desk.rows(job_id)
    assert (emptied["outcome"], emptied["errors"]) == ("error", [{"field": "phones", "code": "phone_taken"}])
    assert (other["outcome"], other["changes"]["name"]["new"]) == ("created", "Minh")
    assert (await desk.read(job_id))["counts"] == {"error": 1, "created": 1}


async def test_a_contact_refused_for_somebody_who_is_erased_is_emptied(desk: Desk) -> None:
    """C8, M13: contacts go the way of rows; this one may be synced again."""
    contacts = {"contacts": [{"name": "Lan Bí Mật", "phone": "0901234567", "device_contact_id": "d1"}]}
    sync = (await desk.http.post("/api/v1/contact-syncs", json=contacts)).json()
    [chunk] = await desk.confirmed()
    await desk.harness.forget_told()
    hidden = customer(code="KH9", phones=("+84901234567",))
    await desk.harness.deliver(hidden)
    await desk.harness.deliver(erasure(hidden.state.id))
    await desk.harness.deliver(refused(chunk, 1))
    assert await traces(desk, *SECRETS) == []
    [item] = (await desk.http.get(f"/api/v1/contact-syncs/{sync['id']}")).json()["items"]
    assert item["status"] == "duplicate"
    assert await desk.harness.sql("SELECT 1 FROM synced_contact") == []


async def test_a_row_that_waits_for_its_turn_is_emptied_when_it_is_refused(desk: Desk) -> None:
    """C8, C1: an erased customer's code is taken for ever: a row that was not sent yet can be refused for it, too."""
    rows = [("", f"Khách {number}", "") for number in range(100)]
    job_id, chunk = await _confirmed(desk, *rows, ("KH9", "Lan Bí Mật", ""))
    hidden = customer(code="KH9")
    await desk.harness.deliver(hidden)
    await desk.harness.deliver(erasure(hidden.state.id))
    await desk.harness.deliver(applied(chunk))
    [chunk] = await desk.confirmed()
    [row] = chunk.rows
    await desk.harness.forget_told()
    await desk.harness.deliver(refused(chunk, row.row, "code", "code_taken"))
    assert await traces(desk, *SECRETS) == []
    assert (await desk.read(job_id))["counts"] == {"created": 100, "error": 1}


async def test_a_row_that_is_called_off_is_emptied(desk: Desk) -> None:
    """C8, M2: of an import of all or nothing that was spoiled no row keeps what an erased customer is known by."""
    rows = [("", f"Khách {number}", "") for number in range(100)]
    job_id, chunk = await _confirmed(desk, *rows, LAN, all_or_nothing=True)
    hidden = customer(code="KH9", phones=("+84901234567",))
    await desk.harness.deliver(hidden)
    await desk.harness.deliver(erasure(hidden.state.id))
    await desk.harness.deliver(refused(chunk, 2))
    assert await desk.confirmed() == []
    assert await traces(desk, *SECRETS) == []
    assert (await desk.read(job_id))["counts"]["skipped"] == 1


async def test_a_row_without_an_answer_of_its_own_is_emptied_when_it_fails(desk: Desk) -> None:
    """C8: a row that its chunk's answer passes over has failed, and stays no longer than a refused one."""
    job_id, chunk = await _confirmed(desk, LAN, MINH)
    hidden = customer(code="KH9", phones=("+84901234567",))
    await desk.harness.deliver(hidden)
    await desk.harness.deliver(erasure(hidden.state.id))
    answer = applied(chunk)
    await desk.harness.deliver(answer.model_copy(update={"rows": answer.rows[1:]}))
    assert await traces(desk, *SECRETS) == []
    assert (await desk.read(job_id))["counts"] == {"failed": 1, "created": 1}


async def test_a_row_that_makes_somebody_new_by_the_number_of_an_erased_customer_stays(desk: Desk) -> None:
    """C8, C2: the number was free again when `customers` wrote the row; who has it now is not the one who is gone."""
    job_id, chunk = await _confirmed(desk, LAN, MINH)
    hidden = customer(code="KH9", phones=("+84901234567",))
    await desk.harness.deliver(hidden)
    await desk.harness.deliver(erasure(hidden.state.id))
    await desk.harness.deliver(applied(chunk))
    assert [row["changes"]["name"]["new"] for row in await desk.rows(job_id)] == ["Lan Bí Mật", "Minh"]
    made = (await desk.rows(job_id))[0]["customer_id"]
    await desk.harness.deliver(erasure(made))
    assert await traces(desk, "Bí Mật", "901234567") == []
