"""Taking an import back: created customers, overwritten cells, transfers; only what nobody touched since."""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

from services.customers.jobs import purge_of_customers
from shared.contracts.classification import relationship_id
from shared.contracts.customers import CustomerDeleted, CustomerManagerChanged
from shared.contracts.events import ActorReference
from shared.contracts.imports import ImportUndoApplied, ImportUndoRequested, UndoneRow
from shared.identity import EDIT_ALL, IMPORT, VIEW_ALL
from tests.service.customers.conftest import Team
from tests.service.customers.test_confirmed_rows import change, confirmed, new, result


def undo(team: Team, import_id: UUID, *rows: int, actor: str = "binh", permissions: tuple[str, ...] = (IMPORT,)) -> Any:
    """The request as `imports` sends it."""
    return ImportUndoRequested(
        import_id=import_id,
        chunk=0,
        chunks=1,
        actor=ActorReference(kind="user", id=str(team.ids[actor]), permissions=permissions),
        rows=rows,
    )


async def undone(team: Team) -> dict[int, UndoneRow]:
    """The last answer, by row."""
    return {row.row: row for row in (await team.harness.told(ImportUndoApplied))[-1].rows}


async def overwrite(team: Team, customer: dict[str, Any], values: dict[str, Any], **more: Any) -> UUID:
    """An import that writes these values over a customer's; answers its id."""
    import_id = uuid4()
    await team.harness.deliver(confirmed(team, change(2, customer, values, {}, **more), import_id=import_id))
    assert [row.outcome for row in (await result(team)).rows] == ["updated"]
    return import_id


