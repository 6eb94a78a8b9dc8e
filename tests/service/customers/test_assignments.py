"""Many customers handed over at once: by ids, by turns, with a preview, by a leaving employee's succession."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

from services.customers.worker import work_next
from shared.contracts.customers import CustomerManagerChanged
from shared.contracts.directory import EmployeeChanged
from shared.identity import DELETE, EDIT_ALL, MANAGE_DIRECTORY, VIEW_ALL
from tests.service.customers.conftest import Team

ASSIGN = "/api/v1/customers/assign"


async def some(team: Team, name: str, count: int, **fields: object) -> list[str]:
    """Ids of new customers of somebody, in the order of ids."""
    records = [await team.create(getattr(team, name), **fields) for _ in range(count)]
    return sorted(str(record["id"]) for record in records)


async def managers(team: Team, ids: list[str]) -> list[UUID | None]:
    """Who is responsible, customer by customer."""
    rows = await team.harness.sql(
        "SELECT id, manager_id FROM customer WHERE id = ANY($1::uuid[])", list(map(UUID, ids))
    )
    stored = {str(row[0]): row[1] for row in rows}
    return [stored[customer_id] for customer_id in ids]


async def finish(team: Team) -> None:
    """Let the worker do all there is."""
    while await work_next(team.harness.database):
        pass


async def test_customers_are_shared_evenly_by_id_and_answered_in_the_order_asked(team: Team) -> None:
    """A1: round robin over customers by id, the first to the first; each item has an outcome of its own."""
    ids = await some(team, "binh", 5)
    mine = await some(team, "dung", 1)
    asked = [ids[4], ids[0], mine[0], str(uuid4()), ids[1], ids[2], ids[3]]
    people = [str(team.ids["chi"]), str(team.ids["dung"])]
    answer = await team.an.post(ASSIGN, json={"customer_ids": asked, "employee_ids": people})
    body = answer.json()
    assert answer.status_code == 200, body
    assert [item["index"] for item in body["items"]] == list(range(7))
    assert [item["status"] for item in body["items"]] == [
        "updated", "updated", "failed", "failed", "updated", "updated", "updated",
    ]  # fmt: skip
    assert [body["items"][i]["error"]["code"] for i in (2, 3)] == ["not_found", "not_found"]
    assert (body["succeeded"], body["failed"]) == (5, 2)
    chi, dung = team.ids["chi"], team.ids["dung"]
    assert await managers(team, ids) == [chi, dung, chi, dung, chi]


async def test_the_previous_manager_loses_sight_unless_kept(team: Team) -> None:
    """A4, A5: bulk obeys the rules of one transfer; audited with the actor; told with the new version."""
    [gone, kept] = await some(team, "binh", 2)
    chi = str(team.ids["chi"])
    await team.an.post(ASSIGN, json={"customer_ids": [gone], "employee_ids": [chi]})
    await team.an.post(ASSIGN, json={"customer_ids": [kept], "employee_ids": [chi], "keep_previous_as_viewer": True})
    assert (await team.binh.get(f"/api/v1/customers/{gone}")).status_code == 404
    assert (await team.binh.get(f"/api/v1/customers/{kept}")).status_code == 200
    told = await team.harness.told(CustomerManagerChanged)
    assert [(str(event.state.id), event.version) for event in told] == [(gone, 2), (kept, 2)]
    assert told[1].state.viewer_ids == (team.ids["binh"],)
    [entry, *_] = (await team.an.get(f"/api/v1/customers/{kept}/audit")).json()["items"]
    assert entry["actor"] == {"kind": "user", "id": str(team.ids["an"])}
    assert entry["cause"]["kind"] == "user"
    assert entry["changes"]["manager_id"] == {"old": str(team.ids["binh"]), "new": chi}
    found = (await team.chi.get("/api/v1/customers", params={"ids": [gone, kept]})).json()["items"]
    assert len(found) == 2


async def test_a_hand_over_in_bulk_leaves_what_a_transfer_leaves(team: Team) -> None:
    """A4, A5: event, trail and the words a customer is found by are those of one customer's transfer."""
    [bulk, single] = await some(team, "binh", 2, company_name="Đặng Hòa", address={"province": "Huế"})
    chi = str(team.ids["chi"])
    await team.an.post(ASSIGN, json={"customer_ids": [bulk], "employee_ids": [chi]})
    answer = await team.an.put(f"/api/v1/customers/{single}/manager", json={"employee_id": chi})
    assert answer.status_code == 200, answer.text
    [one, other] = await team.harness.told(CustomerManagerChanged)
    unlike = {"id", "code", "created_at", "updated_at", "manager_set_at"}
    assert one.state.model_dump(exclude=unlike) == other.state.model_dump(exclude=unlike)
    assert (one.version, one.changed, one.before.keys()) == (other.version, other.changed, other.before.keys())
    record = (await team.an.get(f"/api/v1/customers/{bulk}")).json()
    state = one.state.model_dump(mode="json")
    assert {name: value for name, value in state.items() if record[name] != value} == {}
    rows = await team.harness.sql(
        "SELECT replace(search_text, lower(code), ''), manager_cause_kind FROM customer WHERE id = ANY($1::uuid[])",
        [UUID(bulk), UUID(single)],
    )
    assert tuple(rows[0]) == tuple(rows[1])
    trails = [(await team.an.get(f"/api/v1/customers/{each}/audit")).json()["items"][0] for each in (bulk, single)]
    assert [trail["changes"].keys() for trail in trails] == [{"manager_id", "manager_set_at"}] * 2
    assert trails[0]["actor"] == trails[1]["actor"]


