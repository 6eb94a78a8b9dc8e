"""Makes the demonstration's two files: `python -m deploy.demo.generate`.

2,000 rows as people keep them, with every common writing of phones, harmless dirt and a known number
of faults of each kind. The same rows in both: `customers.xlsx` under a Vietnamese header with real
days and numbers, `customers.csv` in English with `;` and Windows line ends. The same bytes each time.
"""

import csv
import io
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import xlsxwriter

from deploy.demo.people import customers

_Choice = TypeVar("_Choice")

SEED = 20_260_701
ROWS = 2_000
DATA_FOLDER = Path(__file__).parent / "data"

EXPECTED_ERRORS = {
    "missing_name": 12,
    "long_name": 3,
    "bad_phone": 15,
    "bad_email": 8,
    "duplicate_phone": 22,
}
"""How many rows have which fault; no row has two. Every other row can be created as it stands."""

HARMLESS_DIRT = {
    "outer_spaces": 60,
    "capitals": 50,
    "decomposed": 80,
    "emoji": 20,
    "line_break": 20,
    "long_description": 4,
    "capital_email": 40,
    "two_phones": 40,
    "no_phone": 30,
}
"""How many rows have which oddity that must not be an error."""

EXPECTED_CREATED = ROWS - sum(EXPECTED_ERRORS.values())

_CREATED = datetime(2026, 7, 1)
_VIETNAMESE_HEADER = (
    "Tên khách hàng", "Số điện thoại", "Email", "Ngày sinh", "Tên công ty", "Mã số thuế", "Nghề nghiệp", "Địa chỉ",
    "Tỉnh/Thành phố", "Nhóm khách hàng", "Mô tả", "Tổng tương tác",
)  # fmt: skip
_ENGLISH_HEADER = (
    "Customer Name", "Phone", "Email", "Birth Date", "Company Name", "Tax Code", "Occupation", "Address", "Province",
    "Description",
)  # fmt: skip
_BAD_PHONES = ("không có", "0901", "xin số sau", "12 34", "???", "---", "máy bàn", "0")
_BAD_EMAILS = ("khong co", "lan@", "@example.com", "minh example.com", "a@b@example.com")
_EMOJI = ("😀", "⭐", "🏠", "❤️", "📞")


@dataclass(frozen=True)
class DemoRow:
    """One row before it is written: `phone` is a number where a spreadsheet has made it one."""

    name: str
    phone: str | int
    email: str
    birth_date: date | None
    company_name: str
    tax_code: str
    occupation: str
    address: str
    province: str
    description: str
    interaction_count: int


# Every common writing of 0901234567; numbers have lost their 0, or never had it.
PHONE_WRITINGS: tuple[tuple[Callable[[str], str | int], int], ...] = (
    (lambda n: f"0{n}", 30),
    (lambda n: f"0{n[:3]} {n[3:6]} {n[6:]}", 14),
    (lambda n: f"0{n[:3]}.{n[3:6]}.{n[6:]}", 10),
    (lambda n: f"0{n[:2]} {n[2:5]} {n[5:7]} {n[7:]}", 5),
    (lambda n: f"0{n[:3]}-{n[3:6]}-{n[6:]}", 6),
    (lambda n: f"(0{n[:2]}) {n[2:5]} {n[5:]}", 2),
    (lambda n: f"84{n}", 6),
    (lambda n: f"+84{n}", 6),
    (lambda n: f"+84 {n[:3]}-{n[3:6]}-{n[6:]}", 5),
    (lambda n: f"(+84) {n[:3]} {n[3:6]} {n[6:]}", 4),
    (lambda n: int(n), 9),
    (lambda n: int(f"84{n}"), 3),
)


def demo_rows() -> list[DemoRow]:
    """The 2,000 rows of both files, in their order."""
    random = Random(SEED)
    kinds = _shuffled_kinds(random)
    people = list(customers(ROWS + HARMLESS_DIRT["two_phones"], SEED))
    spare_phones = [_national(person) for person in people[ROWS:]]
    rows: list[DemoRow] = []
    for index, kind in enumerate(kinds):
        row = _row(people[index], random)
        if kind == "duplicate_phone":
            clean = [earlier for earlier in range(index) if kinds[earlier] == "clean"]
            row = replace(row, phone=_written(_national(people[_drawn(clean, random)]), random))
        elif kind == "two_phones":
            row = replace(row, phone=f"{row.phone}, {_written(spare_phones.pop(), random)}")
        elif kind != "clean":
            row = _DIRT[kind](row, random)
        rows.append(row)
    return rows


def main() -> None:
    """Write both files and say what is in them."""
    rows = demo_rows()
    (DATA_FOLDER / "customers.xlsx").write_bytes(workbook_bytes(rows))
    (DATA_FOLDER / "customers.csv").write_bytes(text_bytes(rows))
    print(f"{len(rows)} rows, {EXPECTED_CREATED} without a fault; faults: {EXPECTED_ERRORS}")


