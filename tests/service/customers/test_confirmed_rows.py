"""Confirmed rows of an import become customers: each once, checked again, conflicts untouched."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from services.customers.commands.imports import apply_import_rows
from shared.contracts.classification import GroupChanged, relationship_id
from shared.contracts.customers import CustomerCreated, CustomerManagerChanged
from shared.contracts.events import ActorReference
from shared.contracts.imports import ConfirmedRow, ImportRowsApplied, ImportRowsConfirmed, NewOption
from shared.identity import IMPORT, SETTINGS
from tests.service.customers.conftest import Team

AT_ONCE_SECONDS = 5
LOOK_SECONDS = 0.3


def confirmed(
    team: Team, *rows: ConfirmedRow, actor: str = "binh", chunk: int = 1, **changes: Any
) -> ImportRowsConfirmed:
    """A chunk as `imports` sends it."""
    values: dict[str, Any] = {
        "import_id": uuid4(),
        "kind": "customers",
        "chunk": chunk,
        "chunks": 1,
        "actor": ActorReference(kind="user", id=str(team.ids[actor]), permissions=(IMPORT,)),
        "confirmed_at": datetime.now(UTC),
        "file_name": "khach.xlsx",
        "options": {},
        "rows": rows,
    }
    return ImportRowsConfirmed(**values | changes)


def new(row: int, name: str, **values: Any) -> ConfirmedRow:
    """A row that creates."""
    employee_id = values.pop("employee_id", None)
    code = values.pop("code", None)
    return ConfirmedRow(
        row=row, action="create", customer_id=None, code=code, values={"name": name} | values, employee_id=employee_id
    )


def change(
    row: int, customer: dict[str, Any], values: dict[str, Any], old: dict[str, Any], **more: Any
) -> ConfirmedRow:
    """A row that overwrites."""
    return ConfirmedRow(
        row=row, action="update", customer_id=UUID(customer["id"]), code=None, values=values, old=old, **more
    )


async def result(team: Team) -> ImportRowsApplied:
    """The last answer."""
    return (await team.harness.told(ImportRowsApplied))[-1]


async def test_rows_become_customers_with_codes_origin_and_the_importer_as_author(team: Team) -> None:
    """M2, M9, M11, A1, I1: created once, by the importer, who looks at what was created for nobody."""
    event = confirmed(
        team,
        new(2, "Một", phones=["+84901000001"], birth_date="1990-05-17"),
        new(3, "Hai", employee_id=team.ids["chi"], code="VIP-1"),
    )
    await team.harness.deliver(event)
    answer = await result(team)
    assert [row.outcome for row in answer.rows] == ["created", "created"]
    first, second = await team.harness.told(CustomerCreated)
    assert first.state.origin.model_dump() == {"kind": "import", "id": str(event.import_id)}
    assert first.state.created_by == f"employee/{team.ids['binh']}"
    assert (first.state.manager_id, first.state.viewer_ids) == (None, (team.ids["binh"],))
    assert (second.state.manager_id, second.state.viewer_ids) == (team.ids["chi"], ())
    assert second.state.code == "VIP-1"
    assert (await team.chi.get("/api/v1/customers")).json()["items"][0]["interaction_count"] == 1


async def test_a_chunk_that_comes_twice_writes_once_and_is_answered_twice(team: Team) -> None:
    """M9: a redelivery, also under a new event id, creates nothing and answers the same."""
    event = confirmed(team, new(2, "Một"), new(3, "Hai"))
    await team.harness.deliver(event)
    first = await result(team)
    await team.harness.deliver(event)
    assert await result(team) == first
    assert len(await team.harness.told(CustomerCreated)) == 2
    assert len(await team.harness.told(ImportRowsApplied)) == 2


async def test_chunks_of_one_importer_do_not_wait_for_one_another(team: Team) -> None:
    """M9, R3: nothing of hidden customers is told, so nothing needs to be counted one by one."""
    first, second = confirmed(team, new(2, "Một", phones=["+84901000001"])), confirmed(team, new(2, "Hai"))
    async with team.harness.database.transaction() as session:
        await apply_import_rows(session, team.harness.envelope(first))
        async with asyncio.timeout(AT_ONCE_SECONDS):
            await team.harness.deliver(second)
    assert [row.outcome for row in (await result(team)).rows] == ["created"]
    assert len(await team.harness.told(CustomerCreated)) == 2


async def test_a_chunk_that_is_sent_again_while_it_is_written_waits_and_is_answered_the_same(team: Team) -> None:
    """M9: a chunk whose answer is late is sent again; both may be under way together."""
    event = confirmed(team, new(2, "Một", phones=["+84901000001"]))
    async with team.harness.database.transaction() as session:
        await apply_import_rows(session, team.harness.envelope(event))
        again = asyncio.create_task(team.harness.deliver(event))
        done, _ = await asyncio.wait({again}, timeout=LOOK_SECONDS)
        assert not done, "it did not wait for the first"
    await again
    first, second = await team.harness.told(ImportRowsApplied)
    assert first == second
    assert [row.outcome for row in first.rows] == ["created"]
    assert len(await team.harness.told(CustomerCreated)) == 1


async def test_taken_phones_and_codes_are_row_errors_and_spoil_no_neighbour(team: Team) -> None:
    """M3, C1, C2: what was taken since the preview is an error of its row; the others are written."""
    await team.create(team.dung, phones=["0901000001"], code="CO-1")
    await team.harness.deliver(
        confirmed(
            team,
            new(2, "Trùng số", phones=["+84901000001", "+84901000009"]),
            new(3, "Trùng mã", code="CO-1"),
            new(4, "Được", phones=["+84901000002"]),
            new(5, "Trùng trong tệp", phones=["+84901000002"]),
        )
    )
    answer = await result(team)
    assert [row.outcome for row in answer.rows] == ["error", "error", "created", "error"]
    assert [row.errors[0].code for row in answer.rows if row.errors] == ["phone_taken", "code_taken", "phone_taken"]
    free = await team.binh.post("/api/v1/customers", json={"name": "x", "phones": ["0901000009"]})
    assert free.status_code == 201  # the refused row keeps no phone


async def test_a_stale_preview_is_a_conflict_and_nothing_of_the_row_is_written(team: Team) -> None:
    """M2: the customer changed between preview and confirm; the row shows both values."""
    customer = await team.create(team.binh, occupation="cũ", description="giữ")
    await team.binh.patch(f"/api/v1/customers/{customer['id']}", json={"occupation": "người khác sửa"})
    values = {"occupation": "tệp", "description": "tệp"}
    await team.harness.deliver(confirmed(team, change(2, customer, values, {"occupation": "cũ", "description": "giữ"})))
    [row] = (await result(team)).rows
    assert (row.outcome, row.current) == ("conflict", {"occupation": "người khác sửa"})
    assert (await team.binh.get(f"/api/v1/customers/{customer['id']}")).json()["description"] == "giữ"


async def test_outcomes_that_one_record_cannot_hold_come_in_several(team: Team) -> None:
    """M2, M9: 500 conflicts with long texts, each told once with what the customer says; asked again, the same."""
    customer = await team.create(team.binh, description="đ" * 1_000)
    rows = [change(2 + n, customer, {"description": "tệp"}, {"description": "cũ"}) for n in range(500)]
    event = confirmed(team, *rows)
    await team.harness.deliver(event)
    answers = await team.harness.told(ImportRowsApplied)
    assert len(answers) > 1
    assert [row.row for answer in answers for row in answer.rows] == [row.row for row in rows]
    assert {row.current["description"] for answer in answers for row in answer.rows} == {"đ" * 1_000}
    for answer in answers:
        assert sorted((*answer.elsewhere, *(row.row for row in answer.rows))) == [row.row for row in rows]
    await team.harness.forget_told()
    await team.harness.deliver(event)
    assert await team.harness.told(ImportRowsApplied) == answers


async def test_a_value_that_is_there_already_is_no_conflict(team: Team) -> None:
    """M2: somebody else wrote the same value meanwhile: unchanged, no conflict."""
    customer = await team.create(team.binh, occupation="cũ")
    await team.binh.patch(f"/api/v1/customers/{customer['id']}", json={"occupation": "mới"})
    await team.harness.deliver(confirmed(team, change(2, customer, {"occupation": "mới"}, {"occupation": "cũ"})))
    [row] = (await result(team)).rows
    assert row.outcome == "unchanged"


async def test_rights_are_checked_again_when_the_row_is_applied(team: Team) -> None:
    """R2, A2, A3: sight as of now, permissions as of the confirmation."""
    customer = await team.create(team.dung)
    seen = await team.create(team.chi, viewer_ids=[str(team.ids["binh"])])
    await team.harness.deliver(
        confirmed(
            team,
            change(2, customer, {"occupation": "x"}, {"occupation": None}),
            change(3, seen, {"occupation": "x"}, {"occupation": None}),
        )
    )
    assert [row.errors[0].code for row in (await result(team)).rows] == ["not_found", "forbidden"]
    reference = ActorReference(kind="user", id=str(team.ids["binh"]), permissions=())
    await team.harness.deliver(confirmed(team, new(2, "Không quyền")).model_copy(update={"actor": reference}))
    assert [row.errors[0].code for row in (await result(team)).rows] == ["forbidden"]


async def test_rows_of_who_was_deactivated_since_the_confirmation_are_refused_one_by_one(team: Team) -> None:
    """R2, A6: the directory of now decides, not that of the confirmation; nothing is written, every row answered."""
    customer = await team.create(team.binh, occupation="cũ")
    await team.admin.post(f"/api/v1/employees/{team.ids['binh']}/deactivate", json={})
    before = await team.harness.sql("SELECT id, version FROM customer ORDER BY id")
    rows = (new(2, "Một"), change(3, customer, {"occupation": "mới"}, {"occupation": "cũ"}))
    await team.harness.deliver(confirmed(team, *rows))
    answer = await result(team)
    assert [(row.row, row.outcome, row.errors[0].code) for row in answer.rows] == [
        (2, "error", "inactive_employee"),
        (3, "error", "inactive_employee"),
    ]
    assert await team.harness.sql("SELECT id, version FROM customer ORDER BY id") == before


async def test_a_responsible_person_in_a_row_is_a_transfer(team: Team) -> None:
    """M8, A4: the named employee takes over; the cause is the import."""
    customer = await team.create(team.binh)
    row = change(2, customer, {}, {"manager_id": customer["manager_id"]}, employee_id=team.ids["chi"])
    event = confirmed(team, row)
    await team.harness.deliver(event)
    [told] = await team.harness.told(CustomerManagerChanged)
    assert (told.state.manager_id, told.cause.kind, told.cause.id) == (team.ids["chi"], "import", str(event.import_id))


async def test_a_cleared_responsible_person_leaves_nobody(team: Team) -> None:
    """M5, M8: `#CLEAR` in the responsible person's column unassigns."""
    customer = await team.create(team.binh)
    row = change(2, customer, {"manager_id": None}, {"manager_id": customer["manager_id"]})
    await team.harness.deliver(confirmed(team, row))
    assert [row.outcome for row in (await result(team)).rows] == ["updated"]
    [told] = await team.harness.told(CustomerManagerChanged)
    assert told.state.manager_id is None


