"""A .csv is read as it was meant, whichever program and country saved it."""

import unicodedata
from dataclasses import replace

import pytest

from services.imports.spreadsheets.delimited import read_delimited
from services.imports.spreadsheets.errors import UnreadableFile
from services.imports.spreadsheets.limits import MIB, Limits

LIMITS = Limits()
ROWS = [
    (1, ["Tên khách hàng", "Số điện thoại", "Địa chỉ"]),
    (2, ["Nguyễn Thị Hồng Nhung", "0901234567", "12 Lê Lợi, Bến Thành"]),
    (3, ["Trần Văn Đức", "+84912345678", "Hà Nội"]),
]


def text(delimiter: str = ",") -> str:
    """ROWS as a file's text, the cells that need it in quotes."""
    lines = [delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in cells) for _, cells in ROWS]
    return "".join(f"{line}\r\n" for line in lines)


def in_windows_1258(vietnamese: str) -> bytes:
    """The text as that encoding wants it: letters with their shape, tones as marks of their own."""
    encoded = bytearray()
    for letter in unicodedata.normalize("NFC", vietnamese):
        try:
            encoded += letter.encode("cp1258")
        except UnicodeEncodeError:
            marks = unicodedata.normalize("NFD", letter)
            tone = "".join(mark for mark in marks if mark in "\u0300\u0301\u0303\u0309\u0323")
            shape = unicodedata.normalize("NFC", "".join(mark for mark in marks if mark not in tone))
            encoded += shape.encode("cp1258") + tone.encode("cp1258")
    return bytes(encoded)


def refused(content: bytes, limits: Limits = LIMITS) -> str:
    """The code a file is refused with."""
    with pytest.raises(UnreadableFile) as caught:
        read_delimited(content, limits)
    return caught.value.code


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be with a mark", "windows-1258"])
def test_every_encoding_and_delimiter_gives_the_same_rows(encoding: str, delimiter: str):
    """M1: people cannot say how their program saved the file, so it is found out."""
    encoders = {
        "utf-16-be with a mark": lambda value: b"\xfe\xff" + value.encode("utf-16-be"),
        "windows-1258": in_windows_1258,
    }
    encode = encoders.get(encoding, lambda value: value.encode(encoding))
    assert read_delimited(encode(text(delimiter)), LIMITS) == ROWS


def test_western_letters_are_not_taken_for_vietnamese():
    """Windows-1252 and 1258 differ in a few letters only; a French list stays French."""
    french = "Nom;Adresse\r\nFrançois Lefèvre;Évêché de Forlì\r\nJosé Muñoz;Straße\r\n"
    assert read_delimited(french.encode("cp1252"), LIMITS)[1] == (2, ["François Lefèvre", "Évêché de Forlì"])


def test_decomposed_letters_are_composed():
    """Macs save tones as separate marks; the same name must stay one name."""
    assert read_delimited(unicodedata.normalize("NFD", text()).encode(), LIMITS) == ROWS


def test_quoted_cells_hold_delimiters_quotes_and_line_breaks():
    """The number of a row after a cell of two lines is the one a spreadsheet shows."""
    content = 'Name;Note\r\nLan;"a;b ""c""\r\nsecond line"\r\nMinh;d\r\n'
    assert read_delimited(content.encode(), LIMITS)[1:] == [(2, ["Lan", 'a;b "c"\nsecond line']), (3, ["Minh", "d"])]


def test_the_guard_before_formula_characters_is_taken_away():
    """M14: one leading ' goes where it stands before = + - @, a tab or a line break; others stay."""
    content = "a,b\n'=1+1,'+84901\n'-5,'@x\n\"'\tx\",\"'\rx\"\n''=1,'quoted'\n"
    assert [cells for _, cells in read_delimited(content.encode(), LIMITS)[1:]] == [
        ["=1+1", "+84901"],
        ["-5", "@x"],
        ["\tx", "\nx"],
        ["'=1", "'quoted'"],
    ]


def test_the_line_that_names_the_separator_is_obeyed():
    """Spreadsheets write and hide it; the next line is row 1."""
    assert read_delimited(b"sep=;\r\na,b;c\r\n", LIMITS) == [(1, ["a,b", "c"])]


def test_commas_inside_cells_do_not_win_against_the_delimiter():
    """Addresses hold a comma in nearly every row; the header and the width tell the delimiter."""
    lines = ["Tên;Địa chỉ;Ghi chú;Email"] + [f"Lan {n};{n} Lê Lợi, Huế;;a@b.vn" for n in range(60)]
    assert read_delimited("\n".join(lines).encode(), LIMITS)[0][1] == ["Tên", "Địa chỉ", "Ghi chú", "Email"]


def test_a_single_column_is_a_table():
    """A list of phones has no delimiter at all."""
    assert read_delimited(b"Phone\n0901234567\n\n0912345678", LIMITS) == [
        (1, ["Phone"]),
        (2, ["0901234567"]),
        (4, ["0912345678"]),
    ]


def test_ragged_and_empty_rows_make_a_rectangle():
    """Rows are as wide as the widest; trailing delimiters and blank lines add nothing."""
    assert read_delimited(b"a,b,,\n\n,,,\n1\n1,2,3,\n", LIMITS) == [
        (1, ["a", "b", ""]),
        (4, ["1", "", ""]),
        (5, ["1", "2", "3"]),
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"Name\x00,Phone\n", "unsupported_file"),
        (text().encode("utf-16-le"), "unsupported_file"),
        (b"\xff\xfe\x00\x00" + text().encode("utf-32-le"), "unsupported_file"),
        (b"\xff\xfea", "unsupported_file"),
        (bytes(range(256)) * 20, "unsupported_file"),
        (b"", "unsupported_file"),
        (b"\n \n,,\n", "unsupported_file"),
        (b'Name,Phone\nLan,"0901\nMinh,0912\n', "hostile_file"),
        (b"Name\n" + b"x" * 32_768, "hostile_file"),
        (b"," * 256 + b"x", "hostile_file"),
        (b"\n" * 10_000 + b"x", "hostile_file"),
        (b"a,b\n" * 2_002, "too_many_rows"),
        (b"x\n" * (5 * MIB // 2 + 1), "hostile_file"),
    ],
    ids=[
        "NUL", "UTF-16 without a mark", "UTF-32", "half a letter", "binary", "empty", "blank", "open quote",
        "a long cell", "a wide row", "a row far down", "too many rows", "5.1 MiB",
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_a_reason(content: bytes, code: str):
    """M1: a text that cannot be read whole is not read in part."""
    assert refused(content) == code


def test_exactly_the_allowed_rows_pass():
    """M1: the limit counts data rows, neither the header nor titles above it."""
    limits = replace(LIMITS, data_rows=3)
    assert len(read_delimited(b"title\na,b\n" + b"1,2\n" * 3, limits)) == 5
    assert refused(b"title\na,b\n" + b"1,2\n" * 4, limits) == "too_many_rows"
