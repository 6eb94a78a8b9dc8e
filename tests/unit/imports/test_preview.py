"""The rules by which rows of a file mean customers and change them."""

from typing import Any
from uuid import UUID

import pytest

from services.imports.domain.cells import Problem, read_row
from services.imports.domain.known import Candidate, Known, KnownCustomer, Named
from services.imports.domain.options import ImportOptions
from services.imports.domain.preview import DONT_FORGET, NEW, Judgement, Preview
from shared.contracts.customer_fields import BY_NAME
from shared.envelope import new_id
from shared.folding import fold

OVERWRITE = ImportOptions(overwrite=True)
HOT = str(new_id())


class Office:
    """What a preview knows, said in few words."""

    def __init__(self) -> None:
        self.known = Known(options={kind: Named() for kind in ("group", "source", "sector", "relationship")})

    def customer(self, code: str = "KH000001", **given: Any) -> KnownCustomer:
        """A customer in the copy; live, visible and changeable unless said otherwise."""
        identifier = new_id()
        sight = {name: given.pop(name, True) for name in ("live", "visible", "changeable")}
        record = {"id": str(identifier), "code": code, "name": "Lan", "phones": [], "relationship_id": NEW, **given}
        customer = KnownCustomer(id=identifier, code=code, phones=tuple(record["phones"]), record=record, **sight)
        self.known.add_customer(customer)
        return customer

    def option(self, kind: str, name: str, code: str | None = None, active: bool = True, identifier: str = "") -> str:
        """An option of a classification; answers its id."""
        identifier = identifier or str(new_id())
        self.known.options[kind].add(Candidate(identifier, active), (code,), (fold(name),))
        return identifier

    def employee(self, name: str, code: str, active: bool = True) -> str:
        """An employee; answers their id."""
        identifier = str(new_id())
        self.known.employees.add(Candidate(identifier, active), (code,), (fold(name),))
        return identifier

    def judge(self, *rows: dict[str, str], options: ImportOptions = OVERWRITE) -> list[Judgement]:
        """Judge rows given as texts by field."""
        preview = Preview(self.known, options)
        return [
            preview.judge(read_row(number, list(row.values()), [(i, BY_NAME[name]) for i, name in enumerate(row)]))
            for number, row in enumerate(rows, start=2)
        ]

    def one(self, options: ImportOptions = OVERWRITE, **row: str) -> Judgement:
        """Judge a file of one row."""
        return self.judge(row, options=options)[0]


@pytest.fixture
def office() -> Office:
    """Nobody and nothing is known yet."""
    return Office()


def codes(judgement: Judgement) -> list[tuple[str | None, str]]:
    """The problems of a row."""
    return [(problem.field, problem.code) for problem in judgement.problems]


# --- whom a row means (M3, M4) ---


def test_an_id_means_a_customer_the_uploader_may_change(office: Office) -> None:
    """M3: a known id is an update of what differs, with the old values."""
    lan = office.customer(occupation="Kỹ sư")
    row = office.one(customer_id=str(lan.id), name="Lan", occupation="Bác sĩ")
    assert (row.outcome, row.customer_id, row.code) == ("update", lan.id, "KH000001")
    assert row.values == {"occupation": "Bác sĩ"}
    assert row.old == {"occupation": "Kỹ sư"}


@pytest.mark.parametrize("hidden", [{"visible": False, "changeable": False}, {"live": False}])
def test_an_id_nobody_has_and_an_invisible_one_are_told_in_the_same_words(
    office: Office, hidden: dict[str, Any]
) -> None:
    """M3: `not_found` for unknown, deleted and invisible alike; never a create."""
    invisible = office.customer(**hidden)
    rows = office.judge(
        {"customer_id": str(new_id()), "name": "A"},
        {"customer_id": str(invisible.id), "name": "A"},
        {"customer_id": "chẳng phải id", "name": "A"},
    )
    assert [(row.outcome, row.customer_id, row.code, codes(row)) for row in rows] == [
        ("error", None, None, [("customer_id", "not_found")])
    ] * 3


