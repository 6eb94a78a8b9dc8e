"""What a result file says of a row, in Vietnamese and English; codes that only rows have."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.imports.domain.fields import fields_of
from shared.contracts.customer_fields import BY_NAME, CustomerField
from shared.wording import message

_OUTCOMES = {
    "create": ("Sẽ tạo mới", "Will be created"),
    "update": ("Sẽ cập nhật", "Will be updated"),
    "unchanged": ("Không thay đổi", "Unchanged"),
    "error": ("Lỗi", "Error"),
    "created": ("Đã tạo", "Created"),
    "updated": ("Đã cập nhật", "Updated"),
    "conflict": ("Xung đột", "Conflict"),
    "skipped": ("Bỏ qua vì lỗi", "Skipped because of errors"),
    "failed": ("Thất bại", "Failed"),
    "undone": ("Đã hoàn tác", "Undone"),
    "kept": ("Giữ lại khi hoàn tác", "Kept by the undo"),
    "undo_failed": ("Không hoàn tác được", "Could not be undone"),
}
_CODES = {
    "required": ("Thiếu giá trị bắt buộc.", "A required value is missing."),
    "not_found": ("Không tìm thấy khách hàng.", "No such customer."),
    "forbidden": ("Bạn không có quyền sửa khách hàng này.", "You may not change this customer."),
    "id_code_mismatch": ("ID và mã thuộc về hai khách hàng khác nhau.", "ID and code mean different customers."),
    "duplicate_in_file": ("Trùng với một dòng phía trên trong tệp.", "An earlier row of the file has the same."),
    "already_exists": (
        "Khách hàng đã tồn tại và chế độ ghi đè đang tắt.",
        "The customer exists, and overwriting is off.",
    ),
    "unknown_option": ("Giá trị không có trong danh mục.", "There is no such option."),
    "ambiguous_option": ("Có nhiều mục trùng tên này.", "Several have this name."),
    "validation_failed": ("Giá trị không hợp lệ.", "The value is not valid."),
}
_REASONS = {
    "changed_since": ("Đã có người sửa sau khi nhập.", "Somebody has changed it since."),
    "has_interactions": ("Khách hàng đã có tương tác.", "The customer has interactions."),
    "has_documents": ("Khách hàng đã có chứng từ.", "The customer has documents."),
    "has_opportunities": ("Khách hàng đã ở trong chiến dịch.", "The customer is in a campaign."),
    "deleted": ("Khách hàng đã bị xóa.", "The customer has been deleted."),
}
_CONFLICT = (
    "Khách hàng đã thay đổi sau khi xem trước.",
    "The customer has changed since the preview.",
)


def outcome_text(outcome: str, language: str) -> str:
    """An outcome for people."""
    return _in(language, _OUTCOMES.get(outcome, (outcome, outcome)))


def reason_text(outcome: str, errors: Sequence[Mapping[str, Any]], kind: str, language: str) -> str:
    """Why a row was not written: each error with the column it is about."""
    if outcome == "conflict" and not errors:
        return _in(language, _CONFLICT)
    return " ".join(_error(fields_of(kind), error.get("field"), str(error["code"]), language) for error in errors)


def undo_text(reason: str, kept_fields: Sequence[str], language: str) -> str:
    """Why a row, or some of its cells, were not taken back."""
    texts = _REASONS.get(reason) or _CODES.get(reason)
    text = _in(language, texts) if texts else message(reason, language)
    labels = ", ".join(BY_NAME[field].label(language) for field in kept_fields if field in BY_NAME)
    return f"{labels}: {text}" if labels else text


def _error(fields: Mapping[str, CustomerField], field: str | None, code: str, language: str) -> str:
    text = _in(language, _CODES[code]) if code in _CODES else message(code, language)
    label = fields[field].label(language) if field is not None and field in fields else field
    return f"{label}: {text}" if label else text


def _in(language: str, texts: tuple[str, str]) -> str:
    vietnamese, english = texts
    return english if language == "en" else vietnamese
