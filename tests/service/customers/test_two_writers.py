"""Several people change one record at once: one of them wins, the others are told, and nothing is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared.contracts.classification import relationship_id
from shared.identity import EDIT_ALL, VIEW_ALL
from tests.service.customers.conftest import Team

API = "/api/v1"
WRITERS = 6


async def _customer(team: Team) -> str:
    return f"{API}/customers/{(await team.create(team.admin))['id']}"


async def _employee(team: Team) -> str:
    return f"{API}/employees/{team.ids['dung']}"


async def _relationship(_: Team) -> str:
    return f"{API}/relationships/{relationship_id('hot')}"


def _value(kind: str) -> Callable[[Team], Awaitable[str]]:
    async def make(team: Team) -> str:
        made = await team.admin.post(f"{API}/{kind}", json={"name": "Cũ"})
        return f"{API}/{kind}/{made.json()['id']}"

    return make


async def _view(team: Team) -> str:
    made = await team.admin.post(f"{API}/views", json={"name": "Cũ"})
    assert made.status_code == 201, made.text
    return f"{API}/views/{made.json()['id']}"


RECORDS = {
    "customer": _customer,
    "employee": _employee,
    "group": _value("groups"),
    "sector": _value("sectors"),
    "source": _value("sources"),
    "relationship": _relationship,
    "view": _view,
}


@pytest.mark.parametrize("noun", RECORDS)
async def test_of_several_changes_under_one_version_one_wins(team: Team, noun: str) -> None:
    """C7, G1, G4: the same `If-Match` by all: one 200, the others 412, and the record is what the winner made it."""
    path = await RECORDS[noun](team)
    etag = (await team.admin.get(path)).headers["etag"]
    answers = await asyncio.gather(
        *(team.admin.patch(path, json={"name": f"Mới {n}"}, headers={"If-Match": etag}) for n in range(WRITERS))
    )
    codes = [answer.status_code for answer in answers]
    assert sorted(codes) == [200, *[412] * (WRITERS - 1)], codes
    winner = codes.index(200)
    now = await team.admin.get(path)
    assert (now.json()["name"], now.headers["etag"]) == (f"Mới {winner}", answers[winner].headers["etag"])


async def test_changes_without_a_version_of_different_fields_are_all_kept(team: Team) -> None:
    """C7: nobody's change overwrites what they did not name, however many write at once."""
    path = await _customer(team)
    values: dict[str, Any] = {
        "occupation": "Kỹ sư", "website": "https://a.vn", "tax_code": "1", "description": "a",
        "company_name": "B", "emails": ["a@b.vn"], "phones": ["+84901234567"], "gender": "female",
    }  # fmt: skip
    await asyncio.gather(*(team.admin.patch(path, json={name: value}) for name, value in values.items()))
    record = (await team.admin.get(path)).json()
    assert {name: record[name] for name in values} == values
    assert record["version"] == len(values) + 1


async def test_a_transfer_and_viewers_under_one_version_exclude_each_other(team: Team) -> None:
    """A4: one of the two wins; a customer never shows half of each."""
    path = await _customer(team)
    boss = team.as_("an", VIEW_ALL, EDIT_ALL)  # whoever loses sight by a transfer would find nothing to be too late for
    etag = (await boss.get(path)).headers["etag"]
    moves = (
        ("manager", {"employee_id": str(team.ids["binh"])}),
        ("viewers", {"employee_ids": [str(team.ids["dung"])]}),
    )
    answers = await asyncio.gather(
        *(boss.put(f"{path}/{what}", json=body, headers={"If-Match": etag}) for what, body in moves)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
