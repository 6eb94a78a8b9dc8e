"""Words that Vietnamese customers are made of, each with how often it is met.

Family names follow their known shares of the population; provinces are the 34 units since July 2025,
by inhabitants, with wards that exist. All of it is common knowledge about the country; no person in
the demonstration is real, and e-mail addresses use domains reserved for examples.
"""

Weighted = tuple[tuple[str, int], ...]

FAMILY_NAMES: Weighted = (
    ("Nguyễn", 315), ("Trần", 109), ("Lê", 89), ("Phạm", 59), ("Hoàng", 30), ("Huỳnh", 21), ("Vũ", 25),
    ("Võ", 24), ("Phan", 28), ("Trương", 22), ("Bùi", 21), ("Đặng", 19), ("Đỗ", 19), ("Ngô", 17), ("Hồ", 15),
    ("Dương", 14), ("Đinh", 10), ("Đoàn", 9), ("Lâm", 8), ("Mai", 8), ("Trịnh", 8), ("Đào", 7), ("Cao", 7),
    ("Lý", 7), ("Hà", 6), ("Lưu", 6), ("Lương", 6), ("Thái", 5), ("Châu", 4), ("Tạ", 4), ("Phùng", 4), ("Tô", 4),
    ("Vương", 3), ("Văn", 3), ("Tăng", 3), ("Quách", 2), ("Lại", 2), ("Hứa", 2), ("Kiều", 2), ("Nông", 2),
    ("Triệu", 2), ("La", 1), ("Ninh", 1), ("Khổng", 1), ("Âu", 1),
)  # fmt: skip

MIDDLE_NAMES_OF_MEN: Weighted = (
    ("Văn", 26), ("Đức", 9), ("Hữu", 8), ("Minh", 8), ("Quốc", 7), ("Công", 5), ("Xuân", 5), ("Thanh", 5),
    ("Ngọc", 5), ("Hoàng", 5), ("Quang", 5), ("Đình", 5), ("Anh", 4), ("Tuấn", 3), ("Gia", 3), ("Trọng", 3),
    ("Duy", 3), ("Thế", 3), ("Bá", 2), ("Nhật", 2), ("Viết", 1), ("", 4),
)  # fmt: skip

MIDDLE_NAMES_OF_WOMEN: Weighted = (
    ("Thị", 28), ("Ngọc", 8), ("Thị Thu", 6), ("Thị Thanh", 6), ("Thị Hồng", 5), ("Thị Ngọc", 5), ("Thanh", 5),
    ("Thu", 4), ("Phương", 4), ("Kim", 3), ("Mỹ", 3), ("Thùy", 3), ("Bích", 3), ("Thị Kim", 3), ("Thị Mỹ", 2),
    ("Hồng", 2), ("Khánh", 2), ("Bảo", 2), ("Quỳnh", 2), ("Hoài", 2), ("Diệu", 1), ("Như", 1),
)  # fmt: skip

GIVEN_NAMES_OF_MEN: Weighted = (
    ("Hùng", 6), ("Tuấn", 6), ("Dũng", 5), ("Minh", 5), ("Hải", 5), ("Nam", 5), ("Anh", 5), ("Thành", 5),
    ("Cường", 4), ("Đức", 4), ("Hiếu", 4), ("Long", 4), ("Trung", 4), ("Sơn", 4), ("Huy", 4), ("Phúc", 3),
    ("Quân", 3), ("Khoa", 3), ("Bình", 3), ("Tâm", 3), ("Thắng", 3), ("Tùng", 3), ("Kiên", 3), ("Đạt", 3),
    ("Việt", 2), ("Vinh", 2), ("Phong", 2), ("Thịnh", 2), ("Lâm", 2), ("Khánh", 2), ("Duy", 2), ("Nghĩa", 2),
    ("Tài", 2), ("Toàn", 2), ("Trí", 2), ("Tú", 2), ("Bảo", 2), ("Khang", 2), ("Phước", 1), ("Quý", 1), ("Thuận", 1),
)  # fmt: skip

GIVEN_NAMES_OF_WOMEN: Weighted = (
    ("Hương", 6), ("Lan", 5), ("Linh", 5), ("Hà", 5), ("Hằng", 5), ("Thảo", 5), ("Trang", 5), ("Phương", 5),
    ("Anh", 4), ("Ngọc", 4), ("Mai", 4), ("Thủy", 4), ("Hoa", 4), ("Nga", 3), ("Hồng", 3), ("Nhung", 3), ("Yến", 3),
    ("Vân", 3), ("Tuyết", 3), ("Hạnh", 3), ("Hiền", 3), ("Nhi", 3), ("Trâm", 2), ("Vy", 2), ("My", 2), ("Ngân", 2),
    ("Quyên", 2), ("Loan", 2), ("Oanh", 2), ("Chi", 2), ("Dung", 2), ("Giang", 2), ("Huyền", 2), ("Thư", 2),
    ("Uyên", 2), ("Duyên", 1), ("Phượng", 1), ("Cúc", 1), ("Diễm", 1), ("Nguyệt", 1),
)  # fmt: skip

