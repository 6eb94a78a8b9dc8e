"""Creating, reading, changing, deleting one customer, over HTTP on a real database."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from services.customers.domain.relationships import DONT_FORGET, NEW
from shared.contracts.customers import CustomerCreated, CustomerDeleted, CustomerManagerChanged, CustomerUpdated
from shared.identity import DELETE, EDIT_ALL, VIEW_ALL
from tests.service.customers.conftest import Team


async def test_a_new_customer_has_a_code_its_creator_as_manager_and_counts_one(team: Team) -> None:
    """C1, C3, A1, I1: defaults of a customer created by hand."""
    answer = await team.binh.post("/api/v1/customers", json={"name": "  Trần Thị Bưởi ", "phones": ["0901 234.567"]})
    record = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/customers/{record['id']}"
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["customer-version"] == f"{record['id']}:1"
    assert record["code"].startswith("KH0")
    assert record["name"] == "Trần Thị Bưởi"
    assert record["phones"] == ["+84901234567"]
    assert record["relationship_id"] == str(NEW)
    assert record["manager_id"] == str(team.ids["binh"])
    assert record["viewer_ids"] == []
    assert record["interaction_count"] == 1
    assert record["days_left"] == 30
    assert "change" in record["allowed"]
    [event] = await team.harness.told(CustomerCreated)
    assert (event.version, event.state.code, event.state.phones) == (1, record["code"], ("+84901234567",))


async def test_a_creator_who_names_somebody_else_or_nobody_becomes_a_viewer(team: Team) -> None:
    """A1: another manager, or explicit null, makes the creator a viewer."""
    other = await team.create(team.binh, manager_id=str(team.ids["dung"]))
    nobody = await team.create(team.binh, manager_id=None)
    assert (other["manager_id"], other["viewer_ids"]) == (str(team.ids["dung"]), [str(team.ids["binh"])])
    assert (nobody["manager_id"], nobody["viewer_ids"]) == (None, [str(team.ids["binh"])])


async def test_invisible_and_unknown_customers_answer_alike(team: Team) -> None:
    """A2: another's customer has the same 404 body as an unknown id, but for the trace."""
    hidden = await team.create(team.binh)
    answers = [await team.dung.get(f"/api/v1/customers/{i}") for i in (hidden["id"], uuid4(), "not-an-id")]
    bodies = [{**answer.json(), "trace_id": None} for answer in answers]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert bodies[0] == bodies[1] == bodies[2]
    assert bodies[0]["code"] == "not_found"


async def test_superiors_viewers_and_view_all_see_and_only_some_may_change(team: Team) -> None:
    """A2, A3: who sees a customer, and who of them changes it."""
    record = await team.create(team.binh)
    await team.binh.put(f"/api/v1/customers/{record['id']}/viewers", json={"employee_ids": [str(team.ids["chi"])]})
    path = f"/api/v1/customers/{record['id']}"
    may = {"an": 200, "binh": 200, "chi": 403, "dung": 404}
    for number, (name, status) in enumerate(may.items()):
        answer = await team.as_(name).patch(path, json={"occupation": f"Nghề {number}"})
        assert (name, answer.status_code) == (name, status)
    assert (await team.as_("dung", VIEW_ALL).get(path)).status_code == 200
    assert (await team.as_("dung", VIEW_ALL).patch(path, json={"occupation": "x"})).status_code == 403
    assert (await team.as_("dung", EDIT_ALL).patch(path, json={"occupation": "x"})).status_code == 404
    assert (await team.as_("dung", EDIT_ALL, VIEW_ALL).patch(path, json={"occupation": "x"})).status_code == 200


async def test_of_fifty_parallel_creates_with_one_phone_one_wins(team: Team) -> None:
    """C2: no two live customers share a phone; losers of a race get 409 phone_taken."""
    body = {"name": "Lê Văn Đua", "phones": ["0912345678"]}
    answers = await asyncio.gather(*(team.binh.post("/api/v1/customers", json=body) for _ in range(50)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] + [409] * 49
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"phone_taken"}
    [count] = await team.harness.sql("SELECT count(*) FROM customer")
    assert count[0] == 1


async def test_the_owner_of_a_taken_phone_is_told_only_to_those_who_see_it(team: Team) -> None:
    """C2: the other customer's id only where the caller may see that customer."""
    mine = await team.create(team.binh, phones=["0987654321"])
    body = {"name": "Khác", "phones": ["+84 987 654 321"]}
    seen = await team.binh.post("/api/v1/customers", json=body)
    unseen = await team.dung.post("/api/v1/customers", json=body)
    assert (seen.status_code, seen.json()["customer_id"]) == (409, mine["id"])
    assert unseen.status_code == 409
    assert "customer_id" not in unseen.json()


