"""The directory over HTTP: who reads which fields, who writes, superiors without cycles, the trail."""

import asyncio
from uuid import uuid4

from shared.access import MAX_SUPERIOR_DEPTH
from shared.contracts.directory import EmployeeChanged
from shared.identity import MANAGE_DIRECTORY
from tests.service.customers.conftest import Team

EMPLOYEES = "/api/v1/employees"


async def test_superior_and_addresses_are_for_themselves_and_the_directory(team: Team) -> None:
    """R1: anybody active reads id, code, name, department, active; the rest only self and `directory:manage`."""
    await team.admin.patch(f"{EMPLOYEES}/{team.ids['binh']}", json={"email": "binh@example.com", "phone": "0901"})
    plain = (await team.dung.get(f"{EMPLOYEES}/{team.ids['binh']}")).json()
    own = (await team.binh.get(f"{EMPLOYEES}/{team.ids['binh']}")).json()
    managed = (await team.as_("dung", MANAGE_DIRECTORY).get(f"{EMPLOYEES}/{team.ids['binh']}")).json()
    shown = {name for name, value in plain.items() if value is not None}
    assert shown <= {"id", "code", "name", "department", "active", "version", "allowed"}
    allowed = [plain["allowed"], own["allowed"], managed["allowed"]]
    assert allowed == [[], ["audit"], ["change", "deactivate", "audit"]]
    assert own["email"] == managed["email"] == "binh@example.com"
    assert own["superior_id"] == managed["superior_id"] == str(team.ids["an"])
    listed = (await team.dung.get(EMPLOYEES)).json()["items"]
    assert all(item.get("email") is None and item.get("superior_id") is None for item in listed)


async def test_writing_needs_the_directory_right(team: Team) -> None:
    """R1: every write of the directory without `directory:manage` is 403, of an unknown employee 404."""
    binh = f"{EMPLOYEES}/{team.ids['binh']}"
    refused = [
        await team.an.post(EMPLOYEES, json={"name": "Ai"}),
        await team.an.patch(binh, json={"name": "Ai"}),
        await team.an.post(f"{binh}/deactivate"),
        await team.an.post(f"{binh}/activate"),
    ]
    assert [answer.status_code for answer in refused] == [403] * 4
    unknown = f"{EMPLOYEES}/{uuid4()}"
    missing = [
        await team.admin.get(unknown),
        await team.admin.patch(unknown, json={"name": "Ai"}),
        await team.admin.post(f"{unknown}/deactivate"),
        await team.admin.post(f"{unknown}/activate"),
        await team.admin.get(f"{unknown}/audit"),
    ]
    assert [answer.status_code for answer in missing] == [404] * 5


async def test_an_entry_is_changed_once_per_version(team: Team) -> None:
    """ETags: a stale version is 412, equal values raise nothing and tell nobody."""
    binh = f"{EMPLOYEES}/{team.ids['binh']}"
    first = await team.admin.patch(binh, json={"department": "Bán hàng"}, headers={"If-Match": '"1"'})
    stale = await team.admin.patch(binh, json={"department": "Kho"}, headers={"If-Match": '"1"'})
    equal = await team.admin.patch(binh, json={"department": "Bán hàng"})
    assert (first.status_code, first.headers["etag"], stale.status_code, equal.headers["etag"]) == (
        200,
        '"2"',
        412,
        '"2"',
    )
    assert [event.version for event in await team.harness.told(EmployeeChanged)] == [2]
    two = await asyncio.gather(
        *(team.admin.patch(binh, json={"name": name}, headers={"If-Match": '"2"'}) for name in ("Một", "Hai"))
    )
    assert sorted(answer.status_code for answer in two) == [200, 412]


async def test_a_code_and_an_id_are_given_once(team: Team) -> None:
    """Of creations at once with one code, or one id, exactly one wins; the others are 409 `code_taken`."""
    codes = await asyncio.gather(*(team.admin.post(EMPLOYEES, json={"name": "Ai", "code": "nv-x"}) for _ in range(5)))
    given = str(uuid4())
    ids = await asyncio.gather(*(team.admin.post(EMPLOYEES, json={"name": "Ai", "id": given}) for _ in range(5)))
    for answers in (codes, ids):
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    assert next(answer for answer in codes if answer.status_code == 201).json()["code"] == "NV-X"
    taken = await team.admin.patch(f"{EMPLOYEES}/{given}", json={"code": "NV-X"})
    assert (taken.status_code, taken.json()["code"]) == (409, "code_taken")