COMPANY_FORMS: Weighted = (
    ("Công ty TNHH", 50), ("Công ty Cổ phần", 25), ("Công ty TNHH MTV", 15), ("Doanh nghiệp tư nhân", 6),
    ("Hợp tác xã", 4),
)  # fmt: skip

COMPANY_TRADES: Weighted = (
    ("Thương mại và Dịch vụ", 18), ("Xây dựng", 14), ("Sản xuất", 8), ("Vận tải", 8), ("Thực phẩm", 7),
    ("Công nghệ", 7), ("Nội thất", 6), ("Cơ khí", 6), ("Dược phẩm", 5), ("May mặc", 5), ("Thủy sản", 4), ("In ấn", 4),
    ("Du lịch", 4), ("Bất động sản", 4), ("Nông nghiệp", 4), ("Điện tử", 4), ("Giáo dục", 3), ("", 12),
)  # fmt: skip

COMPANY_NAMES: Weighted = (
    ("Đại Phát", 3), ("Minh Long", 3), ("An Khang", 3), ("Hoàng Gia", 3), ("Thành Công", 3), ("Phú Thịnh", 2),
    ("Tân Tiến", 2), ("Hưng Thịnh", 2), ("Việt Nhật", 2), ("Đông Á", 2), ("Sao Mai", 2), ("Ánh Dương", 2),
    ("Bình Minh", 2), ("Toàn Cầu", 2), ("Thiên Long", 2), ("Hòa Bình", 2), ("Sông Hồng", 1), ("Cửu Long", 1),
    ("Trường Sơn", 1), ("Hải Âu", 1), ("Kim Ngân", 1), ("Phương Nam", 2), ("Bắc Á", 1), ("Đức Thành", 1),
    ("Nam Việt", 2), ("Gia Hưng", 1), ("Lộc Phát", 1), ("Tâm An", 1), ("Vạn Xuân", 1), ("Mỹ Á", 1),
)  # fmt: skip

OCCUPATIONS: Weighted = (
    ("Nhân viên văn phòng", 20), ("Kinh doanh tự do", 14), ("Giáo viên", 9), ("Kỹ sư", 9), ("Kế toán", 8),
    ("Công nhân", 8), ("Nội trợ", 6), ("Bác sĩ", 3), ("Dược sĩ", 3), ("Lái xe", 4), ("Giám đốc", 4),
    ("Trưởng phòng", 4), ("Nông dân", 3), ("Hưu trí", 3), ("Sinh viên", 2),
)  # fmt: skip

STREETS: Weighted = tuple(
    (name, 1)
    for name in (
        "Lê Lợi", "Nguyễn Huệ", "Trần Hưng Đạo", "Hai Bà Trưng", "Lý Thường Kiệt", "Nguyễn Trãi", "Quang Trung",
        "Phan Đình Phùng", "Hùng Vương", "Điện Biên Phủ", "Cách Mạng Tháng Tám", "Nguyễn Văn Linh", "Võ Văn Kiệt",
        "Lê Duẩn", "Phạm Văn Đồng", "Nguyễn Thị Minh Khai", "Trường Chinh", "Hoàng Hoa Thám", "Bạch Đằng",
        "Ngô Quyền", "Lê Hồng Phong", "Trần Phú", "30 Tháng 4", "Nguyễn Du", "Phan Chu Trinh", "Lê Thánh Tôn",
        "Nguyễn Công Trứ", "Tôn Đức Thắng", "Hoàng Văn Thụ", "Đinh Tiên Hoàng", "Ông Ích Khiêm", "Kim Mã",
    )
)  # fmt: skip

