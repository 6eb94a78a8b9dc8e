"""A customer whom somebody does not see is like one that never was, also for who may do everything else."""

from typing import Any
from uuid import uuid4

import pytest

from deploy.local.keys import ADMINISTRATOR_PERMISSIONS
from shared.documents.openapi import openapi_of
from shared.identity import VIEW_ALL
from tests.service.customers.conftest import Team
from tests.service.every_path.requests import Paths, Request

EVERYTHING_ELSE = sorted({*ADMINISTRATOR_PERMISSIONS} - {VIEW_ALL})
CUSTOMER, EMPLOYEE = "{customer_id}", "{employee_id}"


def requests(team: Team) -> list[tuple[str, Request]]:
    """A fitting request for every path below one customer, and the path as it is written in the document."""
    paths = Paths(openapi_of(team.harness.service))
    return [(path, request) for path, request in paths.fitting() if path.startswith(f"/api/v1/customers/{CUSTOMER}")]


@pytest.mark.parametrize("deleted", [False, True])
@pytest.mark.parametrize("permissions", [[], EVERYTHING_ELSE], ids=["none", "everything-else"])
async def test_strangers_are_told_on_every_path_what_is_told_of_unknown_ids(
    team: Team, permissions: list[str], deleted: bool
) -> None:
    """A2, R1: 404 that differs from an unknown id's in `trace_id` only, and nothing is written."""
    customer = await team.create(team.admin, viewer_ids=[str(team.ids["chi"])])
    if deleted:
        assert (await team.admin.delete(f"/api/v1/customers/{customer['id']}")).status_code == 204
    stranger, asked = team.as_("dung", *permissions), requests(team)
    assert len(asked) >= 11, "GET, PATCH, DELETE, restore, erase, manager, viewers, one viewer twice, access, audit"
    before = await team.harness.fingerprint()
    for path, request in asked:
        answers: list[tuple[int, dict[str, Any]]] = []
        for customer_id in (customer["id"], uuid4()):
            filled = path.replace(CUSTOMER, str(customer_id)).replace(EMPLOYEE, str(team.ids["chi"]))
            body = {} if request.body is None else {"json": request.body}
            answer = await stranger.request(request.method, filled, params=request.query, **body)
            answers.append((answer.status_code, {**answer.json(), "trace_id": None}))
        assert answers[0] == answers[1], request
        assert (answers[0][0], answers[0][1]["code"]) == (404, "not_found"), request
    assert await team.harness.fingerprint() == before