async def test_viewers_do_not_assign_and_an_equal_manager_changes_nothing(team: Team) -> None:
    """A3: who only looks is refused item by item; A1: equal values are unchanged and told to nobody."""
    [customer_id] = await some(team, "binh", 1, viewer_ids=[str(team.ids["dung"])])
    await team.harness.forget_told()
    body = {"customer_ids": [customer_id], "employee_ids": [str(team.ids["binh"])]}
    looked = (await team.dung.post(ASSIGN, json=body)).json()
    same = (await team.binh.post(ASSIGN, json=body)).json()
    assert looked["items"][0]["error"]["code"] == "forbidden"
    assert same["items"][0]["status"] == "unchanged"
    assert await team.harness.told(CustomerManagerChanged) == []


async def test_an_inactive_employee_gets_nobody(team: Team) -> None:
    """A6: the request is refused as a whole, nothing is written."""
    [customer_id] = await some(team, "binh", 1)
    await team.admin.post(f"/api/v1/employees/{team.ids['dung']}/deactivate")
    people = [str(team.ids["chi"]), str(team.ids["dung"])]
    answer = await team.an.post(ASSIGN, json={"customer_ids": [customer_id], "employee_ids": people})
    assert (answer.status_code, answer.json()["code"]) == (403, "inactive_employee")
    assert await managers(team, [customer_id]) == [team.ids["binh"]]


async def test_too_many_or_no_ids_are_refused(team: Team) -> None:
    """Bulk requests take 1 to 1,000 items."""
    many = await team.an.post(
        ASSIGN, json={"customer_ids": [str(uuid4()) for _ in range(1_001)], "employee_ids": [str(team.ids["chi"])]}
    )
    none = await team.an.post(ASSIGN, json={"customer_ids": [], "employee_ids": [str(team.ids["chi"])]})
    assert (many.status_code, many.json()["code"]) == (422, "too_many_items")
    assert none.status_code == 422


async def test_a_preview_says_who_gains_and_who_loses_and_writes_nothing(team: Team) -> None:
    """A4: gains and losses by employee, equal to what the assignment then does."""
    ids = await some(team, "binh", 3)
    await team.binh.put(f"/api/v1/customers/{ids[1]}/viewers", json={"employee_ids": [str(team.ids["dung"])]})
    foreign = await some(team, "dung", 1)
    body: dict[str, Any] = {
        "customer_ids": [*ids, *foreign], "employee_ids": [str(team.ids["chi"]), str(team.ids["dung"])],
    }  # fmt: skip
    items = (await team.an.post(f"{ASSIGN}/preview", json=body)).json()["items"]
    seen = {item["employee_id"]: (item["gains"], item["loses"], sorted(item["customer_ids"])) for item in items}
    assert seen == {
        str(team.ids["chi"]): (2, 0, [ids[0], ids[2]]),
        str(team.ids["binh"]): (0, 3, ids),
    }
    assert await managers(team, ids) == [team.ids["binh"]] * 3
    kept = (await team.an.post(f"{ASSIGN}/preview", json=body | {"keep_previous_as_viewer": True})).json()["items"]
    assert [item["employee_id"] for item in kept] == [str(team.ids["chi"])]


async def test_two_assignments_at_once_leave_one_history(team: Team) -> None:
    """A1: overlapping bulks wait for each other; every version is told once."""
    ids = await some(team, "binh", 20)
    await team.harness.forget_told()
    both = team.as_("an", VIEW_ALL, EDIT_ALL)
    answers = await asyncio.gather(
        both.post(ASSIGN, json={"customer_ids": ids, "employee_ids": [str(team.ids["chi"])]}),
        both.post(ASSIGN, json={"customer_ids": ids[::-1], "employee_ids": [str(team.ids["dung"])]}),
    )
    assert [answer.json()["failed"] for answer in answers] == [0, 0]
    told = await team.harness.told(CustomerManagerChanged)
    assert sorted((str(event.state.id), event.version) for event in told) == [(i, v) for i in ids for v in (2, 3)]
    assert len(set(await managers(team, ids))) == 1


