"""What files and exports call a customer's fields, in Vietnamese and English (M2, M6, M14).

Stated once: `imports` proposes mappings from it, `customers` heads its exports with it.
`headers` are further spellings seen in files; they are compared folded (no case, tones, punctuation).
"""

from dataclasses import dataclass
from typing import Literal

FieldType = Literal["text", "day", "phone", "email", "choice", "employee", "customer", "number", "instant"]


@dataclass(frozen=True)
class CustomerField:
    """One column a file may have. `system` fields are shown, never written (C6, M7)."""

    field: str
    label_vi: str
    label_en: str
    type: FieldType = "text"
    required: bool = False
    multiple: bool = False
    system: bool = False
    headers: tuple[str, ...] = ()

    def label(self, language: str) -> str:
        """The column's heading in a language (`vi` or `en`)."""
        return self.label_en if language == "en" else self.label_vi

    @property
    def all_headers(self) -> tuple[str, ...]:
        """Every heading this column is recognised by."""
        return (self.label_vi, self.label_en, self.field, *self.headers)


CUSTOMER_FIELDS: tuple[CustomerField, ...] = (
    CustomerField("customer_id", "ID khách hàng", "Customer ID", "customer", headers=("ID", "Mã hệ thống")),
    CustomerField("code", "Mã khách hàng", "Customer Code", headers=("Mã KH", "Code")),
    CustomerField(
        "name",
        "Tên khách hàng",
        "Customer Name",
        required=True,
        headers=("Họ tên", "Họ và tên", "Tên KH", "Name", "Full name"),
    ),
    CustomerField("type", "Loại khách hàng", "Customer Type", "choice", headers=("Loại KH", "Type")),
    CustomerField(
        "phones",
        "Số điện thoại",
        "Phone",
        "phone",
        multiple=True,
        headers=("SĐT", "Điện thoại", "Di động", "Phones", "Phone number", "Mobile", "Tel"),
    ),
    CustomerField("emails", "Email", "Email", "email", multiple=True, headers=("E-mail", "Thư điện tử", "Emails")),
    CustomerField("gender", "Giới tính", "Gender", "choice", headers=("Sex",)),
    CustomerField("birth_date", "Ngày sinh", "Birth Date", "day", headers=("Sinh nhật", "Birthday", "Date of birth")),
    CustomerField("occupation", "Nghề nghiệp", "Occupation", headers=("Chức vụ", "Job title")),
    CustomerField("income_band", "Thu nhập", "Income", headers=("Mức thu nhập", "Income band")),
    CustomerField("company_name", "Tên công ty", "Company Name", headers=("Công ty", "Company")),
    CustomerField("tax_code", "Mã số thuế", "Tax Code", headers=("MST", "VAT number")),
    CustomerField("website", "Website", "Website", headers=("Trang web",)),
    CustomerField("address", "Địa chỉ", "Address", headers=("Địa chỉ khách hàng", "Street")),
    CustomerField("province", "Tỉnh/Thành phố", "Province", headers=("Tỉnh thành", "Thành phố", "City")),
    CustomerField("description", "Mô tả", "Description", headers=("Ghi chú", "Note", "Notes")),
    CustomerField(
        "groups",
        "Nhóm khách hàng",
        "Customer Groups",
        "choice",
        multiple=True,
        headers=("Nhóm", "Group", "Groups", "Customer group"),
    ),
    CustomerField(
        "sources",
        "Nguồn khách hàng",
        "Customer Sources",
        "choice",
        multiple=True,
        headers=("Nguồn", "Source", "Sources", "Customer source"),
    ),
    CustomerField(
        "sectors",
        "Lĩnh vực",
        "Business Sector",
        "choice",
        multiple=True,
        headers=("Ngành nghề", "Lĩnh vực kinh doanh", "Sector", "Sectors"),
    ),
    CustomerField("relationship", "Mối quan hệ", "Relationship", "choice", headers=("Quan hệ", "Trạng thái", "Status")),
    CustomerField("referrer", "Người giới thiệu", "Referrer", "customer", headers=("Referred by",)),
    CustomerField(
        "manager",
        "Người phụ trách",
        "Responsible Person",
        "employee",
        headers=("Nhân viên phụ trách", "Phụ trách", "Manager", "Owner"),
    ),
    CustomerField(
        "interaction_count",
        "Tổng tương tác",
        "Total Interactions",
        "number",
        system=True,
        headers=("Số tương tác", "Interactions"),
    ),
    CustomerField(
        "last_contact_at",
        "Liên hệ cuối",
        "Last Contact",
        "instant",
        system=True,
        headers=("Ngày liên hệ cuối", "Last contact date"),
    ),
    CustomerField("order_count", "Số đơn hàng", "Order Count", "number", system=True, headers=("Orders",)),
    CustomerField(
        "total_revenue",
        "Tổng doanh thu",
        "Total Revenue",
        "number",
        system=True,
        headers=("Doanh thu", "Revenue", "Value", "Giá trị"),
    ),
    CustomerField("created_at", "Ngày tạo", "Created At", "instant", system=True, headers=("Created",)),
    CustomerField("updated_at", "Ngày cập nhật", "Updated At", "instant", system=True, headers=("Updated",)),
)

BY_NAME = {field.field: field for field in CUSTOMER_FIELDS}
