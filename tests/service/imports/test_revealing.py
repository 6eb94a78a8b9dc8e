"""Previews that tell of hidden customers' numbers: counted with what their rows tell later, limited, audited (R3)."""

from typing import Any

import pytest

from shared.contracts.customers import CustomerErased, ErasedState
from shared.contracts.events import ActorReference
from shared.contracts.imports import ImportPhonesRevealed, RevealedPhone, RowPhonesRevealed
from shared.envelope import new_id
from shared.identity import IMPORT, VIEW_ALL
from tests.service.imports.desk import Desk
from tests.support.records import BY_SYSTEM, customer

HEADER = ("Tên khách hàng", "Số điện thoại")
TAKEN = ("error", ["phone_taken"])
LIMITED = ("error", ["rate_limited"])


def number(index: int) -> str:
    """A distinct Vietnamese mobile number."""
    return f"+8490{index:07d}"


def sheet(*indices: int) -> list[tuple[str, ...]]:
    """A file with one row for each number."""
    return [HEADER, *((f"Khách {index}", number(index)) for index in indices)]


async def outcomes(desk: Desk, *indices: int, **options: Any) -> list[tuple[str, list[str]]]:
    """What a preview says of numbers: outcome and codes of each row."""
    job = await desk.preview(*sheet(*indices), **options)
    return [(row["outcome"], [error["code"] for error in row["errors"]]) for row in await desk.rows(job["id"])]


@pytest.fixture
async def few(desk: Desk) -> Desk:
    """A desk where three answers an hour may reveal; a stranger's customers have numbers 0 to 9."""
    settings: Any = desk.harness.settings
    settings.reveal_batch_per_hour = 3
    stranger = new_id()
    await desk.harness.deliver(*(customer(manager_id=stranger, phones=(number(n),)) for n in range(10)))
    return desk


async def test_each_distinct_number_counts_once_then_no_number_is_told(few: Desk) -> None:
    """R3, M3: three are told; then `rate_limited` for taken and free ones alike; told ones stay told."""
    assert await outcomes(few, 0, 500, 1) == [TAKEN, ("create", []), TAKEN]
    assert await outcomes(few, 0, 1, 501) == [TAKEN, TAKEN, ("create", [])]
    assert await outcomes(few, 2, 3, 502, 0) == [TAKEN, LIMITED, LIMITED, TAKEN]
    assert await outcomes(few, 3, 502) == [LIMITED, LIMITED]
    await few.harness.sql("UPDATE revealed_phone SET revealed_at = revealed_at - interval '61 minutes'")
    assert await outcomes(few, 3, 503) == [TAKEN, ("create", [])]


async def test_match_by_phone_and_edits_in_place_ask_within_the_same_hour(few: Desk) -> None:
    """R3: trying out numbers in one cell after the other is counted like a file of them."""
    assert await outcomes(few, 0, match_by_phone=True, overwrite=True) == [TAKEN]
    job = await few.preview(*sheet(500))
    path = f"/api/v1/imports/{job['id']}/rows"
    told = []
    for index in (1, 2, 3, 600, 1):
        answer = await few.http.patch(path, json={"items": [{"row": 2, "cells": {"phones": number(index)}}]})
        [row] = answer.json()["items"]
        told.append((row["outcome"], [error["code"] for error in row["errors"]]))
    assert told == [TAKEN, TAKEN, LIMITED, LIMITED, TAKEN]


async def test_what_is_told_goes_into_the_trail_of_the_customer(few: Desk) -> None:
    """R3, A5: `customers`, who keeps the trail and counts what rows tell later, hears of each number once."""
    job = await few.preview(*sheet(0, 1, 700))
    await few.preview(*sheet(1, 2))
    first, second = await few.harness.told(ImportPhonesRevealed)
    assert (str(first.import_id), first.actor.id) == (job["id"], str(few.employee_id))
    assert [row.phone for row in (*first.rows, *second.rows)] == [number(0), number(1), number(2)]


async def test_what_confirmed_rows_were_told_counts_for_the_next_previews(few: Desk) -> None:
    """R3, M13, C8: contacts are never previewed; a number counts once, also told again; an erased customer's never."""
    owners = {row.phones[0]: row.id for row in await few.harness.sql("SELECT id, phones FROM customer")}
    rows = [RevealedPhone(customer_id=owners[number(index)], phone=number(index)) for index in (0, 1)]
    await few.harness.deliver(CustomerErased(version=2, state=ErasedState(id=owners[number(9)]), cause=BY_SYSTEM))
    rows += [
        RevealedPhone(customer_id=owners[number(9)], phone=number(9)),
        RevealedPhone(customer_id=new_id(), phone=None),
    ]
    actor = ActorReference(kind="user", id=str(few.employee_id), permissions=(IMPORT,))
    told = RowPhonesRevealed(import_id=new_id(), actor=actor, rows=tuple(rows))
    await few.harness.deliver(told, told)
    await few.harness.deliver(told)
    assert await outcomes(few, 0, 2, 3, 1, 900) == [TAKEN, TAKEN, LIMITED, TAKEN, LIMITED]
    other = await Desk(few.harness).open()
    assert await outcomes(other, 3) == [TAKEN]


async def test_visible_customers_and_view_all_reveal_nothing(few: Desk) -> None:
    """R3: only what the uploader cannot see counts."""
    await few.harness.deliver(*(customer(manager_id=few.employee_id, phones=(number(n),)) for n in range(20, 24)))
    assert await outcomes(few, 20, 21, 22, 23) == [TAKEN] * 4
    few.permissions = (IMPORT, VIEW_ALL)
    assert await outcomes(few, *range(6), 800) == [TAKEN] * 6 + [("create", [])]
    assert await few.harness.sql("SELECT 1 FROM revealed_phone") == []
    assert await few.harness.told(ImportPhonesRevealed) == []


async def test_everybody_has_their_own_hour(few: Desk) -> None:
    """R3: per employee."""
    assert await outcomes(few, 0, 1, 2, 3) == [TAKEN, TAKEN, TAKEN, LIMITED]
    other = await Desk(few.harness).open()
    assert await outcomes(other, 3) == [TAKEN]


async def test_an_erased_customers_number_is_forgotten_wherever_it_was_told(few: Desk) -> None:
    """C8: neither the count nor an event that still waits names the number."""
    await few.preview(*sheet(0, 1))
    [row] = await few.harness.sql("SELECT id FROM customer WHERE phones = ARRAY[$1::text]", number(0))
    await few.harness.deliver(CustomerErased(version=2, state=ErasedState(id=row.id), cause=BY_SYSTEM))
    assert [tuple(row) for row in await few.harness.sql("SELECT phone FROM revealed_phone")] == [(number(1),)]
    [event] = await few.harness.told(ImportPhonesRevealed)
    assert {told.customer_id: told.phone for told in event.rows}[row.id] is None
    assert number(0) not in event.model_dump_json()
