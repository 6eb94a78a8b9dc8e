"""A phone belongs to one live customer, whatever another writer does at the same moment."""

from typing import Any
from uuid import UUID

import pytest

from services.customers.commands import registers
from shared.database import Session, run
from tests.service.customers.conftest import Team

PHONE = "+84912345678"


async def test_a_phone_that_its_owner_lets_go_of_meanwhile_is_claimed(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C2: freed between the claim and the look at who has it: it is the claimer's, and nobody else's afterwards."""
    owner: dict[str, Any] = await team.create(team.dung, phones=[PHONE])
    freed = False

    async def freeing(session: Session, sql: str, *parameters: Any) -> Any:
        nonlocal freed
        answer = await run(session, sql, *parameters)
        if not freed:
            freed = True
            await team.harness.sql("DELETE FROM customer_phone WHERE customer_id = $1", UUID(owner["id"]))
        return answer

    monkeypatch.setattr(registers, "run", freeing)
    created: dict[str, Any] = await team.create(team.binh, phones=[PHONE])
    assert freed
    found = await team.harness.sql("SELECT customer_id FROM customer_phone WHERE phone = $1", PHONE)
    assert [row.customer_id for row in found] == [UUID(created["id"])]
    again = await team.dung.post("/api/v1/customers", json={"name": "Sau", "phones": [PHONE]})
    assert (again.status_code, again.json()["code"]) == (409, "phone_taken")
