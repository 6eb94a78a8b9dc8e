"""Messages for people, in Vietnamese and English, by error code. Codes are never translated."""

_MESSAGES: dict[str, tuple[str, str]] = {
    "unauthenticated": ("Bạn cần đăng nhập lại.", "A valid token is required."),
    "forbidden": ("Bạn không có quyền làm việc này.", "You are not allowed to do this."),
    "inactive_employee": (
        "Nhân viên không tồn tại hoặc đã ngừng hoạt động.",
        "The employee is unknown or no longer active.",
    ),
    "not_found": ("Không tìm thấy.", "Not found."),
    "phone_taken": ("Số điện thoại đã thuộc về khách hàng khác.", "Another customer has this phone number."),
    "code_taken": ("Mã này đã được dùng.", "This code is in use."),
    "name_taken": ("Tên này đã được dùng.", "This name is in use."),
    "in_use": ("Đang được sử dụng nên không thể xóa.", "It is in use."),
    "cycle": ("Không thể tạo vòng lặp trong cây.", "This would make a cycle."),
    "referral_locked": (
        "Không thể đổi người giới thiệu của khách hàng này.",
        "The referrer of this customer can no longer be changed.",
    ),
    "parent_disabled": ("Mục cha đang bị tắt.", "The parent is disabled."),
    "not_restorable": ("Không thể khôi phục.", "It cannot be restored."),
    "wrong_state": ("Trạng thái hiện tại không cho phép.", "The current state does not allow this."),
    "has_errors": ("Vẫn còn dòng lỗi.", "There are rows with errors."),
    "already_imported": ("Tệp này đã được nhập.", "This file has been imported already."),
    "preview_expired": ("Bản xem trước đã hết hạn.", "The preview has expired."),
    "request_in_progress": (
        "Yêu cầu trước với khóa này chưa xong.",
        "The first request with this key is still running.",
    ),
    "already_in_campaign": ("Khách hàng đã có trong chiến dịch.", "The customer is in the campaign already."),
    "waiting_time": ("Chưa hết thời gian chờ của chiến dịch.", "The campaign's waiting time is not over."),
    "version_conflict": (
        "Bản ghi đã thay đổi, hãy tải lại.",
        "The record has changed since you read it.",
    ),
    "payload_too_large": ("Nội dung gửi lên quá lớn.", "The request is too large."),
    "unsupported_file": ("Loại tệp không được hỗ trợ.", "This kind of file is not supported."),
    "validation_failed": ("Dữ liệu không hợp lệ.", "The request is not valid."),
    "system_field": ("Trường hệ thống không thể ghi.", "System fields cannot be written."),
    "automatic_relationship": (
        "Mối quan hệ này chỉ do hệ thống đặt.",
        "This relationship is set by the system only.",
    ),
    "disabled_choice": ("Giá trị này đã bị tắt.", "This value is disabled."),
    "too_many_rows": ("Tệp có quá nhiều dòng.", "The file has too many rows."),
    "too_many_items": ("Quá nhiều mục trong một yêu cầu.", "Too many items in one request."),
    "bad_cursor": ("Con trỏ trang không hợp lệ.", "The cursor is not valid."),
    "idempotency_key_reused": (
        "Khóa này đã dùng cho yêu cầu khác.",
        "This key was used for another request.",
    ),
    "filter_too_large": ("Bộ lọc quá lớn.", "The filter is too large."),
    "unsupported_condition": ("Điều kiện này không được hỗ trợ.", "This condition is not supported."),
    "selection_unknown": ("Không tìm thấy danh sách đã chọn.", "There is no such selection of yours."),
    "selection_too_large": ("Danh sách đã chọn quá lớn.", "The selection is too large."),
    "rate_limited": ("Quá nhiều yêu cầu, hãy thử lại sau.", "Too many requests, try again later."),
    "unavailable": ("Hệ thống tạm thời gián đoạn.", "The service is unavailable for a moment."),
    "method_not_allowed": ("Phương thức không được hỗ trợ.", "This method is not supported here."),
    "opportunity_closed": ("Cơ hội đã đóng.", "The opportunity is closed."),
    "internal_error": ("Lỗi hệ thống.", "Something went wrong on our side."),
    "encrypted_file": ("Tệp được bảo vệ bằng mật khẩu.", "The file is protected by a password."),
    "rows_refused": (
        "Có dòng bị từ chối nên cả tệp không được ghi.",
        "A row was refused, so the file as a whole was not to be written.",
    ),
    "hostile_file": ("Tệp bị hỏng hoặc không an toàn.", "The file is damaged or unsafe."),
}


def language_of(accept_language: str | None) -> str:
    """`vi` or `en`: the first of the two that the header prefers; Vietnamese without a header.

    Quality values decide; what cannot be read is passed over.
    """
    best, best_quality = "vi", 0.0
    for part in (accept_language or "")[:200].split(","):
        tag, _, parameter = part.strip().partition(";")
        try:
            quality = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        language = tag.strip().lower()[:2]
        if language in ("vi", "en") and quality > best_quality:
            best, best_quality = language, quality
    return best


def message(code: str, language: str) -> str:
    """The message of a code; an unknown code is shown as it is."""
    vietnamese, english = _MESSAGES.get(code, (code, code))
    return english if language == "en" else vietnamese
