"""Whoever read an older version changes nothing, also where the change is no change of fields."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.service.customers.conftest import Team

API = "/api/v1"

Case = tuple[str, str, str, dict[str, Any] | None]
"""A record, and what is done to it: by which method, below which path, with which body."""


async def _customer(team: Team) -> str:
    return f"{API}/customers/{(await team.create(team.admin, viewer_ids=[str(team.ids['chi'])]))['id']}"


async def _relationship(team: Team) -> str:
    made = await team.admin.post(f"{API}/relationships", json={"name": "Riêng"})
    return f"{API}/relationships/{made.json()['id']}"


async def _deleted(team: Team, make: Callable[[Team], Awaitable[str]]) -> str:
    path = await make(team)
    assert (await team.admin.delete(path)).status_code == 204
    return path


async def _inactive(team: Team) -> str:
    path = f"{API}/employees/{team.ids['dung']}"
    assert (await team.admin.post(f"{path}/deactivate")).status_code == 200
    return path


async def _case(team: Team, what: str) -> Case:
    chi, dung = (f"/viewers/{team.ids[name]}" for name in ("chi", "dung"))
    employee = f"{API}/employees/{team.ids['dung']}"
    match what:
        case "delete a customer":
            return await _customer(team), "DELETE", "", None
        case "restore a customer":
            return await _deleted(team, _customer), "POST", "/restore", {}
        case "add a viewer":
            return await _customer(team), "PUT", dung, None
        case "remove a viewer":
            return await _customer(team), "DELETE", chi, None
        case "disable a relationship":
            return await _relationship(team), "DELETE", "", None
        case "restore a relationship":
            return await _deleted(team, _relationship), "POST", "/restore", None
        case "deactivate an employee":
            return employee, "POST", "/deactivate", {"transfer_to": str(team.ids["chi"])}
        case _:
            return await _inactive(team), "POST", "/activate", None


@pytest.mark.parametrize(
    "what",
    [
        "delete a customer", "restore a customer", "add a viewer", "remove a viewer", "disable a relationship",
        "restore a relationship", "deactivate an employee", "activate an employee",
    ],
)  # fmt: skip
async def test_an_older_version_is_refused_and_the_current_one_does_it(team: Team, what: str) -> None:
    """C4, A3, A6, G2: a stale `If-Match` is 412 and writes nothing; the version read just now is accepted."""
    path, method, below, body = await _case(team, what)
    etag = (await team.admin.get(path)).headers["etag"]
    older = f'"{int(etag.strip(chr(34))) - 1}"'
    before = await team.harness.fingerprint()
    stale = await team.admin.request(method, path + below, headers={"If-Match": older}, json=body)
    assert (stale.status_code, stale.json()["code"]) == (412, "version_conflict")
    assert await team.harness.fingerprint() == before
    current = await team.admin.request(method, path + below, headers={"If-Match": etag}, json=body)
    assert current.status_code in (200, 204), current.text
    assert (await team.admin.get(path)).headers["etag"] != etag
