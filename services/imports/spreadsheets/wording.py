"""What our files say to people, in Vietnamese and English: names of sheets and the instructions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class TemplateWords:
    """The texts of a template and of a result; `notes` by a field's type, `general_notes` know {rows}."""

    data_sheet: str
    result_sheet: str
    instructions_sheet: str
    instructions_header: Sequence[str]
    yes: str
    notes: Mapping[str, str]
    general_notes: Sequence[str]


_WORDS = {
    "vi": TemplateWords(
        data_sheet="Dữ liệu",
        result_sheet="Kết quả",
        instructions_sheet="Hướng dẫn",
        instructions_header=("Cột", "Bắt buộc", "Nhiều giá trị", "Ghi chú"),
        yes="có",
        notes={
            "phone": "0901234567 hoặc +84901234567; số nước ngoài bắt đầu bằng +.",
            "email": "Một địa chỉ hợp lệ, ví dụ lan@example.vn.",
            "day": "Ngày, ví dụ 1990-03-25.",
            "choice": "Tên hoặc mã của một giá trị đã có; không phân biệt hoa thường và dấu.",
            "employee": "Tên, mã hoặc email của một nhân viên đang làm việc.",
            "customer": "ID hoặc mã của một khách hàng đã có.",
        },
        general_notes=(
            "Cột có dấu * là bắt buộc. Có thể bỏ bớt hoặc đổi thứ tự các cột khác.",
            "Ô trống giữ nguyên giá trị cũ; #CLEAR xóa giá trị của một cột không bắt buộc.",
            'Nhiều giá trị trong một ô cách nhau bằng dấu phẩy; tên có dấu phẩy đặt trong "dấu ngoặc kép".',
            "Chỉ trang tính đầu tiên được đọc, nhiều nhất {rows} dòng.",
        ),
    ),
    "en": TemplateWords(
        data_sheet="Data",
        result_sheet="Result",
        instructions_sheet="Instructions",
        instructions_header=("Column", "Required", "Several values", "Note"),
        yes="yes",
        notes={
            "phone": "0901234567 or +84901234567; foreign numbers start with +.",
            "email": "A valid address, such as lan@example.vn.",
            "day": "A day, such as 1990-03-25.",
            "choice": "Name or code of an existing value; case and tone marks do not matter.",
            "employee": "Name, code or e-mail address of an active employee.",
            "customer": "ID or code of an existing customer.",
        },
        general_notes=(
            "Columns with * are required. Others may be left out or put in another order.",
            "An empty cell keeps the old value; #CLEAR empties a column that is not required.",
            'Several values in one cell are separated by commas; a name with a comma goes in "quotes".',
            "Only the first sheet is read, at most {rows} rows.",
        ),
    ),
}


def template_words(language: str) -> TemplateWords:
    """The texts in a language (`vi` or `en`; Vietnamese for any other)."""
    return _WORDS.get(language, _WORDS["vi"])
