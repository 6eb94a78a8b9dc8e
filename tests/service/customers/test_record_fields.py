"""The fields of a customer: each comes back as it was given, up to its limit and not beyond."""

from typing import Any

import pytest

from tests.service.customers.conftest import Team

API = "/api/v1/customers"
ADDRESS = {"line": "12 Lê Lợi", "ward": "Bến Nghé", "district": "Quận 1", "province": "TP.HCM", "country": "Việt Nam"}
GIVEN: dict[str, Any] = {
    "type": "company",
    "name": "Công ty Ánh Dương",
    "code": "AD-01.X_Y",
    "phones": ["+84901234567", "+12025550123"],
    "emails": ["lien.he@anhduong.vn"],
    "gender": "other",
    "birth_date": "1990-02-28",
    "occupation": "Xây dựng",
    "income_band": "20–50 triệu",
    "company_name": "Ánh Dương",
    "tax_code": "0312345678",
    "website": "https://anhduong.vn",
    "address": ADDRESS,
    "description": "Khách quen.\nHay hỏi giá.",
}


async def test_every_field_comes_back_as_it_was_given(team: Team) -> None:
    """C7: created, read again, changed back to nothing: flat, under the names of the record."""
    classes = {
        kind: (await team.admin.post(f"/api/v1/{kind}", json={"name": "Một"})).json()["id"]
        for kind in ("groups", "sources", "sectors")
    }
    referrer = await team.create(team.binh)
    more = {
        "group_ids": [classes["groups"]],
        "source_ids": [classes["sources"]],
        "sector_ids": [classes["sectors"]],
        "referrer_customer_id": referrer["id"],
    }
    made = await team.create(team.binh, **GIVEN, **more)
    record = (await team.binh.get(f"{API}/{made['id']}")).json()
    assert {name: record[name] for name in GIVEN | more} == GIVEN | more
    assert (record["primary_source_id"], record["origin"]["kind"]) == (classes["sources"], "user")
    optional = set(GIVEN) - {"type", "name", "code", "phones", "emails"}
    cleared = await team.binh.patch(f"{API}/{made['id']}", json=dict.fromkeys(optional) | {"phones": [], "emails": []})
    assert cleared.status_code == 200, cleared.text
    assert {name: cleared.json()[name] for name in optional} == dict.fromkeys(optional)


@pytest.mark.parametrize(
    ("field", "at_limit", "beyond"),
    [
        ("name", "x" * 500, "x" * 501),
        ("description", "ộ" * 10_000, "x" * 10_001),
        ("occupation", "x" * 500, "x" * 501),
        ("code", "A" * 32, "A" * 33),
        ("phones", [f"09012345{n:02}" for n in range(10)], [f"09012345{n:02}" for n in range(11)]),
        ("address", {"line": "x" * 500}, {"line": "x" * 501}),
    ],
)
async def test_a_field_takes_its_limit_and_no_more(team: Team, field: str, at_limit: Any, beyond: Any) -> None:
    """C1, C2, C7: texts of 500, a description of 10,000, codes of 32, ten phones."""
    taken = await team.binh.post(API, json={"name": "A"} | {field: at_limit})
    assert taken.status_code == 201, taken.text
    refused = await team.binh.post(API, json={"name": "A"} | {field: beyond})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"].startswith(f"/{field}")


async def test_a_customer_has_two_hundred_viewers_at_most(team: Team) -> None:
    """C3: also when they are named one by one."""
    people = [(await team.admin.post("/api/v1/employees", json={"name": "N"})).json()["id"] for _ in range(201)]
    path = f"{API}/{(await team.create(team.binh))['id']}/viewers"
    assert (await team.binh.put(path, json={"employee_ids": people})).status_code == 422
    assert (await team.binh.put(path, json={"employee_ids": people[:200]})).status_code == 200
    assert (await team.binh.put(f"{path}/{people[200]}", json=None)).status_code == 422