PROVINCES: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("Thành phố Hồ Chí Minh", 140, ("Sài Gòn", "Bến Thành", "Tân Định", "Gia Định", "Bình Thạnh", "Chợ Lớn",
        "Thủ Đức", "Tân Bình", "Thủ Dầu Một", "Vũng Tàu")),
    ("Hà Nội", 88, ("Hoàn Kiếm", "Ba Đình", "Cầu Giấy", "Đống Đa", "Hai Bà Trưng", "Hà Đông", "Tây Hồ", "Long Biên")),
    ("An Giang", 49, ("Rạch Giá", "Long Xuyên", "Châu Đốc", "Hà Tiên")),
    ("Hải Phòng", 46, ("Hồng Bàng", "Ngô Quyền", "Lê Chân", "Hải Dương", "Chí Linh")),
    ("Đồng Nai", 44, ("Biên Hòa", "Trấn Biên", "Long Khánh", "Đồng Xoài")),
    ("Ninh Bình", 44, ("Hoa Lư", "Nam Định", "Phủ Lý", "Tam Điệp")),
    ("Thanh Hóa", 43, ("Hạc Thành", "Sầm Sơn", "Bỉm Sơn")),
    ("Đồng Tháp", 43, ("Mỹ Tho", "Cao Lãnh", "Sa Đéc")),
    ("Vĩnh Long", 42, ("Bến Tre", "Trà Vinh", "Long Châu")),
    ("Cần Thơ", 42, ("Ninh Kiều", "Cái Răng", "Bình Thủy", "Sóc Trăng", "Vị Thanh")),
    ("Phú Thọ", 40, ("Việt Trì", "Vĩnh Yên", "Hòa Bình")),
    ("Lâm Đồng", 39, ("Xuân Hương - Đà Lạt", "Phan Thiết", "Bảo Lộc")),
    ("Nghệ An", 38, ("Thành Vinh", "Cửa Lò", "Vinh Hưng")),
    ("Bắc Ninh", 36, ("Kinh Bắc", "Bắc Giang", "Từ Sơn")),
    ("Gia Lai", 36, ("Quy Nhơn", "Pleiku", "An Khê")),
    ("Hưng Yên", 35, ("Phố Hiến", "Thái Bình", "Mỹ Hào")),
    ("Đắk Lắk", 33, ("Buôn Ma Thuột", "Tuy Hòa", "Buôn Hồ")),
    ("Tây Ninh", 32, ("Tân Ninh", "Long An", "Tân An")),
    ("Đà Nẵng", 30, ("Hải Châu", "Thanh Khê", "Sơn Trà", "Ngũ Hành Sơn", "Hội An", "Tam Kỳ")),
    ("Cà Mau", 26, ("An Xuyên", "Bạc Liêu", "Lý Văn Lâm")),
    ("Khánh Hòa", 22, ("Nha Trang", "Phan Rang", "Cam Ranh")),
    ("Quảng Ngãi", 21, ("Cẩm Thành", "Kon Tum", "Nghĩa Lộ")),
    ("Quảng Trị", 18, ("Đồng Hới", "Đông Hà")),
    ("Thái Nguyên", 18, ("Phan Đình Phùng", "Sông Công", "Bắc Kạn")),
    ("Tuyên Quang", 18, ("Minh Xuân", "Hà Giang 1", "Hà Giang 2")),
    ("Lào Cai", 17, ("Yên Bái", "Lào Cai", "Sa Pa")),
    ("Hà Tĩnh", 16, ("Thành Sen", "Hồng Lĩnh")),
    ("Quảng Ninh", 15, ("Hạ Long", "Hồng Gai", "Cẩm Phả", "Móng Cái 1")),
    ("Huế", 14, ("Thuận Hóa", "Phú Xuân", "Hương Thủy")),
    ("Sơn La", 14, ("Tô Hiệu", "Mộc Châu")),
    ("Lạng Sơn", 9, ("Đông Kinh", "Lương Văn Tri")),
    ("Điện Biên", 7, ("Điện Biên Phủ", "Mường Thanh")),
    ("Cao Bằng", 6, ("Thục Phán", "Nùng Trí Cao")),
    ("Lai Châu", 5, ("Tân Phong", "Đoàn Kết")),
)  # fmt: skip

MOBILE_PREFIXES: Weighted = (
    ("032", 3), ("033", 3), ("034", 3), ("035", 3), ("036", 3), ("037", 3), ("038", 3), ("039", 3), ("086", 2),
    ("096", 3), ("097", 4), ("098", 5), ("081", 2), ("082", 2), ("083", 2), ("084", 2), ("085", 2), ("088", 2),
    ("091", 4), ("094", 3), ("070", 1), ("076", 1), ("077", 1), ("078", 1), ("079", 1), ("090", 5),
    ("093", 3), ("056", 1), ("058", 1), ("092", 1), ("059", 1),
)  # fmt: skip

LANDLINE_PREFIXES: Weighted = (("0243", 5), ("0283", 6))

NOTES: Weighted = (
    ("", 70), ("Khách quen", 6), ("Gọi lại sau 17h", 5), ("Quan tâm gói doanh nghiệp", 4),
    ("Giới thiệu từ bạn bè", 4), ("Hỏi giá, chưa chốt", 4), ("Giao hàng giờ hành chính", 3), ("Xuất hóa đơn VAT", 3),
    ("Ưu tiên liên hệ qua Zalo", 3),
)  # fmt: skip