async def test_a_locked_referral_is_an_error_of_its_row_and_phones_stay(team: Team) -> None:
    """C5, M7: a refused row changes nothing, not even its phones."""
    relationships = {r["key"]: r["id"] for r in (await team.binh.get("/api/v1/relationships")).json()["items"]}
    referrer = await team.create(team.binh)
    customer = await team.create(team.binh, phones=["0901234567"], relationship_id=relationships["hot"])
    values = {"referrer_customer_id": referrer["id"], "phones": ["+84909999999"]}
    await team.harness.deliver(confirmed(team, change(2, customer, values, {})))
    [row] = (await result(team)).rows
    assert (row.outcome, row.errors[0].code) == ("error", "referral_locked")
    assert (await team.binh.get(f"/api/v1/customers/{customer['id']}")).json()["phones"] == ["+84901234567"]
    assert (await team.binh.post("/api/v1/customers", json={"name": "x", "phones": ["0909999999"]})).status_code == 201


async def test_two_thousand_rows_come_out_with_distinct_codes(team: Team) -> None:
    """C1, M9: full chunks; every row has its own code and an outcome."""
    event_id = uuid4()
    for chunk in range(4):
        rows = [new(2 + chunk * 500 + n, f"Khách {n}", phones=[f"+8490{chunk}{n:06d}"]) for n in range(500)]
        await team.harness.deliver(confirmed(team, *rows, chunk=chunk + 1, import_id=event_id, chunks=4))
    [count] = await team.harness.sql("SELECT count(DISTINCT code) FROM customer")
    assert count[0] == 2_000