async def test_superiors_end_at_twenty_levels(team: Team) -> None:
    """A2: nobody gets more than 20 superiors above them, whether a chain grows at its end or is moved under another."""

    async def chain(length: int) -> list[str]:
        ids: list[str] = []
        for number in range(length):
            body = {"name": f"Cấp {number}", "superior_id": ids[-1] if ids else None}
            answer = await team.admin.post(EMPLOYEES, json=body)
            assert answer.status_code == 201, answer.text
            ids.append(answer.json()["id"])
        return ids

    deep = await chain(MAX_SUPERIOR_DEPTH + 1)
    below = await team.admin.post(EMPLOYEES, json={"name": "Quá sâu", "superior_id": deep[-1]})
    assert (below.status_code, below.json()["errors"][0]["pointer"]) == (422, "/superior_id")
    moved = await team.admin.patch(f"{EMPLOYEES}/{team.ids['an']}", json={"superior_id": deep[-2]})
    assert moved.status_code == 422, "an has people of their own, who would be too deep"
    assert (await team.admin.patch(f"{EMPLOYEES}/{team.ids['an']}", json={"superior_id": deep[-3]})).status_code == 200
    customer = await team.create(team.binh)
    top, too_far = team.harness.client(deep[0]), team.harness.client(deep[-3])
    assert (await too_far.get(f"/api/v1/customers/{customer['id']}")).status_code == 200
    assert (await top.get(f"/api/v1/customers/{customer['id']}")).status_code == 200


async def test_the_trail_of_an_entry_names_who_did_what(team: Team) -> None:
    """A5, R1: before and after with actor and cause; for the employee themselves and the directory."""
    binh = f"{EMPLOYEES}/{team.ids['binh']}"
    await team.admin.patch(binh, json={"department": "Kho"})
    await team.admin.post(f"{binh}/deactivate", json={"transfer_to": str(team.ids["chi"])})
    await team.admin.post(f"{binh}/activate")
    entries = (await team.admin.get(f"{binh}/audit")).json()["items"]
    assert [sorted(entry["changes"]) for entry in entries[:3]] == [
        ["active", "successor_id"], ["active", "successor_id"], ["department"],
    ]  # fmt: skip
    assert entries[2]["changes"]["department"] == {"old": None, "new": "Kho"}
    assert entries[2]["actor"]["kind"] == "user"
    assert entries[2]["cause"]["kind"] == "user"
    assert (await team.binh.get(f"{binh}/audit")).status_code == 200
    assert (await team.dung.get(f"{binh}/audit")).status_code == 403
    page = (await team.admin.get(f"{binh}/audit", params={"limit": 1, "total": True})).json()
    assert page["total"] == len(entries)
    rest = (await team.admin.get(f"{binh}/audit", params={"cursor": page["next_cursor"]})).json()
    assert page["items"] + rest["items"] == entries


async def test_people_are_found_by_name_without_tones_and_by_code(team: Team) -> None:
    """`q` compares folded; signs of patterns mean themselves; `active` filters."""
    await team.admin.post(EMPLOYEES, json={"name": "Đặng Thị Hằng 100%", "code": "HANG"})
    for text, found in (("dang thi", 1), ("hang", 1), ("100%", 1), ("%%", 0), ("\\", 0), ("_", 0)):
        items = (await team.binh.get(EMPLOYEES, params={"q": text})).json()["items"]
        assert len(items) == found, text
    await team.admin.post(f"{EMPLOYEES}/{team.ids['dung']}/deactivate")
    inactive = (await team.binh.get(EMPLOYEES, params={"active": "false"})).json()["items"]
    assert [item["id"] for item in inactive] == [str(team.ids["dung"])]
    counted = (await team.binh.get(EMPLOYEES, params={"active": "true", "limit": 1, "total": True})).json()
    everybody = (await team.binh.get(EMPLOYEES, params={"active": "true"})).json()
    assert (counted["total"], everybody.get("total")) == (len(everybody["items"]), None)