def test_a_customer_one_only_sees_cannot_be_changed(office: Office) -> None:
    """M3, A3: visible but not changeable is `forbidden`."""
    office.customer(changeable=False)
    assert codes(office.one(code="KH000001", name="A")) == [("code", "forbidden")]


@pytest.mark.parametrize("hidden", [{"visible": False, "changeable": False}, {"live": False}])
def test_a_code_of_an_invisible_or_deleted_customer_is_taken(office: Office, hidden: dict[str, Any]) -> None:
    """M3, C1: codes are unique for ever; the row does not show whose it is."""
    office.customer(**hidden)
    row = office.one(code="kh000001", name="A")
    assert codes(row) == [("code", "code_taken")]
    assert row.customer_id is None


def test_an_unknown_code_makes_a_customer_with_that_code(office: Office) -> None:
    """M3, M4: also while overwriting, if the required fields are there."""
    row = office.one(code="moi.01", name="Mới")
    assert (row.outcome, row.code, row.values) == ("create", "MOI.01", {"name": "Mới"})
    assert codes(office.one(code="MOI.02")) == [("name", "required")]


def test_id_and_code_of_two_customers_do_not_match(office: Office) -> None:
    """M3: `id_code_mismatch`."""
    lan = office.customer("KH000001")
    office.customer("KH000002")
    assert codes(office.one(customer_id=str(lan.id), code="KH000002")) == [("code", "id_code_mismatch")]


def test_without_overwriting_a_match_exists_already(office: Office) -> None:
    """M4: off and a match: `already_exists`."""
    office.customer()
    assert codes(office.one(ImportOptions(), code="KH000001", name="A")) == [("code", "already_exists")]


def test_a_known_phone_is_taken_or_means_its_customer_if_asked_to(office: Office) -> None:
    """M3: with "match by phone" an update if the uploader may, else `phone_taken`."""
    lan = office.customer("KH000001", phones=["+84901234567"])
    office.customer("KH000002", phones=["+84901234568"], changeable=False, visible=False)
    by_phone = ImportOptions(overwrite=True, match_by_phone=True)
    assert codes(office.one(name="A", phones="0901234567")) == [("phones", "phone_taken")]
    assert office.one(by_phone, name="A", phones="0901234567").customer_id == lan.id
    assert codes(office.one(by_phone, name="A", phones="0901234568")) == [("phones", "phone_taken")]
    assert codes(office.one(by_phone, name="A", phones="0901234567, 0901234568")) == [("phones", "phone_taken")]


def test_a_matched_customer_cannot_take_another_ones_phone(office: Office) -> None:
    """C2: no two live customers share a phone; keeping one's own is fine."""
    office.customer("KH000001", phones=["+84901234567"])
    office.customer("KH000002", phones=["+84901234568"])
    assert codes(office.one(code="KH000001", phones="0901234567, 0901234568")) == [("phones", "phone_taken")]
    assert office.one(code="KH000001", phones="0901234567, 0901234569").values == {
        "phones": ["+84901234567", "+84901234569"]
    }


def test_the_same_id_code_or_phone_again_is_a_duplicate(office: Office) -> None:
    """M3: the first row keeps it, later ones are `duplicate_in_file`, also by another key of the customer."""
    lan = office.customer("KH000001")
    rows = office.judge(
        {"customer_id": str(lan.id), "name": "A"},
        {"customer_id": str(lan.id), "name": "B"},
        {"customer_id": "", "code": "KH000001", "name": "C"},
        {"code": "MOI", "name": "D", "phones": "0901234567"},
        {"code": "moi", "name": "E", "phones": "0901234567"},
    )
    assert [codes(row) for row in rows] == [
        [],
        [("customer_id", "duplicate_in_file")] * 2,
        [("code", "duplicate_in_file")],
        [],
        [("code", "duplicate_in_file"), ("phones", "duplicate_in_file")],
    ]


# --- what a row changes (M5–M8) ---


