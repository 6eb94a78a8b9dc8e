"""Lists by any filter: what is offered, refused and found."""

import pytest

from shared.folding import fold
from tests.service.customers.conftest import Team

NAMES = ["Nguyễn Thị ĐÀO", "  Trần   Văn\tÁnh ", "Straße ÆŒ øł", "HOÀ hòa Hoa", "Ưỡng Ợ", "①½ Ａ", "", "Ngô-Quyền (2)"]


async def test_fields_say_what_may_be_asked(team: Team) -> None:
    """P4: names, operators and types in the reader's language."""
    answer = await team.binh.get("/api/v1/customers/fields", headers={"Accept-Language": "en"})
    fields = {item["field"]: item for item in answer.json()["items"]}
    assert fields["group_ids"]["label"] == "Customer Groups"
    assert fields["created_at"]["operators"] == ["eq", "ne", "gte", "lte", "between", "is_empty"]
    assert fields["text"]["operators"] == ["contains"]
    vietnamese = (await team.binh.get("/api/v1/customers/fields")).json()["items"]
    assert {item["field"]: item["label"] for item in vietnamese}["group_ids"] == "Nhóm khách hàng"


@pytest.mark.parametrize("text", NAMES)
async def test_the_database_folds_as_services_do(team: Team, text: str) -> None:
    """P4: comparing in SQL and in Python never disagree."""
    assert (await team.harness.sql("SELECT folded($1)", text))[0][0] == fold(text)