async def test_choices_of_a_file_are_checked_again_row_by_row(team: Team) -> None:
    """G2, G4, M6: unknown and disabled options and Don't Forget refuse their row only; what is there may stay."""
    group, gone = uuid4(), uuid4()
    for item, code, state in ((group, "VIP", "active"), (gone, "OLD", "disabled")):
        await team.harness.sql(
            "INSERT INTO classification_item (id, kind, code, name, name_folded, state, version)"
            " VALUES ($1, 'group', $2, $2, lower($2), $3, 1)",
            item,
            code,
            state,
        )
    customer = await team.create(team.binh, group_ids=[str(group)])
    await team.harness.sql("UPDATE classification_item SET state = 'disabled' WHERE id = $1", group)
    await team.harness.deliver(
        confirmed(
            team,
            new(2, "Không có", group_ids=[str(uuid4())]),
            new(3, "Đã tắt", group_ids=[str(gone)]),
            new(4, "Tự động", relationship_id=str(relationship_id("dont_forget"))),
            new(5, "Được", relationship_id=str(relationship_id("hot"))),
            change(6, customer, {"group_ids": [str(group)], "occupation": "mới"}, {}),
        )
    )
    rows = (await result(team)).rows
    assert [row.outcome for row in rows] == ["error", "error", "error", "created", "updated"]
    codes = [(row.errors[0].field, row.errors[0].code) for row in rows if row.errors]
    assert codes == [("group_ids", "validation_failed"), (None, "disabled_choice"), (None, "automatic_relationship")]