def test_equal_values_change_nothing(office: Office) -> None:
    """M5, M14: lists compare without order; a row that repeats the record is `unchanged`."""
    office.customer(phones=["+84901234567", "+84901234568"], birth_date="1990-03-25", address={"line": "1 Lê Lợi"})
    row = office.one(
        code="KH000001", name="Lan", phones="0901234568,0901234567", birth_date="25/03/1990", address="1 Lê Lợi"
    )
    assert (row.outcome, row.values) == ("unchanged", {})


def test_clear_empties_optional_fields_only(office: Office) -> None:
    """M5: null or an empty list; a name cannot be cleared."""
    office.customer(occupation="Kỹ sư", phones=["+84901234567"], manager_id=str(new_id()))
    row = office.one(code="KH000001", occupation="#CLEAR", phones="#CLEAR", manager="#CLEAR", gender="#CLEAR")
    assert row.values == {"occupation": None, "phones": [], "manager_id": None}
    for required in ("name", "type", "relationship"):
        assert codes(office.judge({"code": "KH000001", required: "#CLEAR"})[0]) == [(required, "required")]


def test_parts_of_an_address_are_written_beside_the_others(office: Office) -> None:
    """M5: a file that knows the province alone leaves the street as it is."""
    office.customer(address={"line": "1 Lê Lợi", "ward": "Bến Nghé", "province": "Huế", "country": None})
    row = office.one(code="KH000001", province="Hà Nội")
    assert row.values == {"address": {"line": "1 Lê Lợi", "ward": "Bến Nghé", "province": "Hà Nội", "country": None}}
    assert office.one(code="KH000001", address="#CLEAR").values["address"]["line"] is None
    office.customer("KH000002", address={"line": "2 Lê Lợi", "province": None})
    assert office.one(code="KH000002", address="#CLEAR").values == {"address": None}


def test_options_are_found_by_name_or_code_and_replace_the_set(office: Office) -> None:
    """M6: folded names, codes; unknown, ambiguous and disabled ones are errors."""
    vip, gold = office.option("group", "Khách VIP", "VIP"), office.option("group", "Vàng", "GOLD")
    office.option("group", "Trùng", "T1")
    office.option("group", "Trung", "T2")
    office.option("group", "Cũ", "OLD", active=False)
    office.customer(group_ids=[vip])
    assert office.one(code="KH000001", groups="gold").values == {"group_ids": [gold]}
    assert office.one(code="KH000001", groups="VANG, khach vip").values == {"group_ids": [gold, vip]}
    assert codes(office.one(code="KH000001", groups="Bạc")) == [("groups", "unknown_option")]
    assert codes(office.one(code="KH000001", groups="trùng")) == [("groups", "ambiguous_option")]
    assert codes(office.one(code="KH000001", groups="Cũ")) == [("groups", "disabled_choice")]


def test_options_can_be_added_instead(office: Office) -> None:
    """M6: "append" sends what is new; nothing new is `unchanged`."""
    vip, gold = office.option("group", "VIP"), office.option("group", "Vàng")
    office.customer(group_ids=[vip])
    append = ImportOptions(overwrite=True, append_multi_select=True)
    assert office.one(append, code="KH000001", groups="Vàng, VIP").values == {"group_ids": [gold]}
    assert office.one(append, code="KH000001", groups="VIP").outcome == "unchanged"


def test_a_value_the_customer_has_may_be_disabled(office: Office) -> None:
    """G2, M14: what was exported comes back unchanged; nobody else can newly choose it."""
    old = office.option("group", "Cũ", active=False)
    gone = office.employee("Người Cũ", "NV9", active=False)
    office.customer(group_ids=[old], manager_id=gone)
    assert office.one(code="KH000001", groups="Cũ", manager="Người Cũ").outcome == "unchanged"


def test_nobody_chooses_the_automatic_relationship(office: Office) -> None:
    """G4: Don't Forget is set by time alone."""
    office.option("relationship", "Đừng quên", "dont_forget", identifier=DONT_FORGET)
    hot = office.option("relationship", "Nóng", "hot")
    office.customer()
    assert codes(office.one(code="KH000001", relationship="Đừng quên")) == [("relationship", "automatic_relationship")]
    assert office.one(code="KH000001", relationship="nóng").values == {"relationship_id": hot}