async def read(team: Team, customer: dict[str, Any], who: str = "an") -> dict[str, Any]:
    """The record as a superior reads it."""
    answer = await team.as_(who).get(f"/api/v1/customers/{customer['id']}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_untouched_created_customers_are_deleted_and_their_phones_free(team: Team) -> None:
    """M10: created and untouched since: deleted, with the import as the cause; codes stay taken (C1)."""
    import_id = uuid4()
    rows = [new(2, "Một", phones=["+84901000001"]), new(3, "Hai", employee_id=team.ids["dung"])]
    await team.harness.deliver(confirmed(team, *rows, import_id=import_id))
    await team.harness.deliver(undo(team, import_id, 2, 3))
    assert {row.outcome for row in (await undone(team)).values()} == {"undone"}
    told = await team.harness.told(CustomerDeleted)
    assert {(event.cause.kind, event.cause.id) for event in told} == {("import", str(import_id))}
    assert (await team.create(team.binh, phones=["0901000001"]))["phones"] == ["+84901000001"]


async def test_created_customers_that_were_used_are_kept_with_the_reason(team: Team) -> None:
    """M10: a later version, an interaction, a document or an opportunity keeps a created customer."""
    import_id = uuid4()
    rows = [new(row, f"Khách {row}", employee_id=team.ids["binh"]) for row in range(2, 8)]
    await team.harness.deliver(confirmed(team, *rows, import_id=import_id))
    ids = [row.customer_id for row in (await result(team)).rows]
    await team.binh.patch(f"/api/v1/customers/{ids[0]}", json={"occupation": "mới"})
    sql = team.harness.sql
    await sql("UPDATE customer_contact SET interaction_count = 2 WHERE customer_id = $1", ids[1])
    await sql(
        "INSERT INTO document (id, customer_id, kind, status, total, currency, state, created_at, version)"
        " VALUES ($1, $2, 'order', 'draft', 0, 'VND', 'active', now(), 1)",
        uuid4(),
        ids[2],
    )
    await sql(
        "INSERT INTO opportunity (id, campaign_id, customer_id, status_id, state, version)"
        " VALUES ($1, $1, $2, $1, 'open', 1)",
        uuid4(),
        ids[3],
    )
    assert (await team.as_("an", "customers:delete").delete(f"/api/v1/customers/{ids[4]}")).status_code == 204
    await team.harness.deliver(undo(team, import_id, *range(2, 9)))
    answer = await undone(team)
    reasons = ["changed_since", "has_interactions", "has_documents", "has_opportunities", "deleted"]
    assert [answer[row].reason for row in range(2, 7)] == reasons
    assert {answer[row].outcome for row in range(2, 7)} == {"kept"}
    assert answer[7].outcome == "undone"
    assert (answer[8].outcome, answer[8].reason) == ("undo_failed", "not_found")


async def test_cells_come_back_unless_somebody_changed_them_since(team: Team) -> None:
    """M10: cell by cell: the changed one is kept and named, the others have their old values again."""
    customer = await team.create(
        team.binh, occupation="cũ", description="cũ", phones=["0901000001"], birth_date="1990-05-17"
    )
    values = {"occupation": "tệp", "description": "tệp", "phones": ["+84901000002"], "birth_date": None}
    values |= {"address": {"line": "12 Lê Lợi", "ward": None, "district": None, "province": "Huế", "country": None}}
    import_id = await overwrite(team, customer, values)
    await team.binh.patch(f"/api/v1/customers/{customer['id']}", json={"description": "người khác"})
    await team.harness.deliver(undo(team, import_id, 2))
    row = (await undone(team))[2]
    assert (row.outcome, row.reason, row.kept_fields) == ("kept", "changed_since", ("description",))
    now = await read(team, customer)
    assert (now["occupation"], now["description"], now["phones"]) == ("cũ", "người khác", ["+84901000001"])
    assert (now["birth_date"], now["address"]) == ("1990-05-17", None)
    assert (await team.create(team.binh, phones=["0901000002"]))["phones"] == ["+84901000002"]


async def test_undoing_twice_changes_nothing_and_is_answered_the_same(team: Team) -> None:
    """M9, M10: a redelivery, also under a new event id."""
    customer = await team.create(team.binh, occupation="cũ")
    import_id = await overwrite(team, customer, {"occupation": "tệp"})
    await team.harness.deliver(undo(team, import_id, 2))
    first, version = await undone(team), (await read(team, customer))["version"]
    await team.binh.patch(f"/api/v1/customers/{customer['id']}", json={"occupation": "tệp"})
    await team.harness.deliver(undo(team, import_id, 2))
    assert await undone(team) == first
    now = await read(team, customer)
    assert (now["occupation"], now["version"]) == ("tệp", version + 1)


async def test_a_transfer_comes_back_only_while_its_manager_is_still_there(team: Team) -> None:
    """M8, M10: also by the uploader who lost sight by their own transfer; not after another one."""
    first: dict[str, Any] = await team.create(team.binh)
    second: dict[str, Any] = await team.create(team.binh)
    import_id = uuid4()
    rows = [change(n, c, {}, {}, employee_id=team.ids["chi"]) for n, c in ((2, first), (3, second))]
    await team.harness.deliver(confirmed(team, *rows, import_id=import_id))
    put = {"employee_id": str(team.ids["dung"])}
    assert (await team.chi.put(f"/api/v1/customers/{second['id']}/manager", json=put)).status_code == 200
    await team.harness.deliver(undo(team, import_id, 2, 3))
    answer = await undone(team)
    assert (answer[2].outcome, answer[3].outcome, answer[3].reason) == ("undone", "undo_failed", "not_found")
    last = (await team.harness.told(CustomerManagerChanged))[-1]
    assert (last.state.id, last.state.manager_id) == (UUID(first["id"]), team.ids["binh"])


async def test_an_inactive_previous_manager_does_not_come_back(team: Team) -> None:
    """A6, M10: the transfer is kept, other cells come back."""
    customer = await team.create(team.binh, occupation="cũ")
    import_id = await overwrite(team, customer, {"occupation": "tệp"}, employee_id=team.ids["an"])
    await team.admin.post(f"/api/v1/employees/{team.ids['binh']}/deactivate", json={})
    await team.harness.deliver(undo(team, import_id, 2, actor="an"))
    row = (await undone(team))[2]
    assert (row.outcome, row.reason, row.kept_fields) == ("kept", "inactive_employee", ("manager_id",))
    now = await read(team, customer)
    assert (now["occupation"], now["manager_id"]) == ("cũ", str(team.ids["an"]))


async def test_an_old_phone_that_another_customer_has_now_is_not_taken_back(team: Team) -> None:
    """C2, M10: the phones of now stay, and stay the customer's."""
    customer = await team.create(team.binh, phones=["0901000001"], occupation="cũ")
    import_id = await overwrite(team, customer, {"phones": ["+84901000002"], "occupation": "tệp"})
    await team.create(team.dung, phones=["0901000001"])
    await team.harness.deliver(undo(team, import_id, 2))
    row = (await undone(team))[2]
    assert (row.outcome, row.reason, row.kept_fields) == ("kept", "phone_taken", ("phones",))
    now = await read(team, customer)
    assert (now["phones"], now["occupation"]) == (["+84901000002"], "cũ")
    assert (await team.dung.post("/api/v1/customers", json={"name": "x", "phones": ["0901000002"]})).status_code == 409


async def test_relationship_and_referrer_come_back_whatever_locks_them_now(team: Team) -> None:
    """C5, G4, M10: what was so before the import needs no permission of a rule to be so again."""
    referrer, customer = await team.create(team.binh), await team.create(team.binh)
    values = {"referrer_customer_id": referrer["id"], "relationship_id": str(relationship_id("closed"))}
    import_id = await overwrite(team, customer, values)
    await team.harness.deliver(undo(team, import_id, 2))
    assert (await undone(team))[2].outcome == "undone"
    now = await read(team, customer)
    assert (now["referrer_customer_id"], now["relationship_id"]) == (None, str(relationship_id("new")))
    [row] = await team.harness.sql("SELECT first_closed_at FROM customer WHERE id = $1", UUID(str(customer["id"])))
    assert row.first_closed_at is None


async def test_rights_are_checked_when_the_undo_is_applied(team: Team) -> None:
    """R2: the permission of the request, the directory of now, sight of what somebody touched since."""
    customer = await team.create(team.binh, occupation="cũ")
    import_id = await overwrite(team, customer, {"occupation": "tệp"})
    await team.harness.deliver(undo(team, import_id, 2, permissions=()))
    assert (await undone(team))[2] == UndoneRow(row=2, outcome="undo_failed", reason="forbidden")
    other = await overwrite(team, customer, {"occupation": "tệp hai"})
    await team.binh.put(f"/api/v1/customers/{customer['id']}/manager", json={"employee_id": str(team.ids["dung"])})
    await team.harness.deliver(undo(team, other, 2))
    assert (await undone(team))[2].reason == "not_found"
    third = uuid4()
    await team.harness.deliver(confirmed(team, new(2, "Ba"), import_id=third))
    await team.admin.post(f"/api/v1/employees/{team.ids['binh']}/deactivate", json={})
    await team.harness.deliver(undo(team, third, 2))
    assert (await undone(team))[2].reason == "inactive_employee"


async def test_who_no_longer_reaches_a_customer_does_not_take_back_what_they_wrote(team: Team) -> None:
    """R2, A2, M10: also where nobody touched it since; only one's own transfer is no loss of sight."""
    seen: dict[str, Any] = await team.create(team.dung, occupation="cũ")
    handed_over: dict[str, Any] = await team.create(team.dung, occupation="cũ")
    import_id = uuid4()
    rows = [
        change(2, seen, {"occupation": "tệp"}, {"occupation": "cũ"}),
        change(3, handed_over, {"occupation": "tệp"}, {"occupation": "cũ"}, employee_id=team.ids["chi"]),
    ]
    doer = ActorReference(kind="user", id=str(team.ids["binh"]), permissions=(IMPORT, VIEW_ALL, EDIT_ALL))
    await team.harness.deliver(confirmed(team, *rows, import_id=import_id).model_copy(update={"actor": doer}))
    assert [row.outcome for row in (await result(team)).rows] == ["updated", "updated"]
    await team.harness.deliver(undo(team, import_id, 2, 3))
    assert [(row.outcome, row.reason) for row in (await undone(team)).values()] == [("undo_failed", "not_found")] * 2
    sql = "SELECT occupation FROM customer WHERE id = ANY($1::uuid[])"
    found = await team.harness.sql(sql, [UUID(seen["id"]), UUID(handed_over["id"])])
    assert [row.occupation for row in found] == ["tệp", "tệp"]


async def test_rows_are_forgotten_when_nobody_can_take_them_back_or_send_them_again(team: Team) -> None:
    """M9, M10: by the purge, after a setting's days; younger ones are still known."""
    old, young = uuid4(), uuid4()
    for import_id, name in ((old, "Cũ"), (young, "Mới")):
        await team.harness.deliver(confirmed(team, new(2, name), import_id=import_id))
    await team.harness.sql(
        "UPDATE import_row SET written_at = written_at - interval '45 days' WHERE import_id = $1", old
    )
    outcome = await purge_of_customers(team.harness.database, team.harness.settings, date(2026, 11, 2))
    assert outcome["import_rows"] == 1
    assert await team.harness.sql("SELECT import_id FROM import_row") == [(young,)]