async def test_a_successor_takes_over_also_what_one_request_cannot_hold(team: Team, monkeypatch: Any) -> None:
    """A6: deactivation with `transfer_to` starts a bulk transfer, continued by the worker, and names the successor."""
    for module in ("successions", "long_work"):
        monkeypatch.setattr(f"services.customers.commands.{module}.CHUNK", 2)
    ids = await some(team, "binh", 5)
    answer = await team.admin.post(
        f"/api/v1/employees/{team.ids['binh']}/deactivate", json={"transfer_to": str(team.ids["chi"])}
    )
    assert answer.status_code == 200
    assert (answer.json()["active"], answer.json()["successor_id"]) == (False, str(team.ids["chi"]))
    assert set(await managers(team, ids)) == {team.ids["binh"], team.ids["chi"]}
    running = (await team.admin.get(answer.headers["location"])).json()
    assert (running["state"], running["total"], running["done"]) == ("running", 3, 0)
    await finish(team)
    assert set(await managers(team, ids)) == {team.ids["chi"]}
    done = (await team.admin.get(answer.headers["location"])).json()
    assert (done["state"], done["done"], done["failed"]) == ("finished", 3, 0)
    items = (await team.admin.get(f"{answer.headers['location']}/items")).json()["items"]
    assert {item["status"] for item in items} == {"updated"}
    assert (await team.an.get(answer.headers["location"])).status_code == 404
    [told] = [event for event in await team.harness.told(EmployeeChanged) if not event.state.active]
    assert told.state.successor_id == team.ids["chi"]


async def test_a_successor_takes_nobody_who_went_to_somebody_else_meanwhile(team: Team, monkeypatch: Any) -> None:
    """A6, A4: before their turn one is transferred by hand, one deleted: neither is the leaver's to hand over."""
    for module in ("successions", "long_work"):
        monkeypatch.setattr(f"services.customers.commands.{module}.CHUNK", 2)
    ids = await some(team, "binh", 5)
    answer = await team.admin.post(
        f"/api/v1/employees/{team.ids['binh']}/deactivate", json={"transfer_to": str(team.ids["chi"])}
    )
    assert (await team.as_("an", DELETE).delete(f"/api/v1/customers/{ids[3]}")).status_code == 204
    moved = await team.an.put(f"/api/v1/customers/{ids[4]}/manager", json={"employee_id": str(team.ids["dung"])})
    assert moved.status_code == 200
    await finish(team)
    binh, chi, dung = team.ids["binh"], team.ids["chi"], team.ids["dung"]
    assert await managers(team, ids) == [chi, chi, chi, binh, dung]
    done = (await team.admin.get(answer.headers["location"])).json()
    assert (done["state"], done["done"], done["failed"]) == ("finished", 2, 1)
    items = (await team.admin.get(f"{answer.headers['location']}/items")).json()["items"]
    assert [(item["id"], item["status"], item["employee_id"]) for item in items] == [
        (ids[2], "updated", str(chi)), (ids[3], "failed", None), (ids[4], "unchanged", None),
    ]  # fmt: skip
    assert items[1]["error"] == {"code": "not_found"}


async def test_a_successor_takes_over_more_than_a_list_may_hold(team: Team, monkeypatch: Any) -> None:
    """A6: what limits the lists that people ask for does not keep an employee from being let go."""
    monkeypatch.setattr("services.customers.commands.successions.CHUNK", 1)
    monkeypatch.setattr("services.customers.commands.long_work.freeze_list.__defaults__", (1, "customer_id"))
    ids = await some(team, "binh", 3)
    answer = await team.admin.post(
        f"/api/v1/employees/{team.ids['binh']}/deactivate", json={"transfer_to": str(team.ids["chi"])}
    )
    assert answer.status_code == 200, answer.text
    await finish(team)
    assert set(await managers(team, ids)) == {team.ids["chi"]}