def test_a_responsible_person_is_an_active_employee_meant_by_one_text(office: Office) -> None:
    """M8: name, code or e-mail; ambiguous and inactive ones are errors."""
    lan = office.employee("Trần Thị Lan", "NV1")
    office.employee("Lê Văn Minh", "NV2")
    office.employee("Lê Văn Minh", "NV3")
    office.employee("Người Cũ", "NV9", active=False)
    office.customer()
    assert office.one(code="KH000001", manager="tran thi lan").values == {"manager_id": lan}
    assert office.one(code="KH000001", manager="nv1").values == {"manager_id": lan}
    assert codes(office.one(code="KH000001", manager="Lê Văn Minh")) == [("manager", "ambiguous_option")]
    assert codes(office.one(code="KH000001", manager="NV9")) == [("manager", "inactive_employee")]
    assert codes(office.one(code="KH000001", manager="Ai đó")) == [("manager", "inactive_employee")]


def test_the_chosen_person_takes_rows_that_name_none(office: Office) -> None:
    """M2: a responsible person for all rows; a cell of its own comes first."""
    lan, chosen = office.employee("Lan", "NV1"), UUID(office.employee("Minh", "NV2"))
    options = ImportOptions(overwrite=True, employee_id=chosen)
    assert office.one(options, name="A").values["manager_id"] == str(chosen)
    assert office.one(options, name="A", manager="NV1").values["manager_id"] == lan


@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        ({"relationship_id": NEW, "manager_id": "someone"}, True),
        ({"relationship_id": DONT_FORGET, "remembered_relationship_id": NEW, "manager_id": "someone"}, True),
        ({"relationship_id": HOT, "manager_id": None}, True),
        ({"relationship_id": HOT, "manager_id": "someone"}, False),
        ({"relationship_id": DONT_FORGET, "remembered_relationship_id": HOT, "manager_id": "someone"}, False),
    ],
)
def test_a_referrer_is_set_while_the_referral_is_open(office: Office, state: dict[str, Any], allowed: bool) -> None:
    """C5, row by row: New, Don't Forget remembering New, or nobody responsible."""
    friend = office.customer("KH000009")
    office.customer(**state)
    row = office.one(code="KH000001", referrer="kh000009")
    if allowed:
        assert row.values == {"referrer_customer_id": str(friend.id)}
    else:
        assert codes(row) == [("referrer", "referral_locked")]


def test_a_referrer_is_somebody_else_whom_the_uploader_sees(office: Office) -> None:
    """C5: unknown and invisible are `not_found`; nobody refers themselves."""
    office.customer("KH000009", visible=False, changeable=False)
    lan = office.customer()
    assert codes(office.one(code="KH000001", referrer="KH000009")) == [("referrer", "not_found")]
    assert codes(office.one(code="KH000001", referrer="KH000777")) == [("referrer", "not_found")]
    assert codes(office.one(code="KH000001", referrer=str(lan.id))) == [("referrer", "validation_failed")]


def test_all_problems_of_a_row_are_told_at_once(office: Office) -> None:
    """M2: one round of corrections is enough."""
    row = office.one(phones="abc", emails="xyz", gender="?")
    assert set(row.problems) == {
        Problem("phones", "validation_failed"),
        Problem("emails", "validation_failed"),
        Problem("gender", "unknown_option"),
        Problem("name", "required"),
    }


def test_a_stored_text_that_no_file_can_hold_is_unchanged_when_it_comes_back(office: Office) -> None:
    """M14: line breaks of Windows and control characters, stored over HTTP, are lost in a file, not changed by it."""
    address = {"line": "1\r\nLê Lợi", "ward": None, "district": None, "province": None, "country": None}
    office.customer(code="KH1", description="hai\r\ndòng\x01", occupation=" lái xe ", address=address)
    row = {"code": "KH1", "description": "hai\ndòng", "occupation": "lái xe", "address": "1\nLê Lợi"}
    assert office.judge(row)[0].outcome == "unchanged"
    assert office.judge(row | {"description": "ba\ndòng"})[0].values == {"description": "ba\ndòng"}