@pytest.mark.parametrize(
    "field", ["interaction_count", "last_contact", "order_count", "total_revenue", "code", "created_at"]
)
async def test_system_fields_cannot_be_written(team: Team, field: str) -> None:
    """C6: system fields, and the code after creation, are refused by name."""
    record = await team.create(team.binh)
    answer = await team.binh.patch(f"/api/v1/customers/{record['id']}", json={field: "1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "system_field")
    assert answer.json()["errors"][0]["pointer"] == f"/{field}"


async def test_a_change_tells_old_and_new_and_an_equal_one_tells_nothing(team: Team) -> None:
    """A5: versions rise by one per event; equal values keep the ETag; the audit trail has old and new."""
    record = await team.create(team.binh, description="cũ")
    path = f"/api/v1/customers/{record['id']}"
    first = await team.binh.patch(path, json={"description": "mới"}, headers={"If-Match": '"1"'})
    second = await team.binh.patch(path, json={"description": "mới"})
    stale = await team.binh.patch(path, json={"description": "khác"}, headers={"If-Match": '"1"'})
    assert [first.headers["etag"], second.headers["etag"]] == ['"2"', '"2"']
    assert (stale.status_code, stale.json()["code"]) == (412, "version_conflict")
    [event] = await team.harness.told(CustomerUpdated)
    assert (event.version, event.changed, event.before) == (2, ("description",), {"description": "cũ"})
    trail = (await team.binh.get(f"{path}/audit")).json()["items"]
    assert trail[0]["changes"] == {"description": {"old": "cũ", "new": "mới"}}
    assert trail[0]["actor"] == {"kind": "user", "id": str(team.ids["binh"])}
    assert len(trail) == 2


async def test_a_transfer_takes_the_sight_of_the_previous_manager_unless_kept(team: Team) -> None:
    """A4: the old responsible person loses access, an explicit viewer entry included, unless kept."""
    lost = await team.create(team.binh, viewer_ids=[str(team.ids["binh"])])
    kept = await team.create(team.binh)
    await team.binh.put(f"/api/v1/customers/{lost['id']}/manager", json={"employee_id": str(team.ids["dung"])})
    answer = await team.binh.put(
        f"/api/v1/customers/{kept['id']}/manager",
        json={"employee_id": str(team.ids["dung"]), "keep_previous_as_viewer": True},
    )
    assert answer.json() == {"customer_id": kept["id"], "manager_id": str(team.ids["dung"]), "version": 2}
    assert (await team.binh.get(f"/api/v1/customers/{lost['id']}")).status_code == 404
    assert (await team.binh.get(f"/api/v1/customers/{kept['id']}")).status_code == 200
    first, second = await team.harness.told(CustomerManagerChanged)
    assert first.state.viewer_ids == ()
    assert second.state.viewer_ids == (team.ids["binh"],)
    assert second.cause.kind == "user"


async def test_inactive_employees_receive_nothing_and_cannot_ask(team: Team) -> None:
    """A6: an inactive employee gets no customer, and their token answers inactive_employee."""
    record = await team.create(team.binh)
    dung = team.dung
    assert (await team.admin.post(f"/api/v1/employees/{team.ids['dung']}/deactivate")).status_code == 200
    answer = await team.binh.put(
        f"/api/v1/customers/{record['id']}/manager", json={"employee_id": str(team.ids["dung"])}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "inactive_employee")
    refused = await dung.get("/api/v1/customers")
    assert (refused.status_code, refused.json()["code"]) == (403, "inactive_employee")


async def test_deactivation_hands_customers_to_the_successor(team: Team) -> None:
    """A6: with transfer_to every customer gets the successor, and the directory names them."""
    record = await team.create(team.binh)
    body = {"transfer_to": str(team.ids["chi"])}
    answer = await team.admin.post(f"/api/v1/employees/{team.ids['binh']}/deactivate", json=body)
    assert answer.json()["successor_id"] == str(team.ids["chi"])
    assert (await team.chi.get(f"/api/v1/customers/{record['id']}")).json()["manager_id"] == str(team.ids["chi"])


async def test_deleting_frees_the_phone_and_restoring_wants_it_back(team: Team) -> None:
    """C4: uniqueness counts live rows; restoring one whose phone was taken answers 409, or drops it."""
    first = await team.create(team.binh, phones=["0909090909"])
    path = f"/api/v1/customers/{first['id']}"
    keeper = team.as_("binh", DELETE)
    assert (await team.binh.delete(path)).status_code == 403
    assert (await keeper.delete(path)).status_code == 204
    assert (await team.binh.get(path)).status_code == 404
    assert (await keeper.get(path)).json()["state"] == "deleted"
    await team.create(team.chi, phones=["0909090909"])
    refused = await keeper.post(f"{path}/restore")
    assert (refused.status_code, refused.json()["code"]) == (409, "phone_taken")
    restored = await keeper.post(f"{path}/restore", json={"drop_phones": True})
    assert (restored.status_code, restored.json()["phones"], restored.json()["state"]) == (200, [], "active")
    assert len(await team.harness.told(CustomerDeleted)) == 1


async def test_codes_are_unique_for_ever_and_generated_around_taken_ones(team: Team) -> None:
    """C1: a given code is raised, never reused, and the generator skips it."""
    mine = await team.create(team.binh, code="kh000002")
    assert mine["code"] == "KH000002"
    assert [(await team.create(team.binh))["code"] for _ in range(2)] == ["KH000001", "KH000003"]
    await team.as_("binh", DELETE).delete(f"/api/v1/customers/{mine['id']}")
    again = await team.binh.post("/api/v1/customers", json={"name": "x", "code": "KH000002"})
    assert (again.status_code, again.json()["code"]) == (409, "code_taken")


async def test_the_referrer_is_locked_once_somebody_is_responsible_and_the_relationship_moved_on(team: Team) -> None:
    """C5: referral is open while New or while nobody is responsible; nobody refers themselves."""
    relationships = {r["key"]: r["id"] for r in (await team.binh.get("/api/v1/relationships")).json()["items"]}
    referrer = await team.create(team.binh)
    record = await team.create(team.binh)
    path = f"/api/v1/customers/{record['id']}"
    assert (await team.binh.patch(path, json={"referrer_customer_id": record["id"]})).status_code == 422
    assert (await team.binh.patch(path, json={"referrer_customer_id": referrer["id"]})).status_code == 200
    await team.binh.patch(path, json={"relationship_id": relationships["hot"]})
    locked = await team.binh.patch(path, json={"referrer_customer_id": None})
    assert (locked.status_code, locked.json()["code"]) == (409, "referral_locked")


async def test_a_referrer_that_is_there_already_may_stay_whoever_sees_it(team: Team) -> None:
    """C7, A2: a form that sends the whole record changes nothing, though its referrer is hidden or deleted."""
    referrer: dict[str, Any] = await team.create(team.binh)
    record: dict[str, Any] = await team.create(team.binh, referrer_customer_id=referrer["id"])
    path, version = f"/api/v1/customers/{record['id']}", record["version"]
    assert (await team.as_("binh", DELETE).delete(f"/api/v1/customers/{referrer['id']}")).status_code == 204
    again = await team.binh.patch(path, json={"referrer_customer_id": referrer["id"]})
    assert (again.status_code, again.json()["version"]) == (200, version)
    unknown = await team.binh.patch(path, json={"referrer_customer_id": str(uuid4())})
    assert unknown.status_code == 422


async def test_the_next_oldest_source_becomes_primary(team: Team) -> None:
    """C3: the first of the first ones; of those left, the one that was there longest, however they are listed."""
    sources = [
        (await team.admin.post("/api/v1/sources", json={"name": name})).json()["id"] for name in ("Một", "Hai", "Ba")
    ]
    record: dict[str, Any] = await team.create(team.binh, source_ids=sources[:2])
    path = f"/api/v1/customers/{record['id']}"
    primaries = [record["primary_source_id"]]
    for listed in ([sources[2], sources[1]], [sources[2]], [], [sources[1], sources[0]]):
        answer = await team.binh.patch(path, json={"source_ids": listed})
        primaries.append(answer.json()["primary_source_id"])
    assert primaries == [sources[0], sources[1], sources[2], None, sources[1]]


async def test_nobody_selects_dont_forget(team: Team) -> None:
    """G4: the automatic relationship cannot be chosen by form."""
    record = await team.create(team.binh)
    answer = await team.binh.patch(f"/api/v1/customers/{record['id']}", json={"relationship_id": str(DONT_FORGET)})
    assert (answer.status_code, answer.json()["code"]) == (422, "automatic_relationship")


async def test_a_repeated_post_with_the_same_key_gets_the_first_answer(team: Team) -> None:
    """Idempotency-Key: one customer, the same answer; another body is refused."""
    client = team.binh
    headers = {"Idempotency-Key": "abc-1"}
    first = await client.post("/api/v1/customers", json={"name": "Một"}, headers=headers)
    second = await client.post("/api/v1/customers", json={"name": "Một"}, headers=headers)
    other = await client.post("/api/v1/customers", json={"name": "Hai"}, headers=headers)
    assert (second.status_code, second.json(), second.headers["idempotency-replayed"]) == (201, first.json(), "true")
    assert second.headers["location"] == first.headers["location"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(await team.harness.told(CustomerCreated)) == 1


async def test_employees_form_a_tree_without_cycles(team: Team) -> None:
    """A2: a superior below the employee is refused, also when two moves would close the cycle together."""
    answer = await team.admin.patch(f"/api/v1/employees/{team.ids['an']}", json={"superior_id": str(team.ids["binh"])})
    assert (answer.status_code, answer.json()["code"]) == (409, "cycle")
    moves = await asyncio.gather(
        team.admin.patch(f"/api/v1/employees/{team.ids['dung']}", json={"superior_id": str(team.ids["an"])}),
        team.admin.patch(f"/api/v1/employees/{team.ids['an']}", json={"superior_id": str(team.ids["dung"])}),
    )
    assert sorted(move.status_code for move in moves) == [200, 409]