async def test_without_a_successor_customers_stay(team: Team) -> None:
    """A6: deactivation keeps the customers of who leaves; a successor must be active and somebody else."""
    ids = await some(team, "binh", 1)
    binh = f"/api/v1/employees/{team.ids['binh']}/deactivate"
    themselves = await team.admin.post(binh, json={"transfer_to": str(team.ids["binh"])})
    unknown = await team.admin.post(binh, json={"transfer_to": str(uuid4())})
    assert (themselves.status_code, unknown.status_code) == (422, 403)
    assert (await team.admin.post(binh)).status_code == 200
    assert await managers(team, ids) == [team.ids["binh"]]
    assert (await team.binh.get("/api/v1/me")).json()["code"] == "inactive_employee"


async def test_work_of_somebody_who_left_ends(team: Team, monkeypatch: Any) -> None:
    """R2: work done later checks the asker's current entry in the directory."""
    for module in ("successions", "long_work"):
        monkeypatch.setattr(f"services.customers.commands.{module}.CHUNK", 1)
    await some(team, "binh", 3)
    boss = team.as_("an", MANAGE_DIRECTORY)
    answer = await boss.post(
        f"/api/v1/employees/{team.ids['binh']}/deactivate", json={"transfer_to": str(team.ids["chi"])}
    )
    await team.admin.post(f"/api/v1/employees/{team.ids['an']}/deactivate")
    await finish(team)
    await team.admin.post(f"/api/v1/employees/{team.ids['an']}/activate")
    ended = (await boss.get(answer.headers["location"])).json()
    assert (ended["state"], ended["error"]) == ("failed", {"code": "inactive_employee"})


async def test_a_whole_filter_is_handed_over_step_by_step(team: Team, monkeypatch: Any) -> None:
    """A1, R2: what the filter finds when asked, evenly over several people across steps; 202, then item by item."""
    monkeypatch.setattr("services.customers.commands.long_work.CHUNK", 2)
    ids = await some(team, "binh", 5, company_name="Cá Vàng")
    await some(team, "dung", 1, company_name="Cá Vàng")
    chosen = {"field": "company_name", "op": "eq", "value": "ca vang"}
    people = [str(team.ids["chi"]), str(team.ids["dung"])]
    answer = await team.an.post(ASSIGN, json={"filter": chosen, "employee_ids": people})
    work = answer.headers["location"]
    assert (answer.status_code, answer.json()["state"], answer.json()["total"]) == (202, "running", 5)
    await some(team, "binh", 1, company_name="Cá Vàng")
    await team.an.put(f"/api/v1/customers/{ids[1]}/manager", json={"employee_id": str(team.ids["dung"])})
    await finish(team)
    done = (await team.an.get(work)).json()
    assert (done["state"], done["done"], done["failed"]) == ("finished", 4, 1)
    items = (await team.an.get(f"{work}/items", params={"limit": 2})).json()
    rest = (await team.an.get(f"{work}/items", params={"cursor": items["next_cursor"]})).json()
    listed = items["items"] + rest["items"]
    assert [item["id"] for item in listed] == ids
    assert [item["status"] for item in listed] == ["updated", "failed", "updated", "updated", "updated"]
    assert listed[1]["error"] == {"code": "not_found"}, "an lost sight of it before its turn"
    chi, dung = team.ids["chi"], team.ids["dung"]
    assert await managers(team, ids) == [chi, dung, dung, chi, dung]
    [told, *_] = await team.harness.told_with_headers(CustomerManagerChanged)
    assert told[0]["ce_actorid"] == str(team.ids["an"])


async def test_a_filter_is_checked_and_bounded_when_it_is_asked(team: Team, monkeypatch: Any) -> None:
    """Unknown fields have a pointer; ids and filter exclude each other; more than the limit is refused at once."""
    people = {"employee_ids": [str(team.ids["chi"])]}
    await some(team, "binh", 3)
    unknown = await team.an.post(ASSIGN, json={"filter": {"field": "shoe", "op": "eq", "value": 1}, **people})
    both = await team.an.post(ASSIGN, json={"filter": {"and": []}, "customer_ids": [str(uuid4())], **people})
    neither = await team.an.post(ASSIGN, json=people)
    assert [answer.status_code for answer in (unknown, both, neither)] == [422] * 3
    assert unknown.json()["errors"][0]["pointer"] == "/filter/field"
    monkeypatch.setattr("services.customers.commands.lists.freeze_chosen.__defaults__", (2,))
    many = await team.an.post(ASSIGN, json={"filter": {"and": []}, **people})
    assert (many.status_code, many.json()["code"]) == (422, "selection_too_large")
    assert await team.harness.sql("SELECT 1 FROM long_work") == []
    preview = (await team.an.post(f"{ASSIGN}/preview", json={"filter": {"and": []}, **people})).json()["items"]
    assert [(item["gains"], item["loses"]) for item in preview] in ([(3, 0), (0, 3)], [(0, 3), (3, 0)])