async def test_added_options_join_those_of_now(team: Team) -> None:
    """M6: append adds to what the customer has when the row is applied."""
    groups = [uuid4(), uuid4()]
    for number, item in enumerate(groups):
        await team.harness.sql(
            "INSERT INTO classification_item (id, kind, code, name, name_folded, state, version)"
            " VALUES ($1, 'group', $2, $2, $2, 'active', 1)",
            item,
            f"g{number}",
        )
    customer = await team.create(team.binh, group_ids=[str(groups[0])])
    row = change(2, customer, {"group_ids": [str(groups[1])]}, {"group_ids": [str(groups[0])]}, append=("group_ids",))
    await team.harness.deliver(confirmed(team, row))
    now = (await team.binh.get(f"/api/v1/customers/{customer['id']}")).json()
    assert now["group_ids"] == [str(item) for item in groups]


async def test_new_options_of_a_file_are_created_once_and_chosen(team: Team) -> None:
    """M6, G1: by who may; a name that exists by now is taken; the row says what it created."""
    option = NewOption(field="group_ids", name="Khách Vàng")
    rows = [new(2, "Một"), new(3, "Hai")]
    event = confirmed(team, *(row.model_copy(update={"new_options": (option,)}) for row in rows))
    await team.harness.deliver(event)
    assert [row.errors[0].code for row in (await result(team)).rows] == ["forbidden", "forbidden"]
    allowed = ActorReference(kind="user", id=str(team.ids["binh"]), permissions=(IMPORT, SETTINGS))
    await team.harness.deliver(event.model_copy(update={"actor": allowed, "import_id": uuid4()}))
    first, second = (await result(team)).rows
    [group] = await team.harness.told(GroupChanged)
    assert (group.state.name, group.state.parent_id, group.cause.kind) == ("Khách Vàng", None, "import")
    assert (first.created_options, second.created_options) == ((group.state.id,), ())
    assert [told.state.group_ids for told in await team.harness.told(CustomerCreated)] == [(group.state.id,)] * 2
    again = event.rows[0].model_copy(
        update={"row": 9, "new_options": (NewOption(field="group_ids", name="KHACH VANG"),)}
    )
    await team.harness.deliver(event.model_copy(update={"actor": allowed, "import_id": uuid4(), "rows": (again,)}))
    assert (await result(team)).rows[0].outcome == "created"
    assert len(await team.harness.told(GroupChanged)) == 1


async def test_contacts_are_anybodys_own_to_bring_and_come_by_contact_sync(team: Team) -> None:
    """M13, A5: origin and cause say so; somebody else's need the permission."""
    plain = ActorReference(kind="user", id=str(team.ids["binh"]), permissions=())
    own = new(1, "Một", phones=["+84901000001"], employee_id=team.ids["binh"])
    await team.harness.deliver(confirmed(team, own, kind="contacts", actor="binh").model_copy(update={"actor": plain}))
    [told] = await team.harness.told(CustomerCreated)
    assert (told.state.origin.kind, told.cause.kind, told.state.manager_id) == (
        "contact_sync",
        "contact_sync",
        team.ids["binh"],
    )
    other = new(1, "Hai", phones=["+84901000002"], employee_id=team.ids["chi"])
    await team.harness.deliver(confirmed(team, other, kind="contacts").model_copy(update={"actor": plain}))
    assert (await result(team)).rows[0].errors[0].code == "forbidden"
    again = new(2, "Ba", phones=["+84901000001"], employee_id=team.ids["binh"])
    await team.harness.deliver(confirmed(team, again, kind="contacts").model_copy(update={"actor": plain}))
    assert (await result(team)).rows[0].errors[0].code == "phone_taken"
