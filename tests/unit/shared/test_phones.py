"""Phones as E.164, however people and spreadsheets write them."""

import phonenumbers
import pytest

from shared.phones import BadPhone, normalize, normalize_from_sheet


@pytest.mark.parametrize("start", ["0", "84", "+84"])
@pytest.mark.parametrize("first", "3456789")
def test_the_short_way_says_what_the_library_says(start: str, first: str) -> None:
    """C2: numbers of the usual form are not parsed by the library, and come out the same."""
    text = f"{start}{first}12345678"
    parsed = phonenumbers.parse(f"+84{first}12345678")
    expected = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    assert normalize(text) == expected


@pytest.mark.parametrize(
    "text",
    ["0901234567", "090 123 4567", "090.123.4567", "090-123-4567", "84901234567", "+84 90 123 45 67", "(+84)901234567"],
)
def test_common_writings_of_one_number_are_one_phone(text: str) -> None:
    """C2: 0…, 84…, +84…, spaces, dots, dashes."""
    assert normalize(text) == "+84901234567"


def test_a_foreign_number_needs_its_plus() -> None:
    """C2: foreign numbers need `+`."""
    assert normalize("+1 415 555 2671") == "+14155552671"
    with pytest.raises(BadPhone):
        normalize("4155552671123456")


def test_a_number_cell_gets_its_lost_zero_back() -> None:
    """M14: a spreadsheet keeps 0901234567 as 901234567."""
    assert normalize_from_sheet("901234567") == "+84901234567"
    assert normalize_from_sheet("0901234567") == "+84901234567"


@pytest.mark.parametrize("text", ["", "abc", "12", "0" * 41])
def test_what_cannot_be_a_number_is_refused(text: str) -> None:
    """C2: never a half-understood number."""
    with pytest.raises(BadPhone):
        normalize(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("024 3822 3344", "+842438223344"),
        ("1900 1234", "+8419001234"),
        ("1800 5588", "+8418005588"),
        ("0601234567", "+84601234567"),
        ("0162 123 4567", "+841621234567"),
        ("+84 162 123 4567", "+841621234567"),
    ],
)
def test_whatever_can_be_dialled_in_vietnam_is_a_phone(text: str, expected: str) -> None:
    """C2: land lines, hot lines, prefixes nobody knows of yet, mobile numbers in their old form of eleven digits."""
    assert normalize(text) == expected
    assert normalize(expected) == expected


@pytest.mark.parametrize("text", ["113", "1234", "0901234567890", "+84 90 123 45 67 89 01", "+999 123 456 789"])
def test_a_number_of_a_length_no_phone_has_is_refused(text: str) -> None:
    """C2: neither emergency numbers nor two numbers in one."""
    with pytest.raises(BadPhone):
        normalize(text)
