"""The demonstration's input: the same every time, plausible, and wrong in exactly the ways it says."""

import re
import unicodedata
from collections import Counter
from itertools import islice

import phonenumbers
import pytest

from deploy.demo.generate import (
    DATA_FOLDER,
    EXPECTED_CREATED,
    EXPECTED_ERRORS,
    HARMLESS_DIRT,
    PHONE_WRITINGS,
    ROWS,
    demo_rows,
    text_bytes,
    workbook_bytes,
)
from deploy.demo.people import customers
from deploy.demo.vocabulary import MOBILE_PREFIXES, PROVINCES
from services.imports.spreadsheets.header import propose_mapping
from services.imports.spreadsheets.reader import read_table
from services.imports.spreadsheets.table import Table
from shared.contracts.customer_fields import CUSTOMER_FIELDS
from shared.phones import BadPhone, normalize_from_sheet

EMAIL = re.compile(r"[^@\s,]+@[^@\s,]+\.[^@\s,]+")


async def committed(name: str) -> Table:
    return await read_table((DATA_FOLDER / name).read_bytes(), name)


def faults_of(name: str, phones: str, emails: str, seen_phones: set[str]) -> list[str]:
    """What is wrong with a row, judged by the rules and not by how it was made."""
    faults = []
    if not name.strip():
        faults.append("missing_name")
    if len(name.strip()) > 500:
        faults.append("long_name")
    try:
        numbers = {normalize_from_sheet(phone) for phone in phones.split(",") if phone.strip()}
    except BadPhone:
        return [*faults, "bad_phone"]
    if numbers & seen_phones:
        faults.append("duplicate_phone")
    seen_phones |= numbers
    if not all(EMAIL.fullmatch(email.strip()) for email in emails.split(",") if email.strip()):
        faults.append("bad_email")
    return faults


async def test_the_committed_files_are_what_the_generator_makes():
    """A change of the generator is committed with its files, and the other way round."""
    rows = demo_rows()
    assert (DATA_FOLDER / "customers.csv").read_bytes() == text_bytes(rows)
    assert await committed("customers.xlsx") == await read_table(workbook_bytes(rows), "customers.xlsx")
    assert workbook_bytes(rows) == workbook_bytes(demo_rows())


async def test_both_files_hold_the_same_rows_and_every_column_is_recognised():
    """M1, M2: days, numbers and texts of the workbook read like the texts of the .csv."""
    tables = [await committed("customers.xlsx"), await committed("customers.csv")]
    by_field = []
    for table in tables:
        mapping = propose_mapping(table, CUSTOMER_FIELDS)
        assert mapping.header_row == 1
        assert {column.warning for column in mapping.columns} <= {None, "system_field"}
        fields = {column.field: column.index for column in mapping.columns if column.field}
        by_field.append([{field: row.cells[index] for field, index in fields.items()} for row in table.rows[1:]])
    from_workbook, from_text = by_field
    assert len(from_text) == ROWS
    assert [{field: row[field] for field in from_text[0]} for row in from_workbook] == from_text
    assert {row["groups"] for row in from_workbook} == {""}


async def test_exactly_the_promised_rows_have_faults():
    """C2, M3: required names, phones and e-mail addresses; the second of a phone is the fault."""
    table = await committed("customers.xlsx")
    seen_phones: set[str] = set()
    faults = [faults_of(row.cells[0], row.cells[1], row.cells[2], seen_phones) for row in table.rows[1:]]
    assert max(len(found) for found in faults) == 1
    assert Counter(fault for found in faults for fault in found) == EXPECTED_ERRORS
    assert faults.count([]) == EXPECTED_CREATED


def test_harmless_dirt_is_there_in_the_promised_amount():
    """What people do to their lists without making them wrong."""
    rows = demo_rows()
    assert sum(1 for row in rows if row.name.strip() and row.name != row.name.strip()) == HARMLESS_DIRT["outer_spaces"]
    decomposed = sum(1 for row in rows if not unicodedata.is_normalized("NFC", row.name))
    assert 0.9 < decomposed / HARMLESS_DIRT["decomposed"] <= 1  # a few names have no mark to set apart
    assert sum(1 for row in rows if "\n" in row.description) == HARMLESS_DIRT["line_break"]
    assert sum(1 for row in rows if len(row.description) > 8_000) == HARMLESS_DIRT["long_description"]
    assert sum(1 for row in rows if row.phone == "") == HARMLESS_DIRT["no_phone"]
    assert sum(1 for row in rows if len(row.name) <= 500 and row.name.isupper()) == HARMLESS_DIRT["capitals"]


@pytest.mark.parametrize("prefix", [prefix[1:] for prefix, _ in MOBILE_PREFIXES])
def test_every_writing_of_a_phone_is_the_same_phone(prefix: str):
    """C2, M14: also numbers that lost their 0, whatever the prefix."""
    national = f"{prefix}1234567"
    assert {normalize_from_sheet(str(write(national))) for write, _ in PHONE_WRITINGS} == {f"+84{national}"}


def test_customers_of_one_seed_are_the_same_and_no_two_share_a_phone():
    """Benches compare runs: the first of many are the same as when few are asked for."""
    many = list(customers(20_000, 7))
    assert list(customers(50, 7)) == many[:50]
    assert list(islice(customers(50, 8), 5)) != many[:5]
    phones = [phone for customer in many for phone in customer["phones"]]
    assert len(set(phones)) == len(phones)


def test_customers_are_plausible():
    """Valid phones, mostly people, a third of them named Nguyễn, addresses of all 34 provinces."""
    many = list(customers(5_000, 7))
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(c["phones"][0])) for c in many[:500])
    people = [customer for customer in many if customer["type"] == "person"]
    assert 0.85 < len(people) / len(many) < 0.91
    assert 0.26 < sum(1 for person in people if person["name"].startswith("Nguyễn ")) / len(people) < 0.34
    assert {customer["address"]["province"] for customer in many if customer["address"]} == {
        name for name, _, _ in PROVINCES
    }
    assert len(PROVINCES) == 34
    assert all(EMAIL.fullmatch(email) for customer in many for email in customer["emails"])


def test_more_customers_than_phones_are_refused():
    """A bench that asked for more would get duplicates without noticing."""
    with pytest.raises(ValueError, match="10000000"):
        next(customers(10_000_001, 7))