def workbook_bytes(rows: Sequence[DemoRow]) -> bytes:
    """The .xlsx: days are days, phones that were typed as numbers are numbers, no group is filled in."""
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, {"strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": _CREATED})
    bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "dd/mm/yyyy"})
    sheet = book.add_worksheet("Khách hàng")
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(_VIETNAMESE_HEADER) - 1, 20)
    sheet.write_row(0, 0, _VIETNAMESE_HEADER, bold)
    for number, row in enumerate(rows, start=1):
        before = (row.name, row.phone, row.email)
        after = (row.company_name, row.tax_code, row.occupation, row.address, row.province, "", row.description)
        _write_cells(sheet, number, 0, before)
        if row.birth_date is not None:
            sheet.write_datetime(number, len(before), datetime.combine(row.birth_date, time()), day)
        _write_cells(sheet, number, len(before) + 1, (*after, row.interaction_count))
    book.close()
    return target.getvalue()


def text_bytes(rows: Sequence[DemoRow]) -> bytes:
    """The .csv: as a program for spreadsheets saves it, with its mark and its line ends."""
    target = io.StringIO(newline="")
    writer = csv.writer(target, delimiter=";", lineterminator="\r\n")
    writer.writerow(_ENGLISH_HEADER)
    for row in rows:
        birth_date = row.birth_date.isoformat() if row.birth_date else ""
        writer.writerow(
            [row.name, row.phone, row.email, birth_date, row.company_name, row.tax_code, row.occupation, row.address,
             row.province, row.description]
        )  # fmt: skip
    return target.getvalue().encode("utf-8-sig")


def _write_cells(sheet: Any, row: int, first_column: int, values: Sequence[str | int]) -> None:
    for column, value in enumerate(values, start=first_column):
        if isinstance(value, int):
            sheet.write_number(row, column, value)
        elif value:
            sheet.write_string(row, column, value)


def _row(customer: dict[str, Any], random: Random) -> DemoRow:
    address = customer["address"] or {}
    return DemoRow(
        name=customer["name"],
        phone=_written(_national(customer), random),
        email=", ".join(customer["emails"]),
        birth_date=date.fromisoformat(customer["birth_date"]) if customer["birth_date"] else None,
        company_name=customer["company_name"] or "",
        tax_code=customer["tax_code"] or "",
        occupation=customer["occupation"] or "",
        address=f"{address['line']}, {address['ward']}" if address else "",
        province=address.get("province", ""),
        description=customer["description"] or "",
        interaction_count=int(random.random() * 40),
    )


def _shuffled_kinds(random: Random) -> list[str]:
    """What each row is: a fault, an oddity or clean."""
    counts = {**EXPECTED_ERRORS, **HARMLESS_DIRT}
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    kinds += ["clean"] * (ROWS - len(kinds))
    for last in range(len(kinds) - 1, 0, -1):
        other = int(random.random() * (last + 1))
        kinds[last], kinds[other] = kinds[other], kinds[last]
    return kinds


def _national(customer: dict[str, Any]) -> str:
    """A customer's phone as digits without the leading 0."""
    return customer["phones"][0].removeprefix("+84")


def _written(national: str, random: Random) -> str | int:
    return _drawn(_WRITINGS, random)(national)


def _drawn(choices: Sequence[_Choice], random: Random) -> _Choice:
    return choices[int(random.random() * len(choices))]


_WRITINGS = [write for write, weight in PHONE_WRITINGS for _ in range(weight)]

_DIRT: dict[str, Callable[[DemoRow, Random], DemoRow]] = {
    "missing_name": lambda row, random: replace(row, name=_drawn(("", "  "), random)),
    "long_name": lambda row, _: replace(row, name=" ".join([row.name] * 60)),
    "bad_phone": lambda row, random: replace(row, phone=_drawn(_BAD_PHONES, random)),
    "bad_email": lambda row, random: replace(row, email=_drawn(_BAD_EMAILS, random)),
    "outer_spaces": lambda row, _: replace(row, name=f" {row.name}  ", phone=f"{row.phone} "),
    "capitals": lambda row, _: replace(row, name=row.name.upper()),
    "decomposed": lambda row, _: replace(
        row,
        name=unicodedata.normalize("NFD", row.name),
        address=unicodedata.normalize("NFD", row.address),
    ),
    "emoji": lambda row, random: replace(row, name=f"{row.name} {_drawn(_EMOJI, random)}"),
    "line_break": lambda row, _: replace(row, description=f"{row.description or 'Ghi chú'}\nGọi trước khi giao"),
    "long_description": lambda row, _: replace(row, description="Khách kể rất dài về nhu cầu của mình. " * 240),
    "capital_email": lambda row, _: replace(row, email=(row.email or "lien.he@example.com").upper()),
    "no_phone": lambda row, _: replace(row, phone=""),
}


if __name__ == "__main__":
    main()
