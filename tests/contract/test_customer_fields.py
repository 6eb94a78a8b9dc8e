"""What files call a customer's fields: every heading means one field, and the agreed ones are known."""

import pytest

from shared.contracts.customer_fields import BY_NAME, CUSTOMER_FIELDS
from shared.folding import words

AGREED_HEADERS = {
    "code": ("Mã khách hàng", "Customer Code"),
    "customer_id": ("ID khách hàng", "Customer ID"),
    "name": ("Tên khách hàng", "Customer Name"),
    "phones": ("Số điện thoại", "Phone"),
    "emails": ("Email",),
    "manager": ("Người phụ trách", "Responsible Person"),
    "groups": ("Nhóm khách hàng", "Customer Groups"),
    "sources": ("Nguồn khách hàng", "Customer Sources"),
    "relationship": ("Mối quan hệ", "Relationship"),
    "referrer": ("Người giới thiệu", "Referrer"),
    "sectors": ("Lĩnh vực", "Business Sector"),
    "description": ("Mô tả", "Description"),
    "address": ("Địa chỉ", "Address"),
    "interaction_count": ("Tổng tương tác", "Total Interactions"),
}


def _folded(heading: str) -> str:
    return " ".join(words(heading))


def test_a_heading_means_one_field() -> None:
    """M2: without case, tones and punctuation no heading stands for two fields, whatever the language."""
    owners: dict[str, str] = {}
    for field in CUSTOMER_FIELDS:
        for heading in {_folded(heading) for heading in field.all_headers}:
            assert heading, f"{field.field} has an empty heading"
            assert owners.setdefault(heading, field.field) == field.field, heading


@pytest.mark.parametrize("field", AGREED_HEADERS)
def test_the_agreed_headings_are_known(field: str) -> None:
    """M2: the headings that users were promised are recognised in both languages."""
    known = {_folded(heading) for heading in BY_NAME[field].all_headers}
    assert {_folded(heading) for heading in AGREED_HEADERS[field]} <= known


def test_labels_are_what_an_export_writes_and_an_import_knows() -> None:
    """M14: an exported heading is recognised when the file comes back."""
    for field in CUSTOMER_FIELDS:
        for language in ("vi", "en"):
            assert _folded(field.label(language)) in {_folded(heading) for heading in field.all_headers}


def test_only_a_name_is_required_and_system_fields_are_marked() -> None:
    """C2, C6, M7: a name is all a customer needs; what the system writes is marked, so that files cannot."""
    assert [field.field for field in CUSTOMER_FIELDS if field.required] == ["name"]
    system = {field.field for field in CUSTOMER_FIELDS if field.system}
    assert system == {
        "interaction_count",
        "last_contact_at",
        "order_count",
        "total_revenue",
        "created_at",
        "updated_at",
    }
